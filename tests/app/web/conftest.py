import time

import numpy as np
import pytest

from ganfill.app.limits import Limits
from ganfill.app.service import Service
from ganfill.app.web import canvas


@pytest.fixture(scope="module")
def service():
    """A service whose editor has half the usual side, because it is slow to draw without a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "SIDE", canvas.SIDE // 2)
        yield Service(["faces64"], "cpu", Limits(megabytes=1, megapixels=0.5, answers=3))


@pytest.fixture(scope="module")
def address(service, served, built):
    """The address of the page."""
    with served(built(service)) as address:
        yield f"{address}/"


@pytest.fixture
def requests(service, monkeypatch):
    """Records the requests to the service."""
    recorded, complete = [], service.complete

    def spy(request, progress):
        recorded.append(request)
        return complete(request, progress)

    monkeypatch.setattr(service, "complete", spy)
    return recorded


@pytest.fixture
def endless(service, monkeypatch):
    """Replaces the search by one that runs until it is cancelled; returns the running requests."""
    running = []

    def search(request, progress):
        running.append(request)
        try:
            while True:
                progress.set_preview(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
                progress.advance(0.4 - progress.done)
                time.sleep(0.02)
        finally:
            running.remove(request)

    monkeypatch.setattr(service, "complete", search)
    return running
