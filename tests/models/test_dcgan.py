import pytest
import torch

from ganfill.models.dcgan import Discriminator, Generator, stage_widths


@pytest.mark.parametrize(
    ("resolution", "widths"),
    [
        (32, [256, 128, 64]),
        (64, [512, 256, 128, 64]),
        (128, [512, 512, 256, 128, 64]),
        (256, [512, 512, 512, 256, 128, 64]),
    ],
)
def test_widths_double_towards_4x4_up_to_512(resolution, widths):
    assert stage_widths(resolution, 64) == widths


def test_parameter_counts_of_pytorchs_example_at_64():
    generator, discriminator = Generator(), Discriminator()
    assert sum(p.numel() for p in generator.parameters()) == 3_576_704
    assert sum(p.numel() for p in discriminator.parameters()) == 2_765_568


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
def test_shapes_range_and_gradients(resolution):
    torch.manual_seed(0)
    generator, discriminator = Generator(resolution, 8, 4), Discriminator(resolution, 4)
    images = generator(torch.randn(2, 8))
    logits = discriminator(images)
    assert images.shape == (2, 3, resolution, resolution)
    assert images.abs().max() <= 1
    assert logits.shape == (2,)
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())


def test_initialized_as_in_the_paper():
    torch.manual_seed(0)
    generator = Generator()
    convolution, norm = generator.stages[1][0].requires_grad_(False), generator.stages[0][1].requires_grad_(False)
    assert convolution.weight.std() == pytest.approx(0.02, rel=0.01)
    assert norm.weight.mean() == pytest.approx(1, abs=0.01)
    assert norm.weight.std() == pytest.approx(0.02, rel=0.2)
    assert not norm.bias.any()


def test_state_dict_keys_are_frozen():
    keys = list(Generator(32, 8, 4).state_dict())
    assert keys[:2] == ["stages.0.0.weight", "stages.0.1.weight"]
    assert keys[-1] == "to_rgb.0.weight"
    assert next(iter(Discriminator(32, 4).state_dict())) == "stages.0.0.weight"
    assert list(Discriminator(32, 4).state_dict())[-1] == "to_logit.weight"


def test_evaluated_networks_treat_pictures_one_by_one():
    torch.manual_seed(0)
    generator, discriminator = Generator(32, 8, 4).eval(), Discriminator(32, 4).eval()
    z = torch.randn(4, 8)
    images = generator(z)
    torch.testing.assert_close(generator(z[:1]), images[:1])
    torch.testing.assert_close(discriminator(images[:1]), discriminator(images)[:1])


def test_other_resolutions_are_refused():
    with pytest.raises(ValueError, match="48"):
        Generator(48)


@pytest.mark.parametrize("resolution", [32, 64])
def test_the_generator_can_be_taken_apart_at_any_stage(resolution):
    torch.manual_seed(0)
    generator = Generator(resolution, 8, 4).eval()
    z = torch.randn(2, 8)
    images = generator(z)
    levels = range(len(generator.stages) + 1)
    for level in levels:
        features = generator.forward_until(z, level)
        assert features.shape[2:] == ((1, 1) if level == 0 else (2 ** (level + 1),) * 2)
        assert torch.equal(generator.forward_from(features, level), images)
    assert torch.equal(generator.forward_until(z, 0).flatten(1), z)


def test_the_discriminators_features_are_what_its_last_layer_sees():
    torch.manual_seed(0)
    discriminator = Discriminator(32, 4).eval()
    images = torch.rand(3, 3, 32, 32)
    features = discriminator.features(images)
    assert features.shape == (3, 16, 4, 4)
    assert torch.equal(discriminator.to_logit(features).flatten(), discriminator(images))
