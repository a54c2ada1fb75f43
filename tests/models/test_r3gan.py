import pytest
import torch

from ganfill.models.r3gan import GAIN, Block, Discriminator, End, Generator, Start, stage_widths


@pytest.mark.parametrize(
    ("resolution", "widths"),
    [
        (32, [768] * 4),
        (64, [768, 768, 768, 768, 384]),
        (128, [768, 768, 768, 768, 384, 192]),
        (256, [768, 768, 768, 768, 384, 192, 96]),
    ],
)
def test_widths_halve_from_64_on(resolution, widths):
    assert stage_widths(resolution, 768) == widths


@pytest.mark.parametrize(("resolution", "width", "unit"), [(32, 12, 8), (64, 24, 16), (128, 48, 32), (256, 0, 64)])
def test_widths_without_whole_groups_are_refused(resolution, width, unit):
    with pytest.raises(ValueError, match=f"multiple of {unit} for {resolution} pixels, got {width}"):
        Generator(resolution, 8, width)
    assert stage_widths(resolution, unit)[-1] == 8


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_of_the_papers_ffhq_64():
    """22.4 million each, as published."""
    with torch.device("meta"):
        assert (count(Generator()), count(Discriminator())) == (22_429_824, 22_381_440)
    block = 768 * 1536 * 2 + 1536 * 16 * 9 + 2 * 1536
    half = 384 * 768 * 2 + 768 * 16 * 9 + 2 * 768
    assert 8 * block + 2 * half + 768 * 384 + 3 * 384 + 16 * 768 + 768 == 22_381_440


def test_state_dict_keys_are_frozen():
    block = ["expand.weight", "expand.bias", "mix.weight", "mix.bias", "reduce.weight"]
    wanted = ["stages.0.0.basis", "stages.0.0.linear.weight"]
    for stage, first in ((0, 1), (1, 1), (2, 1), (3, 1)):
        wanted += [f"stages.{stage}.{first + i}.{key}" for i in range(2) for key in block]
    wanted += ["stages.4.0.weight"] + [f"stages.4.{2 + i}.{key}" for i in range(2) for key in block]
    assert list(Generator(64, 8, 16).state_dict()) == [*wanted, "to_rgb.weight"]
    wanted = ["from_rgb.weight"]
    for stage in range(5):
        wanted += [f"stages.{stage}.{i}.{key}" for i in range(2) for key in block]
        wanted += ["stages.0.3.weight"] if stage == 0 else []
    assert list(Discriminator(64, 16).state_dict()) == [*wanted, "to_logit.basis", "to_logit.linear"]


def test_groups_have_16_channels():
    for block in Generator(64, 8, 64).modules():
        if isinstance(block, Block):
            assert block.mix.weight.shape[1] == 16 and block.mix.out_channels == 2 * block.expand.in_channels


def test_blocks_begin_as_the_identity_with_weights_by_fan_in():
    torch.manual_seed(0)
    block, features = Block(128, depth=10).requires_grad_(False), torch.randn(2, 128, 4, 4)
    assert torch.equal(block(features), features)
    assert block.expand.weight.std() == pytest.approx(GAIN * 10**-0.25 / 128**0.5, rel=0.01)
    assert block.mix.weight.std() == pytest.approx(GAIN * 10**-0.25 / 144**0.5, rel=0.01)
    assert not block.expand.bias.any() and not block.mix.bias.any() and not block.reduce.weight.any()
    assert pytest.approx((2 / 1.04) ** 0.5) == GAIN


def test_the_ends():
    torch.manual_seed(0)
    start, end = Start(4, 6), End(6)
    z = torch.randn(3, 4)
    features = start(z)
    torch.testing.assert_close(features[1, 2], start.basis[0, 2] * (start.linear.weight[2] @ z[1]))
    depthwise = torch.nn.functional.conv2d(features, end.basis.transpose(0, 1), groups=6)
    torch.testing.assert_close(end(features), depthwise.flatten(1) @ end.linear)
    with torch.autocast("cpu", torch.bfloat16):
        assert end(features.bfloat16()).dtype == torch.float32


def test_statistics_of_untrained_networks():
    torch.manual_seed(0)
    generator, discriminator = Generator(32, 64, 64, 1), Discriminator(32, 64, 1)
    images = generator(torch.randn(64, 64))
    assert images.shape == (64, 3, 32, 32) and abs(images.mean()) < 0.2 and 0.3 < images.std() < 1.5
    logits = discriminator(torch.rand(64, 3, 32, 32) * 2 - 1)
    assert 0.01 < logits.std() < 2
