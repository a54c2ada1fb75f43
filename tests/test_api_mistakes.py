"""What ``Model.complete`` refuses, and how it says so."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganfill.errors import UserError
from tests.pictures import QUICK


@pytest.fixture
def images():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def holes():
    holes = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    holes[0, :, 8:20, 8:20], holes[1, :, 20:, 20:] = True, True
    return holes


PICTURE = Image.new("RGB", (32, 32))
TENSOR, HOLE = torch.zeros(2, 3, 32, 32), torch.zeros(2, 1, 32, 32, dtype=torch.bool)
WRONG = {
    "bytes": (TENSOR.byte(), HOLE, r"float \(N, 3, H, W\)"),
    "bytes and a word": (TENSOR.byte(), "center", r"float \(N, 3, H, W\)"),
    "a matrix": (TENSOR[0, 0], HOLE, r"float \(N, 3, H, W\)"),
    "a matrix and a word": (TENSOR[0, 0], "center", r"float \(N, 3, H, W\)"),
    "grey": (TENSOR[:, :1], "center", r"float \(N, 3, H, W\)"),
    "none": (TENSOR[:0], HOLE[:0], r"float \(N, 3, H, W\)"),
    "float holes": (TENSOR, HOLE.float(), "holes must be bool"),
    "a hole too few": (TENSOR, HOLE[:1], "holes must be bool"),
    "another size": (TENSOR, HOLE[..., :16], "holes must be bool"),
    "a known NaN": (TENSOR * float("nan"), HOLE, "a known pixel is NaN"),
    "a tensor and a picture": (TENSOR, PICTURE, "holes of a tensor must be a tensor or a kind of hole, not Image"),
    "a picture and a tensor": (PICTURE, HOLE[0], "must be Pillow pictures"),
    "an array of floats": (np.zeros((32, 32, 3)), "center", r"picture 1 must be uint8 \(H, W, 3\), not float64"),
    "no picture": (None, "center", "images must be Pillow pictures, paths, .*, not NoneType"),
    "no hole": (PICTURE, None, "must be Pillow pictures, paths, .*, not NoneType"),
    "values to 255": (TENSOR + 255, HOLE, r"images must lie in \[-1, 1\], got a known value of 255"),
    "an empty picture": (Image.new("RGB", (0, 0)), "center", "picture 1 has no pixels"),
    "an empty array": (np.zeros((0, 0, 3), np.uint8), "center", "picture 1 has no pixels"),
    "an empty tensor": (torch.zeros(1, 3, 0, 0), "center", r"float \(N, 3, H, W\)"),
    "a missing file": ("nowhere.png", "center", "nowhere.png cannot be read"),
    "no pictures": ([], "center", "got 0 pictures and 0 masks"),
    "a mask too few": ([PICTURE] * 3, [PICTURE] * 2, "got 3 pictures and 2 masks"),
}


@pytest.mark.parametrize(("images", "holes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_shapes_and_types(model, images, holes, message):
    with pytest.raises(ValueError, match=message):
        model.complete(images, holes, search=QUICK)


def test_wrong_proportions_and_no_answers(model):
    with pytest.raises(UserError, match="the mask is 10x20, but its picture 32x32"):
        model.complete(PICTURE, Image.new("L", (10, 20)), search=QUICK)


OPTIONS = {
    "answers must be a whole number from 1, got 0": {"answers": 0},
    "answers must be a whole number from 1, got 1.5": {"answers": 1.5},
    "answers must be from 1 to 10000, got 1000000": {"answers": 10**6},
    "answers=9999 of these pictures take .* GB: ask for fewer": {"answers": 9999},
    "seed must be a whole number from 0, got -1": {"seed": -1},
    "search must be a name or an object that can be called, not 3": {"search": 3},
    "align must be a name or an object that can be called, not None": {"align": None},
    "blend must be a name or an object that can be called, not 'paste'": {"blend": "paste"},
    r"search must take \(model, images, holes, options\), which <built-in function len> does not": {"search": len},
    "search=<function <lambda> .* has no blend: give one": {"search": lambda model, images, holes, options: None},
    r"align must take \(photo, hole, resolution\), which <built-in function len> does not": {"align": len},
    r"blend must take \(filled, image, hole\), which <built-in function len> does not": {"blend": len},
    "advance must be a name or an object that can be called, not 3": {"advance": 3},
    "preview must be a name or an object that can be called, not 'x'": {"preview": "x"},
    "deterministic must be True or False, got 'no'": {"deterministic": "no"},
}


@pytest.mark.parametrize(("message", "options"), OPTIONS.items(), ids=OPTIONS)
def test_wrong_options(model, message, options):
    size = (500, 500) if options.get("answers") == 9999 else (32, 32)
    with pytest.raises(ValueError, match=message):
        model.complete(Image.new("RGB", size), "center", **{"search": QUICK} | options)


@pytest.mark.parametrize("holes", ["center", HOLE])
def test_tensors_without_values_are_refused(model, holes):
    for images in (TENSOR.to("meta"), TENSOR.to_sparse()):
        with pytest.raises(ValueError, match="images must be dense and on a device with values, not torch"):
            model.complete(images, holes, search=QUICK)
    for other in (HOLE.to("meta"), HOLE.to_sparse()):
        with pytest.raises(ValueError, match="holes must be dense and on a device with values, not torch"):
            model.complete(TENSOR, other, search=QUICK)


def test_an_unknown_option_is_a_type_error_of_complete(model):
    with pytest.raises(TypeError, match=r"complete\(\) got an unexpected keyword argument 'answer'"):
        model.complete(PICTURE, "center", answer=2)
