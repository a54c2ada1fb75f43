import sys

import numpy as np
import pytest
import torch

from ganfill.errors import UserError
from ganfill.metrics.features import FeatureNetwork, extract, load_networks

CODE = '''
from __future__ import annotations
from dataclasses import dataclass
import torch
from torch import nn

@dataclass
class Size:
    width: int = 5

class Colours(nn.Module):
    """The mean of each channel, times a weight."""
    def __init__(self, weights):
        super().__init__()
        self.layer = nn.Linear(3, Size().width)
        self.drop = nn.Dropout(0.5)
        self.load_state_dict(torch.load(weights))

    def forward(self, images):
        assert images.dtype == torch.uint8
        return self.drop(self.layer(images.float().mean((2, 3))))

def plain(weights):
    return lambda images: images.float().mean((2, 3))

class Forgetful:
    def __init__(self):
        pass
'''


@pytest.fixture
def folder(tmp_path):
    """A folder with spaces, a comma and a colon in its name, with a network's code and weights."""
    folder = tmp_path / "my nets, v=1: ä.py"
    folder.mkdir()
    (folder / "net.py").write_text(CODE)
    weight = torch.arange(15.0).reshape(5, 3)
    torch.save({"layer.weight": weight, "layer.bias": torch.zeros(5)}, folder / "colour weights.pt")
    torch.save({"layer.weight": weight[:2]}, folder / "other.pt")
    return folder


def word(folder, name="colours", code="net.py", kind="Colours", weights="colour weights.pt"):
    return f"{name}={folder / code}:{kind}:{folder / weights}"


def pictures(n, size=8):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_a_network_is_loaded_from_paths_with_spaces_and_colons(folder):
    colours, plain = load_networks([word(folder), word(folder, "plain", kind="plain")])
    images = pictures(5)
    means = images.mean((1, 2))
    assert (colours.name, plain.name) == ("colours", "plain")
    assert np.allclose(extract(plain, images, "cpu"), means)
    assert np.allclose(extract(colours, images, "cpu"), means @ np.arange(15.0).reshape(5, 3).T, rtol=1e-5)


def test_loading_leaves_random_numbers_and_the_folder_alone(folder):
    before, files = torch.get_rng_state(), sorted(folder.iterdir())
    paths = list(sys.path)
    extract(load_networks([word(folder)])[0], pictures(2), "cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert sorted(folder.iterdir()) == files and sys.path == paths


def test_the_digest_changes_with_code_and_with_weights_and_not_with_the_name(folder):
    first = load_networks([word(folder)])[0].digest
    assert len(first) == 64 and load_networks([word(folder, "other")])[0].digest == first
    (folder / "net.py").write_text(CODE + "\n")
    second = load_networks([word(folder)])[0].digest
    torch.save({"layer.weight": torch.ones(5, 3), "layer.bias": torch.zeros(5)}, folder / "colour weights.pt")
    third = load_networks([word(folder)])[0].digest
    assert len({first, second, third}) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"code": "no.py"}, r"colours: its code .*no\.py cannot be read \(No such file"),
        ({"weights": "no.pt"}, r"colours: its weights .*no\.pt cannot be read \(No such file"),
        ({"weights": "."}, "its weights .* cannot be read"),
        ({"kind": "Shapes"}, r"colours: .*net\.py has no class Shapes"),
        ({"kind": "__name__"}, "has no class __name__"),
        (
            {"weights": "other.pt"},
            r"Colours of .*net\.py cannot be built with .*other\.pt \(Error.* loading state_dict",
        ),
        ({"weights": "net.py"}, r"cannot be built with .*net\.py \("),
        ({"kind": "Forgetful"}, r"Forgetful of .* cannot be built with .* \(.*takes 1 positional argument"),
        ({"name": "inception"}, "the name inception is reserved"),
        ({"name": "pixels"}, "the name pixels is reserved"),
        ({"name": "a b"}, "does not have the form NAME=FILE.py:CLASS:WEIGHTS"),
        ({"code": "net.txt"}, "does not have the form"),
        ({"kind": ""}, "does not have the form"),
    ],
)
def test_mistakes_are_reported_in_one_line_with_the_name(folder, changed, message):
    plain = folder.rename(folder.with_name("nets"))
    with pytest.raises(UserError, match=message) as caught:
        load_networks([word(plain, **changed)])
    assert "\n" not in str(caught.value)


def test_code_that_cannot_run_is_reported(folder):
    for code, message in [
        ("def", "invalid syntax"),
        ("import no_such_module", "no_such_module"),
        ("1 / 0", "division"),
    ]:
        (folder / "net.py").write_text(code)
        with pytest.raises(UserError, match=rf"colours: .*net\.py cannot be run \(.*{message}"):
            load_networks([word(folder)])


def test_no_two_networks_share_a_name(folder):
    with pytest.raises(UserError, match="colours is given twice"):
        load_networks([word(folder), word(folder, kind="plain")])
    assert load_networks([]) == []


def test_only_inception_gives_fid_and_kid():
    assert FeatureNetwork("face", torch.nn.Identity(), "").distance_names == ("fd_face", "kd_face")
    assert FeatureNetwork("inception", torch.nn.Identity(), "").distance_names == ("fid", "kid")


def test_features_are_taken_in_batches_from_a_memmap_as_well(tmp_path):
    images, seen, counts = pictures(150), [], []

    def network(batch):
        seen.append((batch.dtype, tuple(batch.shape)))
        return batch.flatten(1).float()

    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    features = extract(FeatureNetwork("flat", network, ""), mapped, "cpu", counts.append)
    assert features.dtype == np.float64
    assert (features == images.transpose(0, 3, 1, 2).reshape(150, -1)).all()
    assert seen == [(torch.uint8, (n, 3, 8, 8)) for n in (64, 64, 22)] and counts == [64, 64, 22]
    assert len(extract(FeatureNetwork("flat", network, ""), mapped[:0], "cpu")) == 0


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda batch: batch.float(), r"flat returns \(2, 3, 8, 8\) for 2 pictures"),
        (lambda batch: batch.float().mean((1, 2, 3)), r"flat returns \(2,\) for 2 pictures"),
        (lambda batch: batch.flatten(1).float()[:1], r"flat returns \(1, 192\) for 2 pictures"),
        (lambda batch: batch.flatten(1).float() * float("nan"), "flat returns values that are not finite"),
        (lambda batch: [batch], "flat returns list for 2 pictures"),
        (torch.nn.Conv2d(3, 3, 9), "flat fails on uint8 pictures .2, 3, 8, 8"),
    ],
)
def test_features_that_are_none_are_refused(network, message):
    with pytest.raises(UserError, match=message):
        extract(FeatureNetwork("flat", network, ""), pictures(2), "cpu")
