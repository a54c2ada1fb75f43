import io
import time

import numpy as np
import pytest
from PIL import Image

from ganfill.app.errors import Busy, TooLong
from ganfill.app.service import Limits, Service
from ganfill.app.web import canvas
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import ALIGNMENTS
from ganfill.images.photo import Photo
from ganfill.search.presets import PRESETS

app_page = pytest.importorskip("ganfill.app.web.layout", reason="the extra app is not installed")

# Of pandas, as Gradio's queue uses it.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")
MASK = '[data-testid="Use a mask file-upload-button"]'
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def service():
    """One whose editor is half as wide and high as it is for people, which without a GPU is slow to draw."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "SIDE", canvas.SIDE // 2)
        yield Service(["faces64"], "cpu", Limits(megabytes=1, megapixels=0.5, answers=3))


@pytest.fixture(scope="module")
def address(service, served, built):
    """Where the page is served."""
    with served(built(service)) as address:
        yield f"{address}/"


@pytest.fixture
def orders(service, monkeypatch):
    """What the service is asked to complete."""
    asked, complete = [], service.complete

    def spy(order, watch):
        asked.append(order)
        return complete(order, watch)

    monkeypatch.setattr(service, "complete", spy)
    return asked


@pytest.fixture
def endless(service, monkeypatch):
    """A search that goes on until it is stopped; holds those that run."""
    running = []

    def search(order, watch):
        running.append(order)
        try:
            while True:
                watch(0.4, RANDOM.integers(0, 256, (64, 64, 3), np.uint8))
                time.sleep(0.02)
        finally:
            running.remove(order)

    monkeypatch.setattr(service, "complete", search)
    return running


def file(picture, name="me.png", kind="png", **options):
    """An upload."""
    Image.fromarray(picture).save(content := io.BytesIO(), kind, **options)
    return {"name": name, "mimeType": f"image/{kind}", "buffer": content.getvalue()}


def photo(height=120, width=150):
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


def choose(tab, upload):
    tab.set_input_files("#drop input[type=file]", upload)
    tab.wait_for_selector("#editor canvas")


def stroke(tab, length=90):
    """Paints a line from the middle to the right; again if the editor was not ready for it."""
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
    raise AssertionError("the editor takes no paint")


def download(tab):
    with tab.expect_download() as begun:
        tab.click("#download")
    with Image.open(begun.value.path()) as picture:
        return begun.value.suggested_filename, np.asarray(picture)


def said(tab, where="#said"):
    return tab.locator(f"{where} .message").inner_text()


def wait(condition):
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_photo_is_painted_on_completed_and_downloaded(visit, orders):
    """The upload lies on its side by its EXIF data and comes back upright, at its own size."""
    exif = Image.Exif()
    exif[274] = 6
    upload = file(photo(), "me.jpeg", "jpeg", exif=exif)
    upright = Photo.of(Image.open(io.BytesIO(upload["buffer"]))).pixels
    tab = visit()
    choose(tab, upload)
    stroke(tab, length=60)
    tab.click("#go")
    tab.wait_for_selector("#outcome #answers img")
    name, finished = download(tab)
    (order,) = orders
    assert upright.shape == finished.shape == (150, 120, 3) and name == "me_completed_1.png"
    assert 0 < order.hole.sum() < order.hole.size / 4 and order.hole[75, 60:70].all() and not order.hole[:30].any()
    assert (finished[~order.hole] == upright[~order.hole]).all()
    assert (finished[order.hole] != upright[order.hole]).any(-1).mean() > 0.9
    assert tab.locator("#answers .caption-label").count() == 3
    tab.locator("#answers button").nth(1).click()
    tab.wait_for_function("document.querySelectorAll('#slider img')[1].src.includes('answer2')")
    name, other = download(tab)
    assert name == "me_completed_2.png"
    assert (other[~order.hole] == upright[~order.hole]).all() and (other[order.hole] != finished[order.hole]).any()


def test_an_example_is_painted_already_and_phones_have_room(visit, orders):
    tab = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.locator("#examples button").nth(1).click()
    tab.wait_for_selector("#editor canvas")
    tab.wait_for_selector("text=Painted already")
    tab.wait_for_timeout(1500)
    tab.click("#go")
    tab.wait_for_selector("#outcome #answers img")
    assert 0 < orders[0].hole.sum() < orders[0].hole.size / 2 and orders[0].hole.shape == (64, 64)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.click("#other")
    wait(lambda: len(orders) == 2)
    assert orders[1].seed == orders[0].seed + 1 and (orders[1].hole == orders[0].hole).all()
    tab.wait_for_selector("#go")


def test_uploads_that_cannot_be_used_are_refused_in_words(visit):
    tab = visit()
    corrupt = file(photo())
    corrupt["buffer"] = corrupt["buffer"][:2000]
    noise = file(photo(600, 700), "noise.png")
    wide = file(np.zeros((800, 800, 3), np.uint8), "wide.png")
    for upload, words in ((corrupt, "cannot be read"), (noise, "1.26 MB"), (wide, "0.64 megapixels")):
        tab.set_input_files("#drop input[type=file]", upload)
        tab.wait_for_selector(f"#refusal .message:has-text('{words}')")
    assert "at most 0.5 are taken" in said(tab, "#refusal")
    choose(tab, file(photo()))
    assert tab.locator("#refusal").count() == 0


def test_holes_that_are_empty_full_or_do_not_fit(visit, orders):
    tab = visit()
    choose(tab, file(photo()))
    tab.click("#go")
    tab.wait_for_selector("#said .message")
    assert said(tab).startswith("Nothing is painted") and orders == []
    tab.set_input_files(MASK, file(np.zeros((40, 90), np.uint8), "mask.png"))
    tab.wait_for_selector("#said .message:has-text('90x40')")
    mask = RANDOM.integers(0, 2, (120, 150), np.uint8) * np.uint8(255)
    for painted, number in ((mask, 1), (np.full((120, 150), 255, np.uint8), 2)):
        tab.set_input_files(MASK, file(painted, "mask.png"))
        tab.wait_for_timeout(1500)
        tab.click("#go")
        wait(lambda number=number: len(orders) == number)
        tab.wait_for_selector("#go")
        assert (orders[-1].hole == (painted > 0)).all()
    tab.wait_for_selector("#remarks .remark:has-text('Nothing of the picture is known')")


def test_a_search_is_seen_while_it_runs_and_can_be_cancelled(visit, endless):
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    tab.click("#go")
    tab.wait_for_selector("#progress img")
    assert tab.locator("#progress progress").get_attribute("value") == "0.400" and len(endless) == 1
    tab.click("#stop")
    tab.wait_for_selector("#said .message:has-text('Cancelled')")
    wait(lambda: not endless)
    tab.click("#go")
    wait(lambda: endless)
    tab.context.close()
    wait(lambda: not endless)


def test_a_search_that_fails_says_why_and_the_page_goes_on(visit, service, monkeypatch, caplog):
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    errors = (Busy("2 pictures are waiting already: try again in 3 s", 3), TooLong("took more than 9 s"), KeyError("x"))
    for error, words in zip(errors, ("2 pictures are waiting", "Took more than 9 s", "not your fault"), strict=True):

        def fail(order, watch, error=error):
            raise error

        monkeypatch.setattr(service, "complete", fail)
        tab.click("#go")
        tab.wait_for_selector(f"#said .message:has-text('{words}')")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]


def test_a_search_shows_how_it_went_and_what_it_is_sure_of(visit, service, monkeypatch):
    def posterior(order, watch):
        pictures = [order.photo.pixels]
        return Filled(
            pictures, scores=[0.25], frames=[photo(64, 64)] * 3, extras={"mean": photo(), "uncertainty": photo()}
        )

    monkeypatch.setattr(service, "complete", posterior)
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    tab.click("#go")
    tab.click("#how button")
    tab.wait_for_selector("#gif img[src$='search.gif']")
    assert tab.locator("#extras button img").count() == 2
    assert tab.locator("#answers .caption-label").inner_text() == "0.250"
    tab.click("#again")
    tab.wait_for_selector("#drop")
    choose(tab, file(photo()))
    assert tab.locator("#outcome").count() == 0


def test_visitors_at_once_get_their_own_pictures(visit, orders):
    tabs, pictures = [visit(), visit()], [photo(), photo(100, 90)]
    for tab, picture in zip(tabs, pictures, strict=True):
        choose(tab, file(picture))
        stroke(tab)
    for tab in tabs:
        tab.click("#go")
    for tab, picture in zip(tabs, pictures, strict=True):
        tab.wait_for_selector("#outcome #answers img")
        hole = next(order.hole for order in orders if order.hole.shape == picture.shape[:2])
        finished = download(tab)[1]
        assert (finished[~hole] == picture[~hole]).all() and (finished[hole] != picture[hole]).any()


def test_the_documents_of_the_api_are_shown(visit, address):
    tab = visit()
    assert tab.goto(f"{address}docs").headers["content-security-policy"].startswith("default-src 'self'")
    assert "POST /v1/complete" in tab.inner_text("body")


def test_every_search_and_alignment_has_its_words():
    assert set(app_page.SEARCHES) == set(PRESETS) and set(app_page.PLACES) == set(ALIGNMENTS)
