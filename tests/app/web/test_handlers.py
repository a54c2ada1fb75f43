import asyncio
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ganfill.app.service import Service
from tests.pictures import encoded, photo

handlers = pytest.importorskip("ganfill.app.web.handlers", reason="the extra app is not installed")
VISITOR = SimpleNamespace(session_hash="visitor")
DELETED = "This photo was deleted from the server after some hours: choose it again"


@pytest.fixture
def page(path, tmp_path):
    (pictures := tmp_path / "pictures").mkdir()
    return handlers.EventHandlers(Service([str(path)], "cpu"), set(), pictures)


def painted(update):
    """The state of the photo that an update opens, with a hole."""
    hole = np.zeros(update.state.canvas.hole.shape, bool)
    hole[4:9, 4:9] = True
    return replace(update.state, canvas=replace(update.state.canvas, hole=hole))


def upload(page):
    (file := page.pictures / "me.png").write_bytes(encoded(photo((40, 50))))
    return painted(page.open_upload({"path": str(file)}))


def example(page):
    return painted(page.open_example(SimpleNamespace(index=0)))


def complete(page, state, answers=1):
    """All updates of a search."""

    async def updates():
        settings = "tiny", "from_pool", answers, "center", 0, VISITOR
        return [found async for found in page.complete(state, {"layers": []}, *settings)]

    return asyncio.run(updates())


@pytest.mark.parametrize("opened", [upload, example])
def test_a_photo_is_completed(page, opened, monkeypatch):
    """There is no paint in an example."""
    requests, finish = [], page.service.complete
    monkeypatch.setattr(page.service, "complete", lambda *words: requests.append(words[0]) or finish(*words))
    assert complete(page, opened(page))[-1].results.answers[0].full.is_file()
    assert [request.drawn for request in requests] == [opened is example]


def test_a_number_of_answers_that_is_far_too_large(page):
    found = complete(page, upload(page), answers=10**400)[-1].message
    assert "Answers must be from 1 to 16, got 1000" in found


@pytest.mark.parametrize(
    ("opened", "deleted"), [(upload, ["path", "shown"]), (upload, ["path"]), (upload, ["shown"]), (example, ["shown"])]
)
def test_a_photo_that_was_deleted_is_to_be_chosen_again(page, opened, deleted):
    state = opened(page)
    for name in deleted:
        getattr(state, name).unlink()
    assert DELETED in complete(page, state)[-1].message
