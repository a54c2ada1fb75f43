import threading
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import ganfill
from ganfill.app.errors import Busy, NoModel, NoPicture, TooLarge, TooLong, Unusable
from ganfill.app.service import EMPTY, FULL, Cancelled, CompletionRequest, Limits, Service
from ganfill.errors import UserError
from ganfill.images.photo import Photo
from ganfill.model_io import model_file

HOLE = np.zeros((40, 50), bool)
HOLE[10:30, 10:35] = True


@pytest.fixture
def service(path):
    return Service([str(path)], "cpu")


def picture(seed=0, size=(40, 50)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def content(pixels, suffix="PNG", **options):
    file = BytesIO()
    Image.fromarray(pixels).save(file, suffix, **options)
    return file.getvalue()


def order(hole=HOLE, **options):
    options = {"model": "tiny", "search": "from_pool", "align": "center"} | options
    return CompletionRequest(Photo(picture(0, hole.shape)), hole, **options)


def test_answers_are_those_of_complete(service, path):
    asked = order(answers=2, seed=3, frames=3)
    shares, shown = [], []

    def watch(share, seen):
        shares.append(share)
        shown.extend([] if seen is None else [seen])

    filled = service.complete(asked, watch)
    images, mask = Image.fromarray(asked.photo.pixels), Image.fromarray(HOLE)
    options = {"search": "from_pool", "align": "center", "answers": 2, "seed": 3}
    alone = ganfill.load(path).complete(images, mask, **options)
    assert all(np.array_equal(a, b) for a, b in zip(filled.pictures, alone, strict=True))
    assert len(filled.scores) == 2 and len(filled.frames) == 3
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and 1 <= len(shown) < len(shares)
    assert all(seen.shape == (32, 32, 3) and seen.dtype == np.uint8 for seen in shown)
    assert np.array_equal(service.complete(asked).pictures[0], filled.pictures[0])  # watched or not


def test_what_the_hole_holds_plays_no_part(service):
    one, two = order(), order()
    two.photo.pixels[HOLE] = 255 - two.photo.pixels[HOLE]
    a, b = service.complete(one), service.complete(two)
    assert np.array_equal(a.pictures[0], b.pictures[0])
    assert np.array_equal(a.pictures[0][~HOLE], one.photo.pixels[~HOLE])


def test_an_empty_hole_and_a_full_one_are_told(service):
    asked = order(hole=np.zeros((40, 50), bool))
    empty = service.complete(asked)
    assert np.array_equal(empty.pictures[0], asked.photo.pixels) and empty.remarks == [EMPTY] and not empty.scores
    full = service.complete(order(hole=np.ones((40, 40), bool), answers=2))
    assert FULL in full.remarks and not np.array_equal(*full.pictures)


def test_turns_come_in_the_order_of_arrival(service):
    entered, finished, begun = threading.Event(), [], threading.Event()

    def first(share, seen):
        begun.set()
        assert entered.wait(20)

    def run(name, watch):
        service.complete(order(search="fast"), watch)
        finished.append(name)

    threads = [threading.Thread(target=run, args=("first", first))]
    threads[0].start()
    assert begun.wait(20)
    for name in ("second", "third", "fourth"):
        there = len(service.queue)
        threads.append(threading.Thread(target=run, args=(name, None)))
        threads[-1].start()
        while len(service.queue) == there:
            time.sleep(0.005)
    entered.set()
    for thread in threads:
        thread.join(20)
    assert finished == ["first", "second", "third", "fourth"] and len(service.queue) == 0


def test_cancelled_in_line_and_in_the_search_and_refused_when_full(path):
    service = Service([str(path)], "cpu", Limits(waiting=1))
    go_on, begun, asked, ended = threading.Event(), threading.Event(), threading.Event(), []

    def hold(share, seen):
        begun.set()
        assert go_on.wait(20)
        raise Cancelled

    def leave(share, seen):
        asked.set()
        assert (share, seen) == (0.0, None)
        if go_on.is_set():
            raise Cancelled

    def run(watch):
        with pytest.raises(Cancelled):
            service.complete(order(), watch)
        ended.append(watch)

    threads = [threading.Thread(target=run, args=(watch,)) for watch in (hold, leave)]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    assert asked.wait(20)
    with pytest.raises(Busy, match="1 pictures are waiting already: try again in 1 s") as full:
        service.complete(order())
    assert full.value.retry_after == 1 and full.value.status == 503
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 2 and service.complete(order()).pictures


def test_a_search_that_takes_too_long_is_ended(path):
    service = Service([str(path)], "cpu", Limits(seconds=1e-6))
    with pytest.raises(TooLong, match=r"took more than 1e-06 s: use search=fast, or fewer answers"):
        service.complete(order())
    assert len(service.queue) == 0


def test_two_models_are_told_apart_and_unknown_ones_refused(path, tmp_path, model):
    for weight in model.generator.parameters():
        weight.data.mul_(-1)
    model_file.save(tmp_path / "other.safetensors", model)
    service = Service([str(path), str(tmp_path / "other.safetensors")], "cpu")
    assert list(service.models) == ["tiny", "other"]
    found = [service.complete(order(model=name)).pictures[0] for name in ("tiny", "other")]
    assert not np.array_equal(*found)
    with pytest.raises(NoModel, match="model=third is not served: use tiny, other"):
        service.complete(order(model="third"))
    with pytest.raises(UserError, match="two are named tiny"):
        Service([str(path), str(path)], "cpu")
    with pytest.raises(UserError, match="names no model"):
        Service([], "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answers": 17}, "answers=17 is not possible: give 1 to 16"),
        ({"answers": 0}, "answers=0 is not possible"),
        ({"search": "magic"}, "search=magic is no preset: use fast"),
        ({"align": "north"}, "align=north is not known: use face"),
    ],
)
def test_options_out_of_range_are_refused(service, options, message):
    with pytest.raises(Unusable, match=message):
        service.complete(order(**options))


def test_a_hole_of_another_size_is_a_mistake_of_ours(service):
    with pytest.raises(ValueError, match=r"the hole is \(3, 3\)"):
        service.complete(CompletionRequest(Photo(picture()), np.ones((3, 3), bool), "tiny"))


def test_uploads_are_read_with_their_mask_or_their_transparency(service):
    pixels = picture()
    photo, hole = service.read(content(pixels), content(HOLE))
    assert np.array_equal(photo.pixels, pixels) and np.array_equal(hole, HOLE)
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    photo, hole = service.read(content(np.dstack([pixels, alpha])))
    assert np.array_equal(hole, HOLE)
    drawn = service.draw(photo, "freeform", "tiny", 5)
    assert (
        drawn.shape == (40, 50) and drawn.any() and not np.array_equal(drawn, service.draw(photo, "freeform", "tiny"))
    )


def test_uploads_that_cannot_be_taken(path, monkeypatch):
    service = Service([str(path)], "cpu", Limits(megabytes=0.01, megapixels=0.002))
    with pytest.raises(TooLarge, match=r"picture is 0\.06 MB: at most 0\.01 MB are taken, shrink it"):
        service.read(bytes(60_000))
    flat = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(TooLarge, match=r"picture has 0\.0024 megapixels: at most 0\.002 are taken"):
        service.read(content(flat))
    with pytest.raises(TooLarge, match="mask has"):
        service.read(content(flat[:40, :50]), content(flat))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TooLarge, match=r"picture has more than 0\.0001 megapixels"):
        service.read(content(flat))
    monkeypatch.undo()
    for wrong in (b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", content(picture())[:900]):
        with pytest.raises(NoPicture, match="picture cannot be read"):
            service.read(wrong)
    with pytest.raises(Unusable, match="nothing tells what is missing of picture: send a mask"):
        service.read(content(flat[:40, :50]))
    with pytest.raises(Unusable, match="the mask is 50x10, but its picture 50x40"):
        service.read(content(flat[:40, :50]), content(flat[:10, :50]))
    with pytest.raises(Unusable, match="hole=star is no kind of hole: use center"):
        service.draw(Photo(flat), "star", "tiny")
    with pytest.raises(UserError, match=r"megapixels=0.* give numbers above 0"):
        Limits(megapixels=0)
