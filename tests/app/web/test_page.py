import io
import time

import numpy as np
import pytest
from PIL import Image

from ganfill.app.errors import QueueFull, RequestTimeout
from ganfill.app.limits import Limits
from ganfill.app.service import Service
from ganfill.app.web import canvas
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import ALIGNMENTS
from ganfill.images.photo import Photo
from ganfill.search.presets import PRESETS

app_page = pytest.importorskip("ganfill.app.web.layout", reason="the extra app is not installed")

# Gradio's queue uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")
MASK = '[data-testid="Use a mask file-upload-button"]'
RANDOM = np.random.default_rng(0)
TEXT = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}


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
                progress.set_preview(RANDOM.integers(0, 256, (64, 64, 3), np.uint8))
                progress.advance(0.4 - progress.done)
                time.sleep(0.02)
        finally:
            running.remove(request)

    monkeypatch.setattr(service, "complete", search)
    return running


def file(picture, name="me.png", kind="png", **options):
    """A file for an upload."""
    Image.fromarray(picture).save(content := io.BytesIO(), kind, **options)
    return {"name": name, "mimeType": f"image/{kind}", "buffer": content.getvalue()}


def photo(height=120, width=150):
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


def choose(tab, upload):
    tab.set_input_files("#upload input[type=file]", upload)
    tab.wait_for_selector("#editor canvas")


def stroke(tab, length=90):
    """Paints a line from the middle to the right; repeats it until the editor accepts it."""
    for _ in range(20):
        box = tab.locator("#editor canvas").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + length, y, steps=2)
        tab.mouse.up()
        for _ in range(20):
            if tab.locator("#editor [aria-label=Undo]").is_enabled():
                return
            tab.wait_for_timeout(50)
    raise AssertionError("the editor accepts no paint")


def download(tab):
    with tab.expect_download() as begun:
        tab.click("#download")
    with Image.open(begun.value.path()) as picture:
        return begun.value.suggested_filename, np.asarray(picture)


def message(tab, where="#message"):
    return tab.locator(f"{where} .message").inner_text()


def wait(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_photo_is_painted_on_completed_and_downloaded(visit, requests):
    """The upload is rotated by its EXIF data; the result is upright and of the same size."""
    exif = Image.Exif()
    exif[274] = 6
    upload = file(photo(), "me.jpeg", "jpeg", exif=exif)
    upright = Photo.of(Image.open(io.BytesIO(upload["buffer"]))).pixels
    tab = visit()
    choose(tab, upload)
    stroke(tab, length=60)
    tab.click("#complete")
    tab.wait_for_selector("#outcome #answers img")
    name, finished = download(tab)
    (request,) = requests
    assert upright.shape == finished.shape == (150, 120, 3) and name == "me_completed_1.png"
    assert (
        0 < request.hole.sum() < request.hole.size / 4 and request.hole[75, 60:70].all() and not request.hole[:30].any()
    )
    assert (finished[~request.hole] == upright[~request.hole]).all()
    assert (finished[request.hole] != upright[request.hole]).any(-1).mean() > 0.9
    assert tab.locator("#answers .caption-label").count() == 3
    tab.locator("#answers button").nth(1).click()
    tab.wait_for_function("document.querySelectorAll('#slider img')[1].src.includes('answer2')")
    name, other = download(tab)
    assert name == "me_completed_2.png"
    assert (other[~request.hole] == upright[~request.hole]).all() and (
        other[request.hole] != finished[request.hole]
    ).any()


def test_an_example_is_already_painted_and_the_page_fits_a_phone(visit, requests):
    tab = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.locator("#examples button").nth(1).click()
    tab.wait_for_selector("#editor canvas")
    tab.wait_for_selector("text=Already painted")
    tab.wait_for_timeout(1500)
    tab.click("#complete")
    tab.wait_for_selector("#outcome #answers img")
    assert 0 < requests[0].hole.sum() < requests[0].hole.size / 2 and requests[0].hole.shape == (64, 64)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.click("#other-answers")
    wait(lambda: len(requests) == 2)
    assert requests[1].seed == requests[0].seed + 1 and (requests[1].hole == requests[0].hole).all()
    tab.wait_for_selector("#complete")


def test_uploads_that_are_refused_get_a_message(visit):
    tab = visit()
    tab.set_input_files("#upload input[type=file]", TEXT)
    tab.wait_for_selector(".toast-body:has-text('Invalid file type: notes.txt')")
    corrupt = file(photo())
    corrupt["buffer"] = corrupt["buffer"][:2000]
    noise = file(photo(600, 700), "noise.png")
    wide = file(np.zeros((800, 800, 3), np.uint8), "wide.png")
    for upload, words in (
        (corrupt, "“me.png” cannot be read"),
        (noise, "“noise.png” is 1.26 MB"),
        (wide, "“wide.png” has 0.64 megapixels"),
    ):
        tab.set_input_files("#upload input[type=file]", upload)
        tab.wait_for_selector(f"#upload-message .message:has-text('{words}')")
    assert "the limit is 0.5" in message(tab, "#upload-message")
    choose(tab, file(photo()))
    assert tab.locator("#upload-message").count() == 0


def test_holes_that_are_empty_full_or_do_not_fit(visit, requests):
    tab = visit()
    choose(tab, file(photo()))
    tab.click("#complete")
    tab.wait_for_selector("#message .message")
    assert message(tab).startswith("Nothing is painted") and requests == []
    stroke(tab)
    assert tab.locator("#message .message").count() == 0
    tab.wait_for_timeout(500)
    while tab.locator("#editor [aria-label=Undo]").is_enabled():
        tab.click("#editor [aria-label=Undo]")
    tab.click("#complete")
    tab.wait_for_selector("#message .message:has-text('Nothing is painted')")
    tab.set_input_files(MASK, file(np.zeros((40, 90), np.uint8), "mask.png"))
    tab.wait_for_selector("#message .message:has-text('90x40')")
    mask = RANDOM.integers(0, 2, (120, 150), np.uint8) * np.uint8(255)
    for painted, number in ((mask, 1), (np.full((120, 150), 255, np.uint8), 2)):
        tab.set_input_files(MASK, file(painted, "mask.png"))
        tab.wait_for_timeout(1500)
        tab.click("#complete")
        wait(lambda number=number: len(requests) == number)
        tab.wait_for_selector("#complete")
        assert (requests[-1].hole == (painted > 0)).all()
    tab.wait_for_selector("#remarks .remark:has-text('No pixel of the picture is known')")


def test_a_search_shows_its_progress_and_can_be_cancelled(visit, endless):
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    tab.click("#complete")
    tab.wait_for_selector("#progress img")
    assert tab.locator("#progress progress").get_attribute("value") == "0.400" and len(endless) == 1
    tab.click("#cancel")
    tab.wait_for_selector("#message .message:has-text('Cancelled')")
    wait(lambda: not endless)
    tab.click("#complete")
    wait(lambda: endless)
    tab.context.close()
    wait(lambda: not endless)


def test_a_failed_search_gets_a_message_and_the_page_still_works(visit, service, monkeypatch, caplog):
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    errors = (
        QueueFull("2 pictures are already waiting: try again in 3 s", 3),
        RequestTimeout("took more than 9 s"),
        KeyError("x"),
    )
    for error, words in zip(errors, ("2 pictures are already", "Took more than 9 s", "The server failed"), strict=True):

        def fail(request, on_progress, error=error):
            raise error

        monkeypatch.setattr(service, "complete", fail)
        tab.click("#complete")
        tab.wait_for_selector(f"#message .message:has-text('{words}')")
    assert [record.exc_info[0] for record in caplog.records if record.name.startswith("ganfill")] == [KeyError]


def test_a_search_shows_its_steps_and_extras(visit, service, monkeypatch):
    def posterior(request, on_progress):
        pictures = [request.photo.pixels]
        return Filled(
            pictures, scores=[0.25], frames=[photo(64, 64)] * 3, extras={"mean": photo(), "uncertainty": photo()}
        )

    monkeypatch.setattr(service, "complete", posterior)
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    tab.click("#complete")
    tab.click("#details button")
    tab.wait_for_selector("#gif img[src$='search.gif']")
    assert tab.locator("#extras button img").count() == 2
    assert tab.locator("#answers .caption-label").inner_text() == "0.250"
    tab.click("#close-photo")
    tab.wait_for_selector("#upload")
    choose(tab, file(photo()))
    assert tab.locator("#outcome").count() == 0


def test_simultaneous_visitors_get_their_own_pictures(visit, requests):
    tabs, pictures = [visit(), visit()], [photo(), photo(100, 90)]
    for tab, picture in zip(tabs, pictures, strict=True):
        choose(tab, file(picture))
        stroke(tab)
    for tab in tabs:
        tab.click("#complete")
    for tab, picture in zip(tabs, pictures, strict=True):
        tab.wait_for_selector("#outcome #answers img")
        hole = next(request.hole for request in requests if request.hole.shape == picture.shape[:2])
        finished = download(tab)[1]
        assert (finished[~hole] == picture[~hole]).all() and (finished[hole] != picture[hole]).any()


def test_the_documentation_of_the_api_is_shown(visit, address):
    tab = visit()
    assert tab.goto(f"{address}docs").headers["content-security-policy"].startswith("default-src 'self'")
    assert "POST /v1/complete" in tab.inner_text("body")


def test_every_search_and_alignment_has_a_description():
    assert set(app_page.SEARCHES) == set(PRESETS) and set(app_page.PLACES) == set(ALIGNMENTS)
