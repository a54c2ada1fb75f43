import hashlib
import socket
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

from ganfill.errors import UserError
from ganfill.metrics import pretrained
from ganfill.metrics.pretrained import Skipped, inception, lpips


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """An empty cache of torch's hub; network requests fail and are recorded."""
    attempts = []

    def refuse(*arguments, **options):
        attempts.append(arguments)
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    yield
    assert not attempts


@pytest.fixture(scope="module")
def backbone():
    """AlexNet's convolutions with random weights, in evaluation."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torchvision.models.alexnet(weights=None).features.requires_grad_(False).eval()


@pytest.fixture
def alexnet(tmp_path, backbone, monkeypatch):
    """Their file, passing for the published one."""
    path = tmp_path / "my alexnet.pth"
    torch.save({f"features.{name}": value for name, value in backbone.state_dict().items()}, path)
    pass_for(path, "ALEXNET_FILE", monkeypatch)
    return path


def pass_for(path, constant, monkeypatch):
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(pretrained, constant, f"some-net-{digits}.pth")


def pictures(n, size=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_lpips_is_that_of_torchmetrics(alexnet, backbone, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torchvision.models, "alexnet", lambda weights=None: SimpleNamespace(features=backbone))
        theirs = LearnedPerceptualImagePatchSimilarity(net_type="alex", reduction="none")
    a, b = pictures(3), pictures(3, seed=1)
    floats = [torch.from_numpy(part).permute(0, 3, 1, 2).float() / 127.5 - 1 for part in (a, b)]
    expected = theirs(*floats).numpy()
    found = lpips(str(alexnet))(a, b)
    assert found.shape == (3,) and found.dtype == np.float64 and (found > 0).all()
    assert np.allclose(found, expected, rtol=1e-4)


def test_lpips_of_equal_pictures_is_zero_and_of_none_is_none(alexnet, monkeypatch):
    monkeypatch.setattr(pretrained, "BATCH", 2)
    measure = lpips(str(alexnet))
    a, b = pictures(5, 32), pictures(5, 32, seed=1)
    b[3] = a[3]
    found = measure(a, b)
    assert found[3] == 0 and (np.delete(found, 3) > 0).all()
    assert np.allclose(measure(a[4:], b[4:]), found[4:])
    assert measure(a[:0], b[:0]).shape == (0,)
    with pytest.raises(ValueError, match="equal shapes"):
        measure(a, b[:4])


def test_lpips_finds_its_weights_in_the_cache_of_torch_hub(alexnet, tmp_path):
    cache = tmp_path / "home/hub/checkpoints"
    cache.mkdir(parents=True)
    alexnet.rename(cache / pretrained.ALEXNET_FILE)
    before = torch.get_rng_state()
    assert callable(lpips())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("find", "file"), [(lpips, "alexnet-owt-7be5be79"), (inception, "weights-inception-2015-12-05")]
)
def test_without_weights_it_is_skipped_with_the_reason_and_nothing_is_fetched_or_made(find, file, tmp_path):
    skipped = find()
    assert isinstance(skipped, Skipped)
    assert file in skipped.reason and "nothing is downloaded" in skipped.reason and "\n" not in skipped.reason
    assert str(tmp_path) not in skipped.reason
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("find", [lpips, inception])
def test_weights_that_are_given_must_be_there_and_be_the_published_ones(find, tmp_path):
    with pytest.raises(UserError, match=r"no\.pth cannot be read \(No such file"):
        find(str(tmp_path / "no.pth"))
    with pytest.raises(UserError, match="cannot be read"):
        find(str(tmp_path))
    (tmp_path / "other.pth").write_bytes(b"weights")
    with pytest.raises(
        UserError, match=r"other\.pth is not the published .*its SHA-256 does not begin with [0-9a-f]{8}"
    ):
        find(str(tmp_path / "other.pth"))


def test_a_spoilt_file_in_the_cache_is_skipped(tmp_path):
    cache = tmp_path / "home/hub/checkpoints"
    cache.mkdir(parents=True)
    (cache / pretrained.ALEXNET_FILE).write_bytes(b"cut short")
    assert "does not begin with 7be5be79" in lpips().reason


@pytest.fixture
def inception_file(tmp_path, monkeypatch):
    path = tmp_path / "inception.pth"
    path.write_bytes(b"weights of Inception")
    pass_for(path, "INCEPTION_FILE", monkeypatch)
    return path


def test_inception_without_torch_fidelity_is_skipped_with_the_remedy(inception_file, monkeypatch):
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    assert "pip install torch-fidelity" in inception(str(inception_file)).reason


def test_inception_is_torchmetrics_own_network_with_the_given_file(inception_file, monkeypatch):
    made = []

    class Network(torch.nn.Linear):
        def __init__(self, name, features, path):
            super().__init__(3, 3)
            made.append((features, path))

    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Network)
    before = torch.get_rng_state()
    network = inception(str(inception_file))
    assert made == [(["2048"], str(inception_file))]
    assert network.distance_names == ("fid", "kid") and len(network.digest) == 64
    assert torch.equal(torch.get_rng_state(), before)
