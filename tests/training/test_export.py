import pytest
import torch

from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.training.export import to_model
from ganfill.training.run_directory import read_checkpoint


def node(target, **arguments):
    return {"_target_": f"ganfill.models.{target}", **arguments}


@pytest.fixture
def checkpoint(tmp_path, train):
    config = {
        "out": str(tmp_path),
        "model": {
            "generator": node("dcgan.Generator", resolution=32, latent_dim=16, width=8),
            "discriminator": node("dcgan.Discriminator", resolution=32, width=8),
        },
        "latent": node("latent.Normal", dim=16),
        "data": {"path": "somewhere/private", "mirror": True},
        "resolution": 32,
        "terms": "none",
    }
    provenance = {"config": config, "commit": None, "versions": {"torch": "2.14"}, "precision": "32-true"}
    gan, _ = train(tmp_path, 0.2, provenance=provenance)
    return gan, read_checkpoint(tmp_path / "last.ckpt")


def test_the_averaged_generator_and_the_provenance_are_exported(checkpoint, tmp_path):
    gan, saved = checkpoint
    model_file.save(tmp_path / "model.safetensors", to_model(saved))
    model = model_file.load(tmp_path / "model.safetensors")
    z = model.latent.sample(3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.generator(z), gan.generator_ema(z))
    assert model.logit_centre == pytest.approx(float(gan.logit_centre))
    assert torch.equal(model.mean_picture, gan.mean_picture)
    assert model.card["kimg"] == 0.208
    assert model.card["pictures"] == 40
    assert model.card["config"]["data"] == {"mirror": True}
    assert str(tmp_path) not in str(model.card)


def test_a_checkpoint_of_another_architecture_is_refused(checkpoint):
    _, saved = checkpoint
    saved["ganfill"]["config"]["model"]["generator"]["width"] = 4
    with pytest.raises(UserError, match="does not hold what its configuration names"):
        to_model(saved)


def test_an_error_without_a_text_is_named(checkpoint, monkeypatch):
    def build_part(*_):
        raise ValueError

    monkeypatch.setattr("ganfill.training.export.build_part", build_part)
    with pytest.raises(UserError, match=r"\(ValueError\)"):
        to_model(checkpoint[1])
