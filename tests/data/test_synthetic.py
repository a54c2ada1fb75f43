import numpy as np

from ganfill import seeding
from ganfill.data.synthetic import draw_faces


def test_drawn_faces_vary_and_repeat():
    faces = draw_faces(16, 32, seeding.generator(0, "faces"))
    assert faces.shape == (16, 32, 32, 3) and faces.dtype == np.uint8
    assert np.array_equal(faces, draw_faces(16, 32, seeding.generator(0, "faces")))
    assert faces.std(0).mean() > 20
    assert faces.std((1, 2)).mean() > 10
