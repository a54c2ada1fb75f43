import io

import pytest
from PIL import Image

from ganfill.app.errors import QueueFull, RequestTimeout
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import ALIGNMENTS
from ganfill.images.photo import Photo
from ganfill.search.presets import PRESETS
from tests.app.web.visitor import choose, download, file, photo, stroke, wait

app_page = pytest.importorskip("ganfill.app.web.layout", reason="the extra app is not installed")

# Gradio's queue uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")


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


def test_a_search_shows_its_progress_and_can_be_cancelled(visit, endless):
    tab = visit()
    choose(tab, file(photo()))
    stroke(tab)
    tab.click("#complete")
    tab.wait_for_selector("#progress progress[value='0.400']")
    assert tab.locator("#progress img").count() == 1 and len(endless) == 1
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
        tab.bring_to_front()  # a browser delays the events of a tab that is not seen
        choose(tab, file(picture))
        stroke(tab)
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
