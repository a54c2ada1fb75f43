"""Pictures on disk: decoded once into an image store, read from it as an array."""
