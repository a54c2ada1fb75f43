import numpy as np
import pytest
import torch

from ganfill import seeding
from ganfill.benchmark.generator import count_steps, evaluate_generator
from ganfill.errors import UserError
from ganfill.images import pixels
from ganfill.metrics.features import FeatureNetwork

COLOURS = FeatureNetwork(
    "colours", lambda images: images.float().unfold(2, 16, 16).unfold(3, 16, 16).mean((4, 5)).flatten(1), ""
)


def noise(n, seed=0, low=0, high=256):
    """Pictures with a random colour in each quarter and a little noise."""
    random = np.random.default_rng(seed)
    quarters = random.integers(low, high - 8, (n, 2, 2, 3)).repeat(16, 1).repeat(16, 2)
    return (quarters + random.integers(0, 8, (n, 32, 32, 3))).astype(np.uint8)


class Recall(torch.nn.Module):
    """A generator that draws pictures from a list by the first number of z in [-1, 1]."""

    def __init__(self, pictures):
        super().__init__()
        self.pictures = torch.nn.Parameter(pixels.to_float(torch.from_numpy(pictures)), requires_grad=False)

    def forward(self, z):
        return self.pictures[((z[:, 0] + 1) / 2 * len(self.pictures)).long().clamp(max=len(self.pictures) - 1)]


@pytest.fixture
def draws(model):
    """Makes the small model draw from given pictures."""

    def make(pictures):
        model.generator = Recall(pictures)
        return model

    return make


def test_a_generator_as_good_as_the_real_is_at_the_floor_and_has_not_memorized(draws):
    figures = evaluate_generator(draws(noise(3000, 1)), noise(600), [COLOURS], n=300, held_out=noise(200, 2)).figures
    assert figures["samples"] == 300 and figures["training_pictures"] == 600
    assert figures["fd_colours"] < 1.5 * figures["floor_fd_colours"]
    assert figures["precision_colours"] > 0.7 and figures["recall_colours"] > 0.7
    for space in ("colours", "pixels"):
        assert 0.4 < figures[f"nearer_{space}"] < 0.6
        assert figures[f"nearest_{space}"] == pytest.approx(figures[f"held_out_nearest_{space}"], rel=0.1)


def test_a_generator_that_copies_is_found_out(draws):
    training = noise(600)
    report = evaluate_generator(draws(training), training, [COLOURS], n=100, held_out=noise(200, 2), neighbours=3)
    for space in ("colours", "pixels"):
        assert report.figures[f"nearest_{space}"] == 0 and report.figures[f"nearer_{space}"] == 1
    assert len(report.neighbours) == 3
    for sample, *near in report.neighbours:
        assert (sample == near[0]).all() and len(near) == 5


def test_a_generator_of_few_pictures_has_precision_and_no_recall(draws):
    equal = evaluate_generator(draws(noise(3000, 1)), noise(600), [COLOURS], n=300).figures
    figures = evaluate_generator(draws(noise(3, 1)), noise(600), [COLOURS], n=300).figures
    assert figures["kd_colours"] > 20 * max(abs(equal["kd_colours"]), abs(figures["floor_kd_colours"]))
    assert figures["recall_colours"] < 0.05
    assert figures["fd_colours"] > 3 * figures["floor_fd_colours"]
    dark = evaluate_generator(draws(noise(300, 1, 0, 30)), noise(600, 0, 200, 256), [COLOURS], n=300).figures
    assert dark["precision_colours"] == dark["recall_colours"] == 0


def test_what_cannot_be_computed_is_a_reason(draws):
    report = evaluate_generator(draws(noise(50, 1)), noise(60), [], n=30)
    assert report.figures["fd"] == "no feature network was given"
    assert report.figures["nearer_pixels"] == "no real pictures were held out"
    assert report.figures["nearest_pixels"] > 0
    assert not any(name.startswith(("fd_", "precision_")) for name in report.figures)
    assert len(report.neighbours) == 12 and len(report.samples) == 30


def test_the_distance_in_pixels_is_in_levels(draws):
    grey = np.full((10, 32, 32, 3), 100, dtype=np.uint8)
    figures = evaluate_generator(draws(grey + 20), grey, [], n=5, held_out=grey + 10).figures
    assert figures["nearest_pixels"] == pytest.approx(20, rel=1e-9)
    assert figures["held_out_nearest_pixels"] == pytest.approx(10, rel=1e-9)
    assert figures["nearer_pixels"] == 0
    assert evaluate_generator(draws(grey + 10), grey, [], n=5, held_out=grey + 10).figures["nearer_pixels"] == 0.5


def test_samples_are_the_seeds_and_global_random_numbers_are_left_alone(model):
    training, before = noise(40), (torch.get_rng_state(), np.random.get_state()[1].copy())  # noqa: NPY002
    first = evaluate_generator(model, training, [COLOURS], n=20, seed=3)
    again = evaluate_generator(model, training, [COLOURS], n=20, seed=3)
    other = evaluate_generator(model, training, [COLOURS], n=20, seed=4)
    assert first.figures == again.figures and (first.samples == again.samples).all()
    assert first.figures != other.figures and (first.samples != other.samples).any()
    z = model.latent.sample(20, seeding.generator(3, "samples"))
    with torch.no_grad():
        assert (pixels.to_uint8(model.generator(z)).numpy() == first.samples).all()
    assert first.samples.dtype == np.uint8 and first.samples.shape == (20, 32, 32, 3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_steps_are_counted_before_as_they_are_reported(model, tmp_path):
    np.save(tmp_path / "training.npy", noise(150))
    training, counts = np.load(tmp_path / "training.npy", mmap_mode="r"), []
    other = FeatureNetwork("other", COLOURS.network, "")
    for held_out in (None, noise(30, 1)):
        counts.clear()
        report = evaluate_generator(model, training, [COLOURS, other], 1000, advance=counts.append, held_out=held_out)
        assert sum(counts) == count_steps(training, [COLOURS, other], 1000, held_out)
        assert report.figures["samples"] == 75 and len(report.samples) == 64
        assert report.figures["fd_other"] == report.figures["fd_colours"]


def test_too_few_pictures_another_size_and_a_spoilt_model_are_refused(model, draws):
    with pytest.raises(UserError, match="n=3 of 40 training pictures"):
        evaluate_generator(model, noise(40), [], n=3)
    with pytest.raises(UserError, match="of 7 training pictures gives sets of 3"):
        evaluate_generator(model, noise(7), [])
    with pytest.raises(UserError, match=r"64x64, the model's 32x32: .*resolution=32"):
        evaluate_generator(model, noise(40).repeat(2, 1).repeat(2, 2), [])
    with pytest.raises(UserError, match="64x64"):
        evaluate_generator(model, noise(40), [], held_out=noise(9).repeat(2, 1).repeat(2, 2))
    spoilt = draws(noise(4))
    spoilt.generator.pictures.fill_(float("nan"))
    with pytest.raises(UserError, match="not finite"):
        evaluate_generator(spoilt, noise(40), [], n=20)
