import numpy as np
import torch
from PIL import Image

from ganfill.images.pixels import to_uint8
from ganfill.models.latent import Normal, Uniform
from ganfill.training.callbacks.samples import interpolate, interpolate_latents


def test_ways_of_a_normal_prior_stay_on_the_shell():
    start, end = torch.randn(2, 5, 100, generator=torch.Generator().manual_seed(0))
    found = interpolate_latents(Normal(100), start, end, 9)
    assert found.shape == (5, 9, 100)
    torch.testing.assert_close(found[:, 0], start)
    torch.testing.assert_close(found[:, -1], end)
    norms = torch.stack([start.norm(dim=1), end.norm(dim=1)])
    assert (found.norm(dim=2) > 0.95 * norms.amin(0)[:, None]).all()  # straight on, the middle has 0.7 of it
    start, end = (torch.nn.functional.normalize(z, dim=1) for z in (start, end))
    unit = interpolate_latents(Normal(100), start, end, 9)
    torch.testing.assert_close(unit.norm(dim=2), torch.ones(5, 9))
    angles = (unit[:, 1:] * unit[:, :-1]).sum(2).acos()
    torch.testing.assert_close(angles, (start * end).sum(1).acos()[:, None].expand(5, 8) / 8, rtol=1e-3, atol=1e-3)


def test_ways_between_equal_and_opposite_ends_are_finite():
    z = torch.ones(1, 4)
    torch.testing.assert_close(interpolate_latents(Normal(4), z, z, 3), z.expand(1, 3, 4), rtol=1e-3, atol=1e-3)
    assert interpolate_latents(Normal(4), z, -z, 3).isfinite().all()


def test_ways_of_a_bounded_prior_are_straight():
    start, end = torch.tensor([[-1.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    assert interpolate_latents(Uniform(2), start, end, 3).tolist() == [[[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]]


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


def test_none_are_drawn_at_an_interval_of_zero(tmp_path, train):
    train(tmp_path, 0.1, sample_kimg=0)
    assert not (tmp_path / "samples").exists()
