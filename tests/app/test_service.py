import threading
import time
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import ganfill
from ganfill.app import limits
from ganfill.app.errors import Cancelled, QueueFull, RequestError, RequestTimeout, TooLarge, UnknownModel
from ganfill.app.limits import Limits
from ganfill.app.service import EMPTY, FULL, CompletionRequest, Service
from ganfill.errors import UserError
from ganfill.images.photo import Photo, to_png
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


def request(hole=HOLE, **options):
    options = {"model": "tiny", "search": "from_pool", "align": "center"} | options
    return CompletionRequest(Photo(picture(0, hole.shape)), hole, **options)


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
        ({"align": "north"}, "align=north is not known: use face"),
    ],
)
def test_options_out_of_range_are_refused(service, options, message):
    with pytest.raises(UserError, match=message):
        complete(service, request(**options))


def test_a_hole_of_another_size_is_an_error_of_the_caller(service):
    with pytest.raises(ValueError, match=r"the hole is \(3, 3\)"):
        complete(service, CompletionRequest(Photo(picture()), np.ones((3, 3), bool), "tiny"))


def test_uploads_are_read_with_their_mask_or_their_transparency(service):
    pixels = picture()
    photo, hole = service.decode_with_hole(content(pixels), content(HOLE))
    assert np.array_equal(photo.pixels, pixels) and np.array_equal(hole, HOLE)
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    photo, hole = service.decode_with_hole(content(np.dstack([pixels, alpha])))
    assert np.array_equal(hole, HOLE)
    drawn = service.draw_hole(photo, "freeform", "tiny", 5)
    assert (
        drawn.shape == (40, 50)
        and drawn.any()
        and not np.array_equal(drawn, service.draw_hole(photo, "freeform", "tiny"))
    )


def test_uploads_that_are_refused(path, monkeypatch):
    service = Service([str(path)], "cpu", Limits(megabytes=0.01, megapixels=0.002))
    with pytest.raises(TooLarge, match=r"picture is 0\.06 MB, the limit is 0\.01 MB: shrink it"):
        service.decode_with_hole(bytes(60_000))
    flat = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(TooLarge, match=r"picture has 0\.0024 megapixels, the limit is 0\.002"):
        service.decode_with_hole(content(flat))
    with pytest.raises(TooLarge, match="mask has"):
        service.decode_with_hole(content(flat[:40, :50]), content(flat))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TooLarge, match=r"picture has more than 0\.0001 megapixels"):
        service.decode_with_hole(content(flat))
    monkeypatch.undo()
    for wrong in (b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", content(picture())[:900]):
        with pytest.raises(UserError, match="picture cannot be read"):
            service.decode_with_hole(wrong)
    with pytest.raises(RequestError, match="neither a mask nor transparency: send a mask"):
        service.decode_with_hole(content(flat[:40, :50]))
    with pytest.raises(UserError, match="the mask is 50x10, but its picture 50x40"):
        service.decode_with_hole(content(flat[:40, :50]), content(flat[:10, :50]))
    with pytest.raises(RequestError, match="hole=star is unknown: use center"):
        service.draw_hole(Photo(flat), "star", "tiny")
    with pytest.raises(UserError, match=r"limits must be above 0, .*megapixels=0"):
        Limits(megapixels=0)


def test_all_answers_together_have_a_limit(path):
    service = Service([str(path)], "cpu", Limits(megapixels=0.002, total_megapixels=0.005))
    file = BytesIO(content(picture()))
    service.check(file, "picture", answers=2)
    assert file.tell() == 0
    words = r"3 answers of 0\.002 megapixels have 0\.006 in total, the limit is 0\.005: ask for fewer answers"
    with pytest.raises(TooLarge, match=words):
        service.check(file, "picture", answers=3)
    with pytest.raises(UserError, match=r"total_megapixels=1 is below megapixels=24: raise it"):
        Limits(total_megapixels=1)


def test_a_header_is_checked_without_decoding(service):
    service.check(BytesIO(content(picture())[:200]), "picture")
    with pytest.raises(UserError, match="picture cannot be read"):
        service.decode(content(picture())[:200], "picture")


def test_files_that_take_long_to_decode_or_to_copy_are_refused(service):
    progressive = content(picture(), "JPEG", progressive=True)
    service.decode(progressive, "picture")
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    with pytest.raises(TooLarge, match=r"picture has \d+ scans, the limit is 100: save it anew"):
        service.decode(progressive[:-2] + 100 * scan + progressive[-2:], "picture")
    exif = Image.Exif()
    exif[0x010E] = "x" * 4_500_000
    with pytest.raises(
        TooLarge, match=r"picture has 4\.5 MB of EXIF data and colour profile, the limit is 4: remove them"
    ):
        service.decode(content(picture(), exif=exif.tobytes()), "picture")


@pytest.mark.parametrize("end", [Cancelled, RequestTimeout])
def test_every_part_of_a_request_can_be_ended(service, monkeypatch, end):
    upload, mask = content(picture(size=(90, 120))), content(np.pad(HOLE, ((20, 30), (30, 40))))
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
            photo, hole = service.decode_with_hole(upload, mask)
            finished.append("decoded")
            filled = service.complete(CompletionRequest(photo, hole, "tiny", "fast", answers=2), progress)
            finished.append("completed")
            finished += [to_png(answer, photo, hole) for answer in filled.pictures]
        assert len(service.queue) == 0
        return finished

    complete = serve(10**6)
    count = len(calls)
    stages = [len(serve(last)) for last in (0, 5, count // 2, count - 9, count - 2)]
    assert len(complete) == 4 and stages == sorted(stages) and stages[0] == 0 and stages[-1] >= 2
