import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import ganfill
from ganfill.app import limits
from ganfill.app.errors import Cancelled, QueueFull, RequestTimeout, TooLarge, UnknownModel
from ganfill.app.limits import Limits
from ganfill.app.service import EMPTY, FULL, CompletionRequest, Service
from ganfill.errors import UserError
from ganfill.images.holes import grow
from ganfill.images.photo import Photo, to_png
from ganfill.model_io import model_file
from tests.pictures import encoded, photo

HOLE = np.zeros((40, 50), bool)
HOLE[10:30, 10:35] = True


@pytest.fixture
def service(path):
    return Service([str(path)], "cpu")


def request(hole=HOLE, **options):
    options = {"model": "tiny", "search": "from_pool", "align": "center"} | options
    return CompletionRequest(Photo(photo(hole.shape)), hole, **options)


def complete(service, request, on_progress=None):
    with service.slot(on_progress) as progress:
        return service.complete(request, progress)


def test_answers_are_those_of_complete(service, path):
    wanted = request(answers=2, seed=3, frames=3)
    shares, previews = [], []

    def on_progress(share, preview):
        shares.append(share)
        previews.extend([] if preview is None else [preview])

    filled = complete(service, wanted, on_progress)
    images, mask = Image.fromarray(wanted.photo.pixels), Image.fromarray(HOLE)
    options = {"search": "from_pool", "align": "center", "answers": 2, "seed": 3}
    alone = ganfill.load(path).complete(images, mask, **options)
    assert all(np.array_equal(a, b) for a, b in zip(filled.pictures, alone, strict=True))
    assert len(filled.scores) == 2 and len(filled.frames) == 3
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and 1 <= len(previews) < len(shares)
    assert all(preview.shape == (32, 32, 3) and preview.dtype == np.uint8 for preview in previews)
    assert np.array_equal(complete(service, wanted).pictures[0], filled.pictures[0])  # with on_progress or without


def test_the_content_of_the_hole_is_ignored(service):
    one, two = request(), request()
    two.photo.pixels[HOLE] = 255 - two.photo.pixels[HOLE]
    a, b = complete(service, one), complete(service, two)
    assert np.array_equal(a.pictures[0], b.pictures[0])
    assert np.array_equal(a.pictures[0][~HOLE], one.photo.pixels[~HOLE])


def test_an_empty_hole_and_a_full_one_get_a_remark(service):
    wanted = request(hole=np.zeros((40, 50), bool))
    empty = complete(service, wanted)
    assert np.array_equal(empty.pictures[0], wanted.photo.pixels) and empty.remarks == [EMPTY] and not empty.scores
    full = complete(service, request(hole=np.ones((40, 40), bool), answers=2))
    assert FULL in full.remarks and not np.array_equal(*full.pictures)


def test_further_pictures_in_the_file_get_a_remark(service):
    pages = encoded(photo((40, 50)), "TIFF", save_all=True, append_images=[Image.new("RGB", (40, 40))])
    wanted = replace(request(), photo=service.decode(pages, "picture"))
    assert "the file holds 2 pictures, and the first is completed" in complete(service, wanted).remarks


def test_paint_that_has_bled_is_completed_unless_ganfill_drew_the_hole(service):
    pixels = np.full((40, 50, 3), 90, np.uint8)
    pixels[grow(HOLE, 2)] = 200, 30, 30
    for drawn in (False, True):
        wanted = CompletionRequest(Photo(pixels), HOLE, "tiny", "from_pool", align="center", drawn=drawn)
        assert wanted.bled == (wanted.hole ^ HOLE).sum() and (wanted.bled > 0) != drawn
        remarks = complete(service, wanted).remarks
        assert any("paint over the hole has bled" in remark for remark in remarks) != drawn


def test_a_box_says_where_the_model_looks(service):
    looked = complete(service, request(align="box", box="9,5,37,33")).holes[0].squares[0]
    assert (looked.left, looked.top, looked.right, looked.bottom) == (9, 5, 37, 33)
    aside = complete(service, request(align="box", box="5,0,45,40;40,30,45,35"))
    assert "box=40,30,45,35 does not touch the hole, so it is not used" in aside.remarks[0]


def test_a_box_has_the_limit_of_a_picture(path):
    service = Service([str(path)], "cpu", Limits(megapixels=0.01))
    for side, size in ((101, r"0\.0102"), ("1e300", "inf")):
        words = rf"box=0,0,{side},{side} has {size} megapixels, the limit is 0\.01: shrink it"
        with pytest.raises(TooLarge, match=words):
            complete(service, request(align="box", box=f"0,0,{side},{side}"))
    assert complete(service, request(align="box", box="0,0,100,100")).pictures


def test_requests_are_served_in_the_order_of_arrival(service):
    waiting, finished, begun = threading.Event(), [], threading.Event()

    def first(share, preview):
        begun.set()
        assert waiting.wait(20)

    def run(name, on_progress):
        complete(service, request(search="fast"), on_progress)
        finished.append(name)

    threads = [threading.Thread(target=run, args=("first", first))]
    threads[0].start()
    assert begun.wait(20)
    for name in ("second", "third", "fourth"):
        before = len(service.queue)
        threads.append(threading.Thread(target=run, args=(name, None)))
        threads[-1].start()
        while len(service.queue) == before:
            time.sleep(0.005)
    waiting.set()
    for thread in threads:
        thread.join(20)
    assert finished == ["first", "second", "third", "fourth"] and len(service.queue) == 0


def test_requests_are_cancelled_in_the_queue_and_in_the_search_and_refused_when_it_is_full(path):
    service = Service([str(path)], "cpu", Limits(waiting=1))
    go_on, begun, queued, ended = threading.Event(), threading.Event(), threading.Event(), []

    def hold(share, preview):
        begun.set()
        assert go_on.wait(20)
        raise Cancelled

    def leave(share, preview):
        queued.set()
        assert (share, preview) == (0.0, None)
        if go_on.is_set():
            raise Cancelled

    def run(on_progress):
        with pytest.raises(Cancelled):
            complete(service, request(), on_progress)
        ended.append(on_progress)

    threads = [threading.Thread(target=run, args=(function,)) for function in (hold, leave)]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    assert queued.wait(20)
    with pytest.raises(QueueFull, match="1 pictures are already waiting: try again in 1 s") as full:
        complete(service, request())
    assert full.value.retry_after == 1 and full.value.status == 503
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 2 and complete(service, request()).pictures


def test_a_search_that_takes_too_long_is_ended(path):
    service = Service([str(path)], "cpu", Limits(seconds=1e-6))
    with pytest.raises(
        RequestTimeout, match=r"took more than 1e-06 s: use search=fast, fewer answers or a smaller picture"
    ):
        complete(service, request())
    assert len(service.queue) == 0


def test_models_have_names_and_unknown_ones_are_refused(path, tmp_path, model):
    for weight in model.generator.parameters():
        weight.data.mul_(-1)
    model_file.save(tmp_path / "other.safetensors", model)
    service = Service([str(path), str(tmp_path / "other.safetensors")], "cpu")
    assert list(service.models) == ["tiny", "other"]
    found = [complete(service, request(model=name)).pictures[0] for name in ("tiny", "other")]
    assert not np.array_equal(*found)
    with pytest.raises(UnknownModel, match="model=third is unknown: use tiny, other"):
        complete(service, request(model="third"))
    with pytest.raises(UserError, match="two models named tiny"):
        Service([str(path), str(path)], "cpu")
    with pytest.raises(UserError, match="models is empty"):
        Service([], "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answers": 17}, "answers must be from 1 to 16, got 17"),
        ({"answers": 0}, "answers must be from 1 to 16, got 0"),
        ({"search": "magic"}, "search=magic is no preset: use fast"),
        ({"answers": 10**400}, rf"answers must be from 1 to 16, got 1{'0' * 39}$"),
        ({"align": "north"}, "align=north is not known: use face"),
        ({"align": "box"}, "align=box needs box=left,top,right,bottom"),
        ({"box": "1,2,3,4"}, "align=center does not use box=1,2,3,4: give align=box"),
        ({"align": "box", "box": "5,0,45"}, "box=5,0,45 is not a square: give left,top,right,bottom in pixels"),
    ],
)
def test_options_out_of_range_are_refused(service, options, message):
    with pytest.raises(UserError, match=message):
        complete(service, request(**options))


def test_a_hole_of_another_size_is_an_error_of_the_caller(service):
    with pytest.raises(ValueError, match=r"the hole is \(3, 3\)"):
        complete(service, CompletionRequest(Photo(photo((40, 50))), np.ones((3, 3), bool), "tiny"))


@pytest.mark.parametrize("end", [Cancelled, RequestTimeout])
def test_every_part_of_a_request_can_be_ended(service, monkeypatch, end):
    upload, mask = encoded(photo((90, 120))), encoded(np.pad(HOLE, ((20, 30), (30, 40))))
    calls = []

    def serve(last):
        """Serves a request that is ended at a checkpoint; returns what was finished before."""
        finished = []

        def check(progress):
            calls.append(progress)
            if len(calls) > last:
                raise end("ended")

        calls.clear()
        monkeypatch.setattr(limits.TimedProgress, "check", check)
        with suppress(end), service.slot() as progress:
            decoded, hole = service.decode_with_hole(upload, mask)
            finished.append("decoded")
            filled = service.complete(CompletionRequest(decoded, hole, "tiny", "fast", answers=2), progress)
            finished.append("completed")
            finished += [to_png(answer, decoded, hole) for answer in filled.pictures]
        assert len(service.queue) == 0
        return finished

    complete = serve(10**6)
    count = len(calls)
    stages = [len(serve(last)) for last in (0, 5, count // 2, count - 9, count - 2)]
    assert len(complete) == 4 and stages == sorted(stages) and stages[0] == 0 and stages[-1] >= 2
