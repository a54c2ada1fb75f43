import pytest

from ganfill.runs.config_diff import differences, without_seed


def _config(loss="Hinge", model="dcgan", seed=0, lr=2e-4, discriminator_lr=None, out="runs/a", **more):
    return {
        "data": {"_target_": "ganfill.training.datamodule.FFHQDataModule", "path": "data/faces", "seed": seed},
        "model": {
            part: {"_target_": f"ganfill.models.{model}.{part.title()}", "width": len(model)}
            for part in ("generator", "discriminator")
        },
        "latent": {"_target_": "ganfill.models.latent.Normal", "dim": 100},
        "loss": {"_target_": f"ganfill.adversarial.losses.{loss}"},
        "optimizer": {"generator": {"lr": lr}, "discriminator": {"lr": discriminator_lr or lr}},
        "logger": {"name": out},
        "out": out,
        "kimg": 100,
        "seed": seed,
        "gan": {"_target_": "ganfill.training.gan.GAN", "seed": seed},
    } | more


def test_parts_are_named_by_class_or_module_and_what_follows_from_them_is_left_out():
    configs = [_config(loss, model) for loss in ("Hinge", "Minimax") for model in ("dcgan", "r3")]
    assert differences(configs) == [
        {"model": model, "loss": loss} for loss in ("Hinge", "Minimax") for model in ("dcgan", "r3")
    ]


def test_the_seed_is_named_once_and_last():
    assert [list(its.items()) for its in differences([_config(seed=0), _config(seed=1, loss="Minimax")])] == [
        [("loss", "Hinge"), ("seed", 0)],
        [("loss", "Minimax"), ("seed", 1)],
    ]


def test_rates_that_go_together_are_one_setting_and_others_two():
    assert differences([_config(lr=1e-4), _config(lr=2e-4)]) == [{"lr": 1e-4}, {"lr": 2e-4}]
    assert differences([_config(lr=1e-4, discriminator_lr=4e-4), _config(lr=1e-4, discriminator_lr=2e-4)]) == [
        {"optimizer.discriminator.lr": 4e-4},
        {"optimizer.discriminator.lr": 2e-4},
    ]
    both = differences([_config(lr=1e-4, discriminator_lr=4e-4), _config(lr=2e-4, discriminator_lr=2e-4)])
    assert both[0] == {"optimizer.generator.lr": 1e-4, "optimizer.discriminator.lr": 4e-4}


def test_a_part_that_is_switched_off_is_none_and_lacks_its_settings():
    r1 = "ganfill.adversarial.regularizers.R1"
    parts = [{}, {"_target_": r1, "gamma": 1.0}, {"_target_": r1, "gamma": 10}]
    assert differences([_config(regularizer=part) for part in parts]) == [
        {"regularizer": "none"},
        {"regularizer": "R1", "regularizer.gamma": 1},
        {"regularizer": "R1", "regularizer.gamma": 10},
    ]


def test_generator_and_discriminator_of_different_families():
    mixed = _config()
    mixed["model"]["discriminator"]["_target_"] = "ganfill.models.r3.Discriminator"
    assert differences([_config(), mixed]) == [{"model.discriminator": "dcgan"}, {"model.discriminator": "r3"}]


def test_classes_of_one_name_are_named_by_their_whole_path():
    optimizers = [{"_target_": f"{module}.Adam"} for module in ("torch.optim", "ganfill.adversarial")]
    names = [its["sharpness"] for its in differences([_config(sharpness=its) for its in optimizers])]
    assert names == ["torch.optim.Adam", "ganfill.adversarial.Adam"]


def test_places_loggers_and_lengths_make_no_difference():
    moved = _config(out="runs/b", kimg=200, device="cuda", terms="x", store="runs/b/store")
    moved["data"]["path"] = "/elsewhere/faces"
    assert differences([_config(device="cpu", store="runs/a/store"), moved]) == [{}, {}]
    moved["data"]["path"] = "data/birds"
    assert differences([_config(device="cpu"), moved | {"store": None}])[1] == {"data.path": "birds"}


def test_values_as_people_write_them():
    first, second = _config(mirror=True, betas=[0.5, 0.99], note=None), _config(mirror=False, betas=[0, 0.9], note="x")
    assert differences([first, second]) == [
        {"mirror": "true", "betas": "0.5, 0.99", "note": "none"},
        {"mirror": "false", "betas": "0, 0.9", "note": "x"},
    ]


@pytest.mark.parametrize("unknown", [0, 1, 2])
def test_what_is_not_known_has_no_settings(unknown):
    configs = [_config(), _config("Minimax")]
    configs.insert(unknown, None)
    settings = differences(configs)
    assert settings.pop(unknown) == {} and settings == [{"loss": "Hinge"}, {"loss": "Minimax"}]
    assert differences([]) == [] and differences([None]) == [{}] and differences([_config()]) == [{}]


def test_two_trainings_that_differ_in_the_seed_alone():
    assert without_seed(_config(seed=0)) == without_seed(_config(seed=1, out="runs/b"))
    assert without_seed(_config(seed=0)) != without_seed(_config(seed=0, lr=1e-4))
    assert without_seed(_config(kimg=50)) != without_seed(_config())


def test_a_target_that_is_no_text_is_a_setting_like_others():
    runs = [{"loss": {"_target_": target}} for target in (["x"], {"a": 1}, 5, None, "a.Hinge")]
    assert [settings["loss"] for settings in differences(runs)][2:] == ["5", "none", "Hinge"]
