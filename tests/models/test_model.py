import torch


def test_a_copy_on_another_device_shares_no_network_and_the_model_stays(model_with_encoder):
    networks = ("generator", "discriminator", "encoder")
    moved, same = model_with_encoder.to("meta"), model_with_encoder.to("cpu")
    assert moved.device.type == "meta" and moved.mean_picture.is_meta
    for name in networks:
        assert not any(p.is_meta for p in getattr(model_with_encoder, name).parameters())
        assert all(p.is_meta for p in getattr(moved, name).parameters())
        assert getattr(same, name) is not getattr(model_with_encoder, name)
    with torch.no_grad():
        before = [p.clone() for p in model_with_encoder.generator.parameters()]
        for p in same.generator.parameters():
            p.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(before, model_with_encoder.generator.parameters(), strict=True))


def test_a_model_without_an_encoder_is_copied_without_one(model):
    assert model.to("cpu").encoder is None


def test_the_representation_is_one_short_line(model):
    assert repr(model) == "Model(dcgan, resolution=32, latent=Uniform(dim=8), cpu)"


def test_the_representation_tells_of_an_encoder(model_with_encoder):
    assert repr(model_with_encoder) == "Model(dcgan, resolution=32, latent=Uniform(dim=8), encoder, cpu)"


def test_the_finest_pictures_are_the_upsamplers(model_with_upsampler):
    assert model_with_upsampler.finest_resolution == 64
    model_with_upsampler.upsampler = None
    assert model_with_upsampler.finest_resolution == 32
