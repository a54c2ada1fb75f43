import pytest
import torch
from torch import nn

from ganfill.errors import UserError
from ganfill.models import dcgan_plus, stylegan2
from ganfill.models.encoder import Encoder
from ganfill.models.inpainter import Inpainter
from ganfill.training.warm_start import warm_start


def network(last):
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, last))


def test_what_fits_is_taken_over_and_the_rest_is_named(caplog):
    torch.manual_seed(0)
    source, new = network(4), network(5)
    with torch.no_grad():
        source[1].running_mean.fill_(7)
    before = new[2].weight.clone()
    taken, left = warm_start(new, source, "encoder")
    assert left == ["2.weight", "2.bias"] and "0.weight" in taken and "1.running_mean" in taken
    assert torch.equal(new[0].weight, source[0].weight) and (new[1].running_mean == 7).all()
    assert torch.equal(new[2].weight, before)
    assert caplog.messages == ["encoder: 7 of 9 tensors taken over; new: 2.weight, 2.bias"]


def test_the_source_stays_and_shares_nothing():
    source, new = network(4), network(4)
    warm_start(new, source, "encoder")
    with torch.no_grad():
        new[0].weight.add_(1)
    assert not torch.equal(new[0].weight, source[0].weight)


def test_stages_numbered_from_the_picture_on_are_matched_from_the_other_end():
    source, grown = dcgan_plus.Discriminator(32, 8), dcgan_plus.Discriminator(128, 2)
    taken, left = warm_start(grown, source, "discriminator", from_input=True)
    assert left == [f"stages.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")][:5]
    assert taken == [
        *("stages.4.bias", "stages.6.weight", "stages.6.bias", "stages.8.weight", "stages.8.bias"),
        *("to_logit.weight", "to_logit.bias"),
    ]
    assert torch.equal(grown.stages[4].bias, source.stages[0].bias)
    assert torch.equal(grown.stages[8].weight, source.stages[4].weight)
    assert torch.equal(grown.to_logit.weight, source.to_logit.weight)


def test_the_blocks_of_a_stylegan2_are_matched_from_the_other_end():
    source, grown = stylegan2.Discriminator(32, 16, 256), stylegan2.Discriminator(64, 16, 256)
    _, left = warm_start(grown, source, "discriminator", from_input=True)
    assert {key.rpartition(".")[0] for key in left} == {
        *("from_rgb", "blocks.0.convolutions.0", "blocks.0.convolutions.1", "blocks.0.skip")
    }
    assert torch.equal(grown.blocks[3].skip.weight, source.blocks[2].skip.weight)


def test_an_encoder_and_an_inpainter_of_more_pixels_take_over_all_inner_layers():
    source, grown = Encoder(32, 8, 16), Encoder(64, 8, 8)
    _, left = warm_start(grown, source, "encoder", from_input=True)
    assert {key.rpartition(".")[0] for key in left if ".convolutions." not in key} == {
        f"stages.{i}" for i in (0, 1, 3, 4)
    }
    assert torch.equal(grown.stages[7].weight, source.stages[3].weight)
    inner, outer = Inpainter(32, (8, 12), 1), Inpainter(64, (4, 8, 12), 1)
    _, left = warm_start(outer, inner, "inpainter", from_input=True)
    assert {".".join(key.split(".")[:2]) for key in left} == {
        *("from_pixels.weight", "from_pixels.bias", "to_pixels.weight"),
        *("encoder.0", "decoder.0", "down.0", "up.0", "skip.0"),
    }
    assert torch.equal(outer.down[1].weight, inner.down[0].weight)


def test_a_source_of_which_nothing_fits_is_refused():
    with pytest.raises(UserError, match="no tensor of the encoder of init fits: give a model of the same architecture"):
        warm_start(nn.Linear(2, 3), nn.Linear(4, 5), "encoder")
