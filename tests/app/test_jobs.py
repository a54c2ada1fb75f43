import threading
import time

import numpy as np
import pytest

from ganfill.app import jobs
from ganfill.app.errors import Cancelled
from ganfill.app.jobs import Job, Searches


def wait(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def endless(on_progress):
    while True:
        on_progress(0.5, np.zeros((2, 2, 3), np.uint8))
        time.sleep(0.005)


def test_a_job_has_progress_and_a_result():
    go_on = threading.Event()

    def work(on_progress):
        on_progress(0.25, np.ones((2, 2, 3), np.uint8))
        on_progress(0.5, None)
        go_on.wait(5)
        return "found"

    job = Job(work)
    wait(lambda: job.progress == 0.5)
    assert not job.future.done() and job.preview.sum() == 12
    go_on.set()
    assert job.future.result(5) == "found"


def test_a_job_can_be_cancelled():
    job = Job(endless)
    job.cancel()
    with pytest.raises(Cancelled):
        job.future.result(5)


def test_a_job_raises_the_exception_of_its_work():
    with pytest.raises(ZeroDivisionError):
        Job(lambda on_progress: 1 / 0).future.result(5)


def test_each_visitor_has_one_search():
    searches = Searches()
    first, other = searches.start("a", endless), searches.start("b", endless)
    second = searches.start("a", endless)
    with pytest.raises(Cancelled):
        first.future.result(5)
    assert not second.future.done() and not other.future.done()
    searches.cancel("nobody")
    searches.cancel("a")
    with pytest.raises(Cancelled):
        second.future.result(5)
    assert not other.future.done()
    searches.cancel("b")
    with pytest.raises(Cancelled):
        other.future.result(5)


def test_the_time_left_follows_the_speed_so_far(monkeypatch):
    monkeypatch.setattr(jobs.time, "monotonic", lambda: 110.0)
    assert jobs.seconds_left(0.6, 0.1, 100.0) == pytest.approx(8)
    assert jobs.seconds_left(0.1, 0.1, 110.0) is None
