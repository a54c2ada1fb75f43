from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from ganfill import cli

RUN = Path(__file__).parents[1] / "compatibility/run"
STYLEGAN2 = RUN.parent / "stylegan2.safetensors"
TRAIN = ["data=synthetic", "data.n=40", "batch_size=16", "resolution=32", "model.width=4", "device=cpu"]


@pytest.mark.parametrize(
    ("words", "lock"),
    [
        (["train", *TRAIN, "out=out"], "out/.lock"),
        (["train-encoder", "data=synthetic", "device=cpu", "model=MODEL", "out=out"], "out/.lock"),
        (["prepare", "photos", "out=out"], "out/.lock"),
        (["complete", "photos", "mask=center", "model=MODEL", "device=cpu", "out=out"], "out/.lock"),
        (["evaluate", "data.path=STORE", "model=MODEL", "device=cpu", "out=out"], "out/.lock"),
        (["publish", "model=MODEL", "repo=me/faces", "terms=mine", "upload=false", "out=out"], "out/.lock"),
        (["generate", "model=MODEL", "device=cpu", "out=out"], "out/.lock"),
        (["import", str(STYLEGAN2), "out=out/model.safetensors"], "out/.model.safetensors.lock"),
        (["export", str(RUN), "out=out/model.safetensors"], "out/.model.safetensors.lock"),
        (["report", str(RUN), "out=out/page.html"], "out/.page.html.lock"),
        (["leaderboard", str(RUN.parent), "out=out"], "out/.leaderboard.html.lock"),
        (["info", "MODEL", "out=out"], "out/.summary.json.lock"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_second_process_writes_nothing(words, lock, tmp_path, model_path, store_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "photos/a.png")
    words = [word.replace("MODEL", str(model_path)).replace("STORE", str(store_path)) for word in words]
    (tmp_path / "out").mkdir()
    Path(lock).write_text('{"pid": 12, "host": "here", "command": "ganfill train", "since": "noon"}')
    with FileLock(lock):
        assert cli.run(words) == 2
        assert "in use by process 12 on here (ganfill train) since noon: wait" in capsys.readouterr().err
        assert [str(path.relative_to(tmp_path)) for path in (tmp_path / "out").iterdir()] == [lock]
