"""Results of made-up completions."""

import numpy as np
from PIL import Image

from ganfill.completion.pipeline import Filled
from ganfill.images.regions import Box, make_view


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)


def add(folder, job, photo, hole, filled):
    folder.begin(job)
    folder.finish(job, folder.write(job, photo, hole, filled))


def filled(photo, hole, answers=1, frames=0):
    pictures = [photo.pixels + i for i in range(answers)]
    small = [np.zeros((8, 8, 3), np.uint8)] * answers
    frame = [np.full((8, 8, 3), 9 * i, np.uint8) for i in range(frames)]
    views = [make_view(photo.pixels, hole, Box(0, 2, 8, 10), 8)]
    return Filled(pictures, views, [small], [0.123456, 0.2, 0.3][:answers], frame)
