"""Photos, holes and faces: reading, cropping, masking and blending pictures."""
