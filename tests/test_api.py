import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from ganfill.api import load
from ganfill.errors import UserError
from ganfill.images.alignment import Given
from ganfill.images.blend import Paste, Poisson
from ganfill.images.rotated_square import Square
from ganfill.search.presets import amos2016, standard
from tests.pictures import QUICK, photo, rectangle


@pytest.fixture
def images():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def holes():
    holes = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    holes[0, :, 8:20, 8:20], holes[1, :, 20:, 20:] = True, True
    return holes


def test_tensors_in_tensors_out(model, images, holes):
    finished = model.complete(images, holes, search=QUICK)
    assert finished.shape == images.shape and finished.dtype == torch.float32
    assert torch.equal(finished.masked_fill(holes, 0), images.masked_fill(holes, 0))
    assert (finished != images)[holes.expand_as(images)].float().mean() > 0.9 and finished.abs().max() <= 1
    noise = torch.where(holes, torch.randn(images.shape), images)
    assert torch.equal(model.complete(noise, holes, search=QUICK), finished)
    assert torch.equal(model.complete(images.masked_fill(holes, float("nan")), holes, search=QUICK), finished)


def test_one_tensor_and_several_answers(model, images, holes):
    one = model.complete(images[0], holes[0], search=QUICK, deterministic=True)
    both = model.complete(images, holes, search=QUICK, deterministic=True)
    assert one.shape == (3, 32, 32) and torch.equal(one, both[0])
    ranks = model.complete(images, holes, search=QUICK, answers=3)
    assert isinstance(ranks, list) and [rank.shape for rank in ranks] == [images.shape] * 3
    assert not torch.equal(ranks[0], ranks[1])
    single = model.complete(images[0], holes[0], search=QUICK, answers=2)
    assert [answer.shape for answer in single] == [(3, 32, 32)] * 2


def test_double_precision_comes_back_as_it_was(model, images, holes):
    finished = model.complete(images.double(), holes, search=QUICK)
    assert finished.dtype == torch.float64
    assert torch.equal(finished.masked_fill(holes, 0), images.double().masked_fill(holes, 0))


def test_larger_tensors(model, holes):
    images = torch.rand(2, 3, 40, 60)
    finished = model.complete(images, "center", search=QUICK)
    changed = (finished != images).any(1)
    assert changed[:, 10:30, 20:40].float().mean() > 0.9 and not changed[:, :10].any() and not changed[:, :, :20].any()


def test_pictures_in_pictures_out(model):
    pictures = [Image.fromarray(photo((40, 50), i)) for i in range(2)]
    mask = Image.fromarray((rectangle((40, 50), 0.3, 0.3, 0.7, 0.7) * 255).astype(np.uint8))
    hole = np.asarray(mask) > 0
    finished = model.complete(pictures, mask, search=QUICK)
    assert [picture.size for picture in finished] == [(50, 40)] * 2
    for before, after in zip(pictures, finished, strict=True):
        assert np.array_equal(np.asarray(after)[~hole], np.asarray(before)[~hole])
    one = model.complete(pictures[0], mask, search=QUICK)
    assert isinstance(one, Image.Image) and one.mode == "RGB"
    ranks = model.complete(pictures[0], mask, search=QUICK, answers=2)
    assert [type(answer) for answer in ranks] == [Image.Image] * 2
    ranks = model.complete(pictures, [mask, mask], search=QUICK, answers=2)
    assert [len(rank) for rank in ranks] == [2, 2]


def test_the_colour_profile_is_kept(model, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture, mask = Image.fromarray(photo((32, 32))), Image.fromarray(rectangle((32, 32), 0.3, 0.3, 0.7, 0.7))
    assert "icc_profile" not in model.complete(picture, mask, search=QUICK).info
    picture.info["icc_profile"] = profile
    finished = model.complete(picture, mask, search=QUICK)
    finished.save(tmp_path / "a.png")
    finished.save(tmp_path / "a.jpg", icc_profile=finished.info["icc_profile"])  # Pillow adds it to no JPEG by itself
    for name in ("a.png", "a.jpg"):
        with Image.open(tmp_path / name) as again:
            assert again.info["icc_profile"] == profile


def test_where_to_look_in_pictures(model, caplog):
    picture, mask = Image.fromarray(photo((40, 90))), Image.fromarray(rectangle((40, 90), 0.3, 0.1, 0.7, 0.3))
    squeezed = model.complete(picture, mask, search=QUICK, align="none")
    given = Given((Square(20, 20, 36, 5),))
    assert not np.array_equal(squeezed, model.complete(picture, mask, search=QUICK, align=given))
    elsewhere = Given((Square(70, 20, 36),))
    caplog.clear()
    model.complete(picture, mask, search=QUICK, align=elsewhere)
    assert "picture 1: box=52,2,88,38 does not touch the hole, so it is not used; neighbouring pixels" in caplog.text
    boxed = model.complete(picture, mask, search=QUICK, align="box", box="2,2,38,38")
    level = Given((Square(20, 20, 36),))
    assert np.array_equal(boxed, model.complete(picture, mask, search=QUICK, align=level))
    box = "2,2,38,38"
    for wrong in ({"box": box}, {"align": "box"}, {"align": level, "box": box}, {"box": (2, 2, 38, 38)}):
        with pytest.raises(ValueError, match=r"give align=box|needs box=|must be a text such as"):
            model.complete(picture, mask, search=QUICK, **wrong)
    with pytest.raises(UserError, match="align=middle is not known"):
        model.complete(picture, mask, search=QUICK, align="middle")


def test_words_for_holes(model):
    transparent = photo((32, 32))
    alpha = np.where(rectangle((32, 32), 0, 0, 0.5, 0.5), 0, 255)
    picture = Image.fromarray(np.dstack([transparent, alpha]).astype("uint8"))
    finished = np.asarray(model.complete(picture, "alpha", search=QUICK))
    assert np.array_equal(finished[16:], transparent[16:]) and not np.array_equal(
        finished[:16, :16], transparent[:16, :16]
    )
    with pytest.raises(UserError, match="picture 1 has no alpha channel"):
        model.complete(Image.fromarray(transparent), "alpha", search=QUICK)
    with pytest.raises(UserError, match="did you mean center"):
        model.complete(picture, "centre", search=QUICK)


def test_a_search_by_name(model, images, holes):
    by_name = model.complete(images, holes, search="standard", seed=1)
    assert torch.equal(by_name, model.complete(images, holes, search=standard(), seed=1))
    with pytest.raises(UserError, match="search=quick is no preset"):
        model.complete(images, holes, search="quick")


PICTURE = Image.new("RGB", (32, 32))


def test_whole_numbers_of_numpy_are_whole_numbers(model):
    results = model.complete(PICTURE, "center", search=QUICK, answers=np.int64(2), seed=np.int64(3))
    expected = model.complete(PICTURE, "center", search=QUICK, answers=2, seed=3)
    assert [np.array_equal(*pair) for pair in zip(results, expected, strict=True)] == [True, True]


def test_arrays_of_other_modes_come_back_in_colours(model):
    for shape in ((32, 32), (32, 32, 4)):
        assert model.complete(np.zeros(shape, np.uint8), "center", search=QUICK).shape == (32, 32, 3)


def test_paths_and_arrays_are_pictures_and_masks(model, tmp_path):
    pixels, hole = photo((40, 50)), rectangle((40, 50), 0.3, 0.3, 0.7, 0.7)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(hole).save(tmp_path / "mask.png")
    expected = np.asarray(model.complete(Image.fromarray(pixels), Image.fromarray(hole), search=QUICK))
    for mask in (hole, hole.astype(np.uint8) * 255, tmp_path / "mask.png", str(tmp_path / "mask.png")):
        assert np.array_equal(model.complete(tmp_path / "photo.png", mask, search=QUICK), expected)
    (tmp_path / "masks").mkdir()
    Image.fromarray(hole).save(tmp_path / "masks/photo_mask.png")
    assert np.array_equal(model.complete(tmp_path / "photo.png", tmp_path / "masks", search=QUICK), expected)
    with pytest.raises(UserError, match="masks holds no mask for picture 1"):
        model.complete(pixels, tmp_path / "masks", search=QUICK)
    one = model.complete(pixels, hole, search=QUICK)
    assert isinstance(one, np.ndarray) and np.array_equal(one, expected)
    batch = model.complete(np.stack([pixels, pixels]), [hole, hole], search=QUICK, deterministic=True)
    assert batch.shape == (2, 40, 50, 3) and np.array_equal(batch[0], batch[1])


def test_a_device_that_is_not_there_is_named(model_path):
    with pytest.raises(UserError, match="device=cuda:9, but this machine has no such GPU"):
        load(model_path, "cuda:9")


def test_a_notebook_shows_samples(model):
    text = model._repr_html_()
    assert text.startswith("<p>Model(") and 'src="data:image/png;base64,' in text


def test_the_search_of_the_user_brings_its_own_blend(model, images, holes):
    raw = amos2016(steps=2, precision="fp32")
    pasted = model.complete(images, holes, search=raw)
    assert torch.equal(pasted, model.complete(images, holes, search=raw, blend=Paste()))
    assert not torch.equal(pasted, model.complete(images, holes, search=raw, blend=Poisson()))


def test_the_public_names_are_listed_before_they_are_imported():
    code = "import ganfill, pydoc, sys; print(dir(ganfill)); assert 'torch' not in sys.modules"
    code += "; print(pydoc.render_doc(ganfill))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    names, _, text = shown.partition("\n")
    assert names == str(["LatentSearch", "Model", "__version__", "load", "wrap"])
    assert "Fills the holes of pictures" in text and "Loads a model onto a device" in text


SCRIPT = """
import sys
import ganfill
assert "torch" not in sys.modules
from PIL import Image
model = ganfill.load(sys.argv[1])
from ganfill.search.presets import standard
search = standard(steps=1, starts=1, pool=4)
assert model.complete(Image.new("RGB", (40, 30)), "center", search=search).size == (40, 30)
print(*sorted({"pytorch_lightning", "lightning", "hydra", "omegaconf", "wandb"} & set(sys.modules)))
"""


def test_completing_needs_neither_lightning_nor_hydra_nor_wandb(model_path):
    words = [sys.executable, "-c", SCRIPT, str(model_path)]
    finished = subprocess.run(words, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == ""
