import pytest
import torch

from ganfill.models.encoder import Encoder


@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_shapes_and_gradients(resolution):
    torch.manual_seed(0)
    encoder = Encoder(resolution, 8, 4)
    known = (torch.rand(2, 1, resolution, resolution) > 0.3).float()
    z = encoder((torch.rand(2, 3, resolution, resolution) * 2 - 1) * known, known)
    assert z.shape == (2, 8) and z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in encoder.parameters())


def test_parameters_at_64_are_frozen():
    assert sum(p.numel() for p in Encoder().parameters()) == 2_997_892


def test_it_sees_which_pixels_are_known():
    torch.manual_seed(0)
    encoder, black = Encoder(32, 8, 4).eval(), torch.zeros(1, 3, 32, 32)
    assert not torch.allclose(encoder(black, torch.ones(1, 1, 32, 32)), encoder(black, torch.zeros(1, 1, 32, 32)))


def test_evaluated_it_takes_pictures_one_by_one():
    torch.manual_seed(0)
    encoder = Encoder(32, 8, 4).eval()
    image, known = torch.rand(4, 3, 32, 32), torch.ones(4, 1, 32, 32)
    torch.testing.assert_close(encoder(image[:1], known[:1]), encoder(image, known)[:1])


def test_guesses_of_an_untrained_encoder_are_as_large_as_draws_from_the_prior():
    torch.manual_seed(0)
    encoder = Encoder()
    with torch.no_grad():
        z = encoder(torch.rand(8, 3, 64, 64) * 2 - 1, torch.ones(8, 1, 64, 64))
    assert 0.2 < z.std() < 2


def test_other_resolutions_are_refused():
    with pytest.raises(ValueError, match="48"):
        Encoder(48)


def test_state_dict_keys_are_frozen():
    keys = list(Encoder(64, 8, 4).state_dict())
    assert keys[0] == "stages.0.weight" and keys[-2:] == ["to_latent.weight", "to_latent.bias"]
    assert "stages.6.convolutions.0.weight" in keys and "stages.10.convolutions.4.weight" in keys
