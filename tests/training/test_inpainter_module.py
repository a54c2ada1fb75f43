import copy
from functools import partial

import pytest
import torch

from ganfill.adversarial.losses import Relativistic
from ganfill.adversarial.regularizers import R1
from ganfill.errors import UserError
from ganfill.images.pixels import to_float
from ganfill.models.inpainter import Inpainter, complete_averaged
from ganfill.search.presets import fast, standard
from ganfill.search.result import Completion
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.fit import fit
from ganfill.training.inpainter_module import (
    InpainterTraining,
    error_in_hole,
    error_of_features,
    error_of_means,
    rate_at,
)
from ganfill.training.run_directory import read_checkpoint

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.99))


@pytest.fixture
def model(model_with_encoder, enliven):
    return enliven(model_with_encoder)


@pytest.fixture
def make(model):
    """A fresh training of a tiny inpainter; its second half is adversarial."""

    def make(seed=0, **options):
        torch.manual_seed(seed)
        settings = {"kimg": 0.32, "regression_kimg": 0.16, "log_kimg": 0.016} | options
        parts = Relativistic(), R1(0.5, 2), ADAM, ADAM, fast()
        return InpainterTraining(Inpainter(32, (8, 8), 1), model, *parts, seed=seed, **settings)

    return make


def weights(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_the_regression_leaves_the_discriminator_alone_and_lowers_the_error(make, by_itself, faces):
    module = by_itself(make(kimg=3.2, regression_kimg=3.2))
    before, measured = weights(module.discriminator), []
    for step in range(100):
        module.training_step(faces(16, step % 4), 0)
        measured.append(float(module.measured["error_hole"]))
    assert all(torch.equal(*pair) for pair in zip(before, module.discriminator.parameters(), strict=True))
    assert sum(measured[-20:]) < 0.9 * sum(measured[:20])
    assert module.measured["loss_d"].isnan() and module.finite


def test_an_adversarial_step_trains_both_networks_and_the_average_follows(make, model, by_itself, faces):
    module = by_itself(make(ema_half_life_kimg=0.016))
    module.images_seen = 256
    networks = module.inpainter, module.discriminator, module.inpainter_ema
    before = [weights(network) for network in networks]
    module.training_step(faces(16), 0)
    module.training_step(faces(16, 1), 0)
    for network, old in zip(networks, before, strict=True):
        assert any(not torch.equal(*pair) for pair in zip(old, network.parameters(), strict=True))
    assert all(value.isfinite() for value in module.measured.values()) and module.measured["penalty"] > 0
    assert module.images_seen == 288


def test_pictures_with_a_random_guess_are_judged_by_the_discriminator_alone(make, by_itself, faces):
    module = by_itself(make())
    module.images_seen = 160  # the discriminator has no weight yet, so only the error moves the inpainter
    seen = []
    module.inpainter.register_forward_hook(lambda _, inputs, output: (output.retain_grad(), seen.append(output))[1])
    module.training_step(faces(8), 0)
    rows = seen[0].grad.flatten(1).abs().sum(1)
    assert (rows[:6] > 0).all() and not rows[6:].any()


def test_the_weight_of_the_discriminator_rises_with_its_own_training(make, by_itself, faces):
    new, trained = (by_itself(make(error_weight=0.0, feature_weight=0.0)) for _ in range(2))
    trained.load_state_dict(new.state_dict() | {"judged": torch.tensor(10_000.0)})
    for module, moves in ((new, False), (trained, True)):
        module.images_seen = 160  # the first adversarial step
        before = weights(module.inpainter)
        module.training_step(faces(8), 0)
        assert any(not torch.equal(*pair) for pair in zip(before, module.inpainter.parameters(), strict=True)) == moves
    assert new.judged == 8


def test_the_discriminator_sees_pictures_as_completion_shows_them(make, by_itself, faces):
    module, calls, shown = by_itself(make(regression_kimg=0)), [], []
    inpainter = copy.deepcopy(module.inpainter)
    module.inpainter.register_forward_pre_hook(lambda _, inputs: calls.append(inputs))
    module.discriminator.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    module.training_step(faces(16), 0)
    assert len(calls) == 4
    picture, known, _ = calls[0]
    expected = complete_averaged(inpainter, *calls[0])
    torch.testing.assert_close(shown[1], torch.cat([expected, 1 - known], 1))
    error = error_in_hole(expected[:12], picture[:12], 1 - known[:12])  # the others have guesses that are off the truth
    assert module.measured["error_hole"] == pytest.approx(float(error.detach()), rel=1e-5)


def test_guesses_do_not_see_the_hole_except_where_they_may(make, by_itself):
    module = by_itself(make())
    real, hole = torch.rand(8, 3, 32, 32), module.draw_holes(8)
    other = torch.where(hole > 0, torch.rand_like(real), real)
    guesses, others = (module._draw_guesses(pictures, hole, True) for pictures in (real, other))
    same = [torch.equal(a, b) for a, b in zip(guesses, others, strict=True)]
    assert all(same[:4]) and all(same[6:]) and not all(same[4:6])


def test_an_eighth_of_the_guesses_are_answers_of_the_search(make, model, by_itself, faces):
    module = by_itself(make(regression_kimg=0.32))
    module.search, guesses, pixels = partial(standard(cut_steps=3), model), [], faces(16)
    module.inpainter.register_forward_pre_hook(lambda _, inputs: guesses.append(inputs[2]))
    module.training_step(pixels, 0)
    module.images_seen = 0
    real, hole = to_float(pixels), module.draw_holes(16)
    drawn = module._encode(real, hole, False)
    found = standard(cut_steps=3)(model, real[:2], hole[:2].bool()).pictures[:, 0]
    torch.testing.assert_close(guesses[0][:2], found, atol=1e-4, rtol=0)
    assert torch.equal(guesses[0][2:], drawn[2:]) and (guesses[0][:2] - drawn[:2]).abs().max() > 0.01


def test_the_seed_of_the_search_depends_on_the_users_seed_and_the_pictures_seen(make, by_itself, faces):
    seeds = []

    def search(real, hole, options):
        seeds.append(options.seed)
        return Completion(real[:, None], *[torch.zeros(len(real), 1)] * 3)

    for seed in (0, 1, 0):
        module = by_itself(make(seed))
        module.search = search
        module.training_step(faces(8), 0)
        module.training_step(faces(8), 0)
    assert len(set(seeds)) == 4 and seeds[:2] == seeds[4:]


def test_the_averaged_inpainter_is_kept_and_fixed_networks_are_not(make, tmp_path):
    data = SyntheticDataModule(16, 32, n=40)
    assert fit(make(), data, tmp_path, kimg=0.32, device=torch.device("cpu"), precision="32-true",
               make_loggers=lambda: [], provenance={})  # fmt: skip
    names = {name.split(".")[0] for name in read_checkpoint(tmp_path / "last.ckpt")["state_dict"]}
    assert names == {"inpainter", "inpainter_ema", "discriminator", "penalty", "judged"}


def test_cut_off_and_resumed_is_bit_identical(make, tmp_path):
    def train(out, kimg):
        out.mkdir(exist_ok=True)
        fit(make(), SyntheticDataModule(16, 32, n=40, mirror=True), out, kimg=kimg, device=torch.device("cpu"),
            precision="32-true", make_loggers=lambda: [], provenance={})  # fmt: skip
        return read_checkpoint(out / "last.ckpt")["state_dict"]

    whole = train(tmp_path / "whole", 0.32)
    train(tmp_path / "parts", 0.208)
    parts = train(tmp_path / "parts", 0.32)
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)


def test_error_by_hand():
    real, hole = torch.zeros(2, 3, 2, 2), torch.zeros(2, 1, 2, 2)
    hole[:, :, 0] = 1
    pictures = real + 0.3
    pictures[1, :, 0] = 0.1
    assert error_in_hole(pictures, real, hole) == pytest.approx((0.3 + 0.1) / 2, abs=1e-3)


def test_error_of_means_by_hand():
    real, hole = torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    hole[..., :8, :8], hole[..., 8:, 8:12] = 1, 1  # one block and half of another
    texture = torch.where((torch.arange(16) % 2).bool(), 0.4, -0.4).expand_as(real)
    assert error_of_means(texture, real, hole) == pytest.approx(0, abs=2e-3)
    tint = torch.where(hole > 0, 0.2, 5.0).expand_as(real)
    assert error_of_means(tint + texture, real, hole) == pytest.approx(0.2, abs=1e-3)
    tint = tint.clone()
    tint[..., 8:, 8:12] = -0.5
    expected = ((0.2**2 + 0.5 * 0.5**2) / 1.5) ** 0.5
    assert error_of_means(tint, real, hole) == pytest.approx(expected, abs=1e-3)


def test_the_error_of_features_is_relative_and_counts_in_the_hole_alone():
    hole = torch.zeros(2, 1, 8, 8)
    hole[0, :, :4], hole[1, :, :, :2] = 1, 1
    wanted = [torch.full((2, 3, 8, 8), 0.5), torch.full((2, 6, 4, 4), -20.0)]
    first, second = wanted[0].clone(), wanted[1] * 1.5
    first[0, :, :4] = 0.4  # off by a fifth in the hole of the first picture
    first[0, :, 4:], first[1, :, :, 2:] = 9, 9
    assert error_of_features([first, second], wanted, hole) == pytest.approx(((0.2 + 0) / 2 + 0.5) / 2)
    assert error_of_features(wanted, wanted, hole) == 0


def test_features_are_matched_where_a_truth_is_known(make, by_itself, faces):
    module = by_itself(make(error_weight=0.0))
    module.images_seen = 160  # the discriminator's judgement has no weight yet, so only its features move the inpainter
    completed = []
    module.inpainter.register_forward_hook(
        lambda _, inputs, output: (output.retain_grad(), completed.append(output))[1]
    )
    module.training_step(faces(8), 0)
    rows = completed[0].grad.flatten(1).abs().sum(1)
    assert (rows[:6] > 0).all() and not rows[6:].any()


def test_the_rate_falls_in_both_parts():
    rates = [rate_at(seen, 10_000, 20_000) for seen in (0, 2000, 9999, 10_000, 15_000, 17_500, 20_000)]
    assert rates == pytest.approx([0.01, 0.92, 0.2, 0.2, 0.2, 0.11, 0.02], abs=0.01)


def test_the_rate_rises_at_the_start_also_without_a_regression():
    assert [rate_at(seen, 0, 20_000) for seen in (0, 1000, 2000)] == pytest.approx([0.002, 0.102, 0.2])


def test_a_model_without_an_encoder_is_refused(make, model):
    model.encoder = None
    with pytest.raises(UserError, match=r"no encoder.*train-encoder"):
        make()
