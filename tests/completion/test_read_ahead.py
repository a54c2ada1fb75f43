import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from ganfill.completion import read_ahead as module
from ganfill.completion.read_ahead import read_ahead


def work(pixels):
    return SimpleNamespace(hole=np.zeros(pixels, bool), pixels=pixels)


def test_groups_are_read_ahead_by_one_and_in_order(monkeypatch):
    monkeypatch.setattr(module, "PICTURES_AT_ONCE", 1)
    begun, done = [threading.Event() for _ in range(4)], []

    def read(jobs):
        for job in jobs:
            begun[job].set()
            done.append(job)
            yield work(job)

    ahead = read_ahead(range(4), read, 1)
    assert [each.pixels for each in next(ahead)] == [0]
    assert begun[1].wait(10)  # the next is read while this one is worked on, but not the one after
    assert done == [0, 1] and [each.pixels for group in ahead for each in group] == [1, 2, 3]


def test_groups_are_bounded_in_pictures_and_pixels(monkeypatch):
    monkeypatch.setattr(module, "PICTURES_AT_ONCE", 3)
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 100)

    def sizes(*pixels, answers=1):
        return [[each.pixels for each in group] for group in read_ahead(pixels, lambda jobs: map(work, jobs), answers)]

    assert sizes(1, 2, 3, 4) == [[1, 2, 3], [4]]
    assert sizes(200, 60, 40, 1) == [[200], [60, 40], [1]]
    assert sizes(30, 30, answers=4) == [[30], [30]]
    assert sizes() == []


def test_an_interrupt_waits_for_a_picture_and_not_for_all(monkeypatch):
    monkeypatch.setattr(module, "PICTURES_AT_ONCE", 50)
    done, started = [], threading.Event()

    def read(jobs):
        for job in jobs:
            if job >= 50:
                done.append(job)
                started.set()
                time.sleep(0.1)
            yield work(1)

    ahead = read_ahead(range(100), read, 1)
    next(ahead)
    assert started.wait(10)
    with pytest.raises(KeyboardInterrupt):
        ahead.throw(KeyboardInterrupt)
    assert 1 <= len(done) < 50


def test_an_error_of_the_reader_is_raised():
    def read(jobs):
        yield work(1)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(read_ahead([], read, 1))
