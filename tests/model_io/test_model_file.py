import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganfill.errors import UserError
from ganfill.model_io import model_file
from ganfill.models.inpainter import Inpainter
from ganfill.models.latent import Uniform


@pytest.fixture
def path(model_path):
    return model_path


def test_round_trip(path, model):
    loaded = model_file.load(path)
    z = model.latent.sample(3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.generator(z), model.generator(z))
    torch.testing.assert_close(loaded.discriminator(loaded.generator(z)), model.discriminator(model.generator(z)))
    assert loaded.latent == Uniform(8)
    assert loaded.logit_centre == 1.5
    assert torch.equal(loaded.mean_picture, model.mean_picture)
    assert loaded.card == model.card
    assert len(loaded.digest) == 64
    assert not loaded.generator.training
    assert not any(p.requires_grad for p in loaded.discriminator.parameters())


def test_saving_twice_gives_the_same_bytes(path, model, tmp_path):
    model_file.save(tmp_path / "again.safetensors", model)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_cut_short(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"model\.safetensors is not a model file or is truncated"):
        model_file.load(path)


def test_foreign_file(path):
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(UserError, match="not a model file of this version of ganfill"):
        model_file.load(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(UserError, match="not a model file"):
        model_file.load(path)


def test_one_changed_weight_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="was changed after it was written"):
        model_file.load(path)


def rewrite(path, change):
    """Changes the card and signs the file anew, as somebody with bad intentions could."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["ganfill"])
    change(header["card"])
    tensors = load_file(path)
    header["sha256"] = model_file._digest(header["card"], tensors)
    save_file(tensors, path, {"ganfill": json.dumps(header)})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("os.system", "not a class of ganfill.models"),
        ("ganfill.models.dcgan.initialize", "not of the right kind"),
        ("ganfill.models.dcgan.Nothing", "not of the right kind"),
        ("ganfill.models.nowhere.Generator", "No module named"),
        ("ganfill.models.latent.Normal", "not of the right kind"),
    ],
)
def test_only_networks_of_the_package_are_built(path, name, reason):
    rewrite(path, lambda card: card["generator"].update({"class": name}))
    with pytest.raises(UserError, match=reason):
        model_file.load(path)


def test_a_card_that_does_not_fit_the_tensors(path):
    rewrite(path, lambda card: card["generator"]["arguments"].update(width=8))
    with pytest.raises(UserError, match="does not fit this version"):
        model_file.load(path)


def test_unknown_name_lists_the_packaged_models(tmp_path):
    with pytest.raises(UserError, match=r"model=nothing: no such file.*packaged: "):
        model_file.load("nothing")


def test_half_a_file_is_half_the_size_and_nearly_the_same(path, model, tmp_path):
    model_file.save(tmp_path / "half.safetensors", model, half=True)
    loaded = model_file.load(tmp_path / "half.safetensors")
    z = model.latent.sample(3, torch.Generator().manual_seed(0))
    assert loaded.generator(z).dtype == torch.float32
    torch.testing.assert_close(loaded.generator(z), model.generator(z), atol=1e-3, rtol=0)
    assert torch.equal(loaded.mean_picture, model.mean_picture)
    weights = sum(p.numel() for net in (model.generator, model.discriminator) for p in net.parameters() if p.ndim > 1)
    saved = path.stat().st_size - (tmp_path / "half.safetensors").stat().st_size
    assert saved == pytest.approx(2 * weights, rel=0.05)


@pytest.mark.parametrize("half", [False, True])
def test_an_encoder_is_kept_where_there_is_one(model_with_encoder, tmp_path, half):
    model_file.save(tmp_path / "model.safetensors", model_with_encoder, half)
    loaded = model_file.load(tmp_path / "model.safetensors")
    assert loaded.encoder is not None and not loaded.encoder.training
    assert not any(p.requires_grad for p in loaded.encoder.parameters())
    generator = torch.Generator().manual_seed(0)
    image, known = torch.rand(2, 3, 32, 32, generator=generator), torch.ones(2, 1, 32, 32)
    z = loaded.encoder(image, known)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z, model_with_encoder.encoder(image, known), atol=5e-3 if half else 0, rtol=0)
    assert loaded.card == model_with_encoder.card and loaded.to("cpu").encoder is not None


@pytest.mark.parametrize("name", ["inpainter", "upsampler"])
def test_an_inpainter_and_an_upsampler_are_kept(model_with_upsampler, tmp_path, name):
    model_file.save(tmp_path / "model.safetensors", model_with_upsampler)
    loaded = model_file.load(tmp_path / "model.safetensors")
    network, before = getattr(loaded, name), getattr(model_with_upsampler, name)
    for key, value in before.state_dict().items():
        assert torch.equal(network.state_dict()[key], value)
    assert not network.training and getattr(loaded.to("cpu"), name) is not network and f"{name}, " in repr(loaded)


@pytest.mark.parametrize("resolution", [32, 48])
def test_an_upsampler_of_the_wrong_resolution_is_refused(model_with_upsampler, tmp_path, resolution):
    model_with_upsampler.upsampler = Inpainter(resolution, (8, 8), 1)
    model_with_upsampler.card["upsampler"]["arguments"]["resolution"] = resolution
    model_file.save(tmp_path / "model.safetensors", model_with_upsampler)
    with pytest.raises(
        UserError, match=f"upsampler is for {resolution} pixels, which is not a multiple of the model's 32"
    ):
        model_file.load(tmp_path / "model.safetensors")


def test_a_file_without_an_encoder_has_none(path):
    assert model_file.load(path).encoder is None and not [key for key in load_file(path) if key.startswith("encoder.")]


def test_an_encoder_of_the_card_without_its_weights_is_refused(path):
    part = {"class": "ganfill.models.encoder.Encoder", "arguments": {"resolution": 32, "latent_dim": 8, "width": 4}}
    rewrite(path, lambda card: card.update(encoder=part))
    with pytest.raises(UserError, match=r"does not fit this version of ganfill \(.*Encoder"):
        model_file.load(path)


def test_an_error_without_a_message_is_reported_by_its_type(path, monkeypatch):
    def fail(*arguments):
        raise ValueError

    monkeypatch.setattr(model_file, "build_part", fail)
    with pytest.raises(UserError, match=r"does not fit this version of ganfill \(ValueError\)"):
        model_file.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda card: card.update(resolution=65536),
            r"mean_picture has the shape \(3, 32, 32\), not \(3, 65536, 65536\)",
        ),
        (lambda card: card.update(resolution=-5), "resolution=-5, which must be a whole number from 4 to 65536"),
        (lambda card: card.update(resolution="32"), "resolution='32', which must be a whole number"),
        (lambda card: card.update(resolution=True), "resolution=True, which must be a whole number"),
        (lambda card: card["latent"]["arguments"].update(dim=10**12), r"latent\.dim=1000000000000, which must be"),
        (lambda card: card["latent"]["arguments"].update(dim=9), "does not fit this version"),
        (lambda card: card["latent"]["arguments"].clear(), "lacks 'dim'"),
        (lambda card: card["generator"]["arguments"].update(width=20_000), r"does not fit .*generator\..* by the card"),
        (
            lambda card: card["generator"]["arguments"].update(width=10**9),
            r"generator\.width=1000000000, which must be",
        ),
        (
            lambda card: card["generator"]["arguments"].update(width=float("nan")),
            r"generator\.width=nan, which",
        ),
        (
            lambda card: card["generator"]["arguments"].update(resolution=64),
            r"does not fit .*generator\..* by the card",
        ),
        (lambda card: card["discriminator"].update(arguments=[]), "does not fit this version"),
        (lambda card: card.update(generator=None), "does not fit this version"),
        (lambda card: card.update(kimg="many"), "kimg='many', which is of the wrong type"),
        (lambda card: card.update(terms=3), "terms=3, which is of the wrong type"),
        (lambda card: card.pop("resolution"), "lacks 'resolution'"),
        (lambda card: card.pop("latent"), "lacks 'latent'"),
        (lambda card: card["latent"].pop("class"), "lacks 'class'"),
    ],
)
def test_every_field_of_a_card_is_checked(path, change, message):
    rewrite(path, change)
    with pytest.raises(UserError, match=message) as caught:
        model_file.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_nothing_is_allocated_for_a_card_that_claims_too_much(path, monkeypatch):
    rewrite(path, lambda card: card["generator"]["arguments"].update(width=20_000))
    built, build_part = [], model_file.build_part

    def build(part, kinds):
        built.append(build_part(part, kinds))
        return built[-1]

    monkeypatch.setattr(model_file, "build_part", build)
    with pytest.raises(UserError, match="does not fit"):
        model_file.load(path)
    assert [next(network.parameters()).device.type for network in built] == ["meta"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["generator.to_rgb.0.weight", "mean_picture", "logit_centre"])
def test_weights_that_are_not_finite_are_refused(path, model, name, value):
    if name == "logit_centre":
        model.logit_centre = value
    else:
        (model.mean_picture if name == "mean_picture" else model.generator.to_rgb[0].weight).data.view(-1)[3] = value
    model_file.save(path, model)
    with pytest.raises(UserError, match=f"{name} holds NaN or infinite values"):
        model_file.load(path)


def test_a_header_that_is_nested_too_deeply(path):
    save_file({"a": torch.zeros(1)}, path, {"ganfill": "[" * 100_000})
    with pytest.raises(UserError, match="not a model file of this version"):
        model_file.load(path)
