import numpy as np
import pytest
from PIL import Image

from ganfill.data.prepare import prepare
from ganfill.data.unfinished import Unfinished


def noise(seed, side=8):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def save(path, seed):
    """A picture of 8 pixels that is stored as it is when the resolution is 8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(seed)).save(path)
    return path


@pytest.fixture(name="save")
def _save():
    """Writes a picture of 8 pixels from a seed."""
    return save


@pytest.fixture
def folder(tmp_path):
    """Eleven files: seven pictures to train on, two to test, a duplicate and a text."""
    folder = tmp_path / "pictures"
    for number in (0, 1, 2, 3, 60000, 5, 6, 60001, 8):
        save(folder / f"{number:05}.png", number)
    save(folder / "00004.png", 1)
    (folder / "00007.png").write_text("no picture")
    return folder


@pytest.fixture(name="content")
def _content():
    """Reads a finished store."""
    return content


def content(out):
    """The bytes of a finished store; nothing else may be there, except the lock of a killed process."""
    assert {path.name for path in out.iterdir()} - {".lock"} == {"images.npy", "index.json"}
    return (out / "images.npy").read_bytes(), (out / "index.json").read_bytes()


@pytest.fixture
def settings():
    """Which of the folder's pictures are prepared how."""
    return {"resolution": 8, "split": "ffhq", "limit": 6}


@pytest.fixture
def cut_off(settings):
    """Makes a run that is interrupted when ``Unfinished.method`` has done its work ``after`` times."""

    def cut_off(sources, out, method, after):
        real, calls = getattr(Unfinished, method), []

        def interrupted(self, *arguments):
            calls.append(arguments)
            if len(calls) > after:
                raise KeyboardInterrupt
            return real(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Unfinished, method, interrupted)
            with pytest.raises(KeyboardInterrupt):
                prepare(sources, out, **settings)

    return cut_off
