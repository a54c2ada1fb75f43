import torch

from ganfill.training.callbacks.collapse import Collapse
from ganfill.training.datamodule import SyntheticDataModule
from ganfill.training.fit import fit

# logit_real, logit_fake, gradient_g of the first 12 kimg of experiments/results/student_pilots.csv.
STALLED = [
    *((7.48386, -9.1936, 0.0136626), (10.3267, -15.1436, 0.000196816), (10.8121, -21.6104, 4.26961e-06)),
    *((12.5811, -21.1167, 8.65973e-07), (12.9484, -20.8071, 1.95477e-06), (12.8871, -20.5425, 1.29933e-06)),
    *((13.509, -20.2002, 2.06954e-06), (13.053, -20.2549, 9.0776e-07), (13.9554, -20.1016, 2.20384e-06)),
    *((14.6357, -19.9312, 9.33684e-06), (14.9937, -19.5942, 5.04632e-06), (14.7236, -19.688, 2.42528e-06)),
]
HEALTHY = [
    *((6.23386, -8.09692, 55.7928), (7.30186, -10.4607, 63.3372), (8.41962, -10.915, 75.8784)),
    *((8.92982, -19.0034, 64.6182), (7.38065, -10.7664, 75.2345), (5.61538, -13.1982, 79.7834)),
    *((12.3822, -29.9854, 52.0523), (1.98364, -29.7412, 64.3909), (8.0173, -10.9751, 92.5613)),
    *((7.65952, -10.4932, 90.2435), (8.78024, -13.8096, 62.4005), (-0.253645, -25.752, 49.8088)),
]
# Diversity of the sample grids, every 10 kimg, of the same two trainings, and the last of the long one.
STALLED_DIVERSITY = [0.006, 0.221, 0.221, 0.222]
HEALTHY_DIVERSITY = [0.006, 0.163, 0.414, 0.474, 0.525, 0.625, 0.684, 0.712, 0.752, 0.736, 0.778, 0.839, 0.884]
HEALTHY_LATER = [1.012, 0.966, 0.906, 0.930, 0.875, 0.764]


def warnings(caplog):
    return [record.message for record in caplog.records if record.name == "ganfill.training.callbacks.collapse"]


def test_the_stalled_training_causes_one_early_warning(caplog):
    callback = Collapse(10)
    moments = []
    for kimg, (real, fake, gradient) in enumerate(STALLED, 1):
        callback.judge_game(kimg, logit_real=real, logit_fake=fake, gradient_g=gradient, loss_d=0.1, penalty=0.0)
        moments.append(len(warnings(caplog)))
    assert moments == [0] * 4 + [1] * 8
    (message,) = warnings(caplog)
    assert message.startswith("at 5 kimg the discriminator is sure of every fake")
    assert "loss=non_saturating" in message and "\n" not in message


def test_the_healthy_training_raises_no_alarm(caplog):
    callback = Collapse(10)
    for kimg, (real, fake, gradient) in enumerate(HEALTHY, 1):
        callback.judge_game(kimg, real, fake, gradient)
    for index, diversity in enumerate(HEALTHY_DIVERSITY + HEALTHY_LATER):
        callback.judge_diversity(10 * index, diversity)
    assert not warnings(caplog)


def test_each_cause_gives_one_warning_with_its_remedy(caplog):
    callback = Collapse(10)
    for index, value in enumerate([*STALLED_DIVERSITY, 0.222, 0.222]):
        callback.judge_diversity(10 * index, value)
    (message,) = warnings(caplog)
    assert message.startswith("at 30 kimg the generator draws much the same picture")
    assert "0.22 times" in message and "augment=diffaugment" in message


def test_values_that_are_not_finite_are_passed_over(caplog):
    callback = Collapse(10)
    for kimg, (real, fake, gradient) in enumerate(STALLED[1:5], 1):
        callback.judge_game(kimg, real, fake, gradient)
        callback.judge_game(kimg, float("nan"), fake, float("inf"))
    assert not warnings(caplog)
    callback.judge_game(5, *STALLED[5])
    assert len(warnings(caplog)) == 1


def test_in_a_training_it_looks_at_measures_and_samples(tmp_path, make_gan, monkeypatch, caplog):
    monkeypatch.setattr("ganfill.metrics.collapse.PATIENCE_KIMG", 0.1)
    gan = make_gan()
    # A generator that has forgotten z, and a discriminator that is sure.
    gan.generator_ema.forward = lambda z: torch.zeros(len(z), 3, 32, 32)
    monkeypatch.setattr("ganfill.metrics.collapse.GAP", -100.0)
    monkeypatch.setattr("ganfill.metrics.collapse.GRADIENT", 1e6)
    callback = Collapse(0.064)
    fit(
        gan,
        SyntheticDataModule(16, 32, n=40),
        tmp_path,
        kimg=0.4,
        device=torch.device("cpu"),
        precision="32-true",
        make_loggers=list,
        provenance={},
        callbacks=[callback],
    )
    assert [round(kimg, 3) for kimg, _ in callback.diversity] == [0.064, 0.128, 0.192, 0.256, 0.320, 0.384]
    assert {value for _, value in callback.diversity} == {0.0}
    assert sorted(message.split(" kimg the ")[1].split()[0] for message in warnings(caplog)) == [
        "discriminator",
        "generator",
    ]
    assert len(callback.game) == 5 and callback.game[-1][2] > 0
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["callbacks"] == {}


def test_pictures_that_are_all_alike_are_not_compared_with(tmp_path, make_gan, monkeypatch):
    data = SyntheticDataModule(16, 32, n=1)
    callback = Collapse(0.016)
    fit(
        make_gan(),
        data,
        tmp_path,
        kimg=0.032,
        device=torch.device("cpu"),
        precision="32-true",
        make_loggers=list,
        provenance={},
        callbacks=[callback],
    )
    assert callback.real_spread == 0 and not callback.diversity
