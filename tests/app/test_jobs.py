import threading
import time

import numpy as np
import pytest

from ganfill.app.errors import Cancelled
from ganfill.app.jobs import Job, Searches


def wait(condition):
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def endless(watch):
    while True:
        watch(0.5, np.zeros((2, 2, 3), np.uint8))
        time.sleep(0.005)


def test_work_tells_how_far_it_is_and_gives_its_result():
    go_on = threading.Event()

    def work(watch):
        watch(0.25, np.ones((2, 2, 3), np.uint8))
        watch(0.5, None)
        go_on.wait(5)
        return "found"

    running = Job(work)
    wait(lambda: running.share == 0.5)
    assert not running.done and running.picture.sum() == 12
    go_on.set()
    wait(lambda: running.done)
    assert running.result() == "found"


def test_stopped_work_is_cancelled():
    running = Job(endless)
    running.stop()
    with pytest.raises(Cancelled):
        running.result()


def test_what_work_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        Job(lambda watch: 1 / 0).result()


def test_a_visitor_has_one_search_and_others_have_their_own():
    searches = Searches()
    first, other = searches.start("a", endless), searches.start("b", endless)
    second = searches.start("a", endless)
    with pytest.raises(Cancelled):
        first.result()
    assert not second.done and not other.done
    searches.stop("nobody")
    searches.stop("a")
    with pytest.raises(Cancelled):
        second.result()
    assert not other.done
    searches.stop("b")
    with pytest.raises(Cancelled):
        other.result()
