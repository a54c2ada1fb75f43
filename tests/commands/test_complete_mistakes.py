"""What a user of ``ganfill complete`` can get wrong."""

import numpy as np
import pytest
from PIL import Image


def picture(path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.png", "mask=centre"], "mask=centre is neither a kind of hole nor a file: did you mean center?"),
        (["a.png", "mask=nothing.png"], "mask=nothing.png is neither a kind of hole nor a file: use "),
        (["images=b.png", "mask=center"], "images=b.png: no such file or folder"),
        (["b.png", "mask=center"], "b.png: no such file or folder"),
        (["empty", "mask=center"], "images=empty: no pictures there"),
        (["empty", "mask=center", "out=empty"], "out=empty is the folder of the pictures: give another out"),
        (["a.png"], "complete needs mask=..."),
        (["a.png", "mask=center", "search=quick"], "search=quick is not known"),
        (["a.png", "mask=center", "blend=glue"], "blend=glue is not known"),
        (["a.png", "mask=center", "answers=0"], "answers must be a whole number from 1, got 0"),
        (["a.png", "mask=center", "invert=maybe"], "invert must be true or false, got maybe"),
        (["a.png", "mask=center", "out="], "out= is empty"),
        (["a.png", "mask=center", "search=standard", "search.window=6"], "search: steps=2 starts=8"),
        (["a.png", "mask=center", "answers=1.5"], "answers must be a whole number from 1, got 1.5"),
        (["a.png", "mask=center", "device=tpu9"], "device=tpu9 is not a device"),
        (["a.png", "mask=center", "search.precision=fp8"], "precision=fp8 is not known"),
        (["a.png", "mask=center", "out=a.png"], "out=a.png cannot be created"),
        (["a.png", "mask=center,center"], "mask=center,center: two masks share a name"),
        (["a.png", "mask=center", "outputs=finished,strips"], "outputs=strips is not known: did you mean strip?"),
        (["a.png", "mask=center", "engine=dask"], "engine=dask is not known: choose from local, ray"),
        (["a.png", "mask=center", "model=faces65"], "model=faces65: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(ganfill, work, words, message):
    picture(work / "a.png")
    (work / "empty").mkdir()
    code, said = ganfill(*words)
    assert code == 2
    assert f"ganfill: {message}" in said and "Traceback" not in said


def test_the_pictures_themselves_are_never_replaced(ganfill, work):
    before = picture(work / "a.png")
    code, said = ganfill("a.png", "mask=center", "out=.")
    assert code == 1 and "would replace a.png: choose another out" in said
    assert np.array_equal(np.asarray(Image.open(work / "a.png")), before)


def test_an_engine_that_is_not_installed_is_named(ganfill, work, monkeypatch):
    picture(work / "a.png")
    monkeypatch.setattr("ganfill.errors.find_spec", lambda package: None)
    code, said = ganfill("a.png", "mask=center", "engine=ray")
    assert code == 2 and "engine=ray needs ray: pip install 'ganfill[ray]'" in said


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("device=cuda:1", "device=cuda:1 is a GPU of one machine: use device=auto or device=cuda with engine=ray"),
        ("ray.address=ray://a:1", "ray.address=ray://a:1 is not HOST:PORT or auto: start the command on a machine of"),
        ("ray.address=head", "ray.address=head is not HOST:PORT or auto"),
    ],
)
def test_what_cannot_hold_on_a_cluster_is_named(ganfill, work, monkeypatch, word, message):
    picture(work / "a.png")
    monkeypatch.setattr("ganfill.errors.find_spec", lambda package: package)
    code, said = ganfill("a.png", "mask=center", "engine=ray", word, quick=[])
    assert code == 2 and f"ganfill: {message}" in said
