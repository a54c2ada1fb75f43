import numpy as np
import torch
from PIL import Image

from ganfill.images.pixels import to_uint8
from ganfill.training.callbacks.samples import interpolate


def test_the_grids_of_each_moment_and_of_the_end(tmp_path, train):
    gan, _ = train(tmp_path, 1.1, sample_kimg=1)
    assert {path.name for path in (tmp_path / "samples").iterdir()} == {
        f"kimg00000{kimg}_{name}.png" for kimg in (0, 1) for name in ("ema", "raw", "interpolation")
    }
    for name, images in (("interpolation", interpolate(gan)), ("ema", gan.sample(64))):
        with Image.open(tmp_path / f"samples/kimg000001_{name}.png") as grid:
            pixels = np.asarray(grid)
        cells = pixels[2:, 2:].reshape(len(images) // 8, 34, 8, 34, 3)[:, :32, :, :32].swapaxes(1, 2)
        assert (cells.reshape(-1, 32, 32, 3) == to_uint8(images).numpy()).all()


def test_an_interpolation_depends_on_the_seed_alone(make_gan):
    gan = make_gan()
    first = interpolate(gan)
    torch.rand(3)
    assert first.shape == (32, 3, 32, 32) and torch.equal(interpolate(gan), first)
    assert first[:8].flatten(1).diff(dim=0).abs().sum(1).min() > 0


def test_grids_of_a_deleted_training_are_deleted_too(tmp_path, train):
    samples = tmp_path / "samples"
    samples.mkdir()
    for name in ("kimg000000_ema.png", "kimg000040_ema.png", "kimg000040_raw.png"):
        (samples / name).write_text("of a deleted training")
    train(tmp_path, 0.1)
    assert {path.name for path in samples.glob("*_ema.png")} == {"kimg000000_ema.png"}
    assert b"deleted" not in (samples / "kimg000000_ema.png").read_bytes()
    before = (samples / "kimg000000_interpolation.png").stat().st_mtime_ns
    (samples / "kimg000001_raw.png").touch()
    train(tmp_path, 0.2, sample_kimg=0)
    assert {path.name for path in samples.glob("*_raw.png")} == {"kimg000000_raw.png"}
    assert (samples / "kimg000000_interpolation.png").stat().st_mtime_ns == before


def test_none_are_drawn_at_an_interval_of_zero(tmp_path, train):
    train(tmp_path, 0.1, sample_kimg=0)
    assert not (tmp_path / "samples").exists()
