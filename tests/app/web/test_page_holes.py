import numpy as np
import pytest

from ganfill.completion.pipeline import Filled
from tests.app.web.visitor import (
    RANDOM,
    choose,
    file,
    message,
    painted_part,
    photo,
    stroke,
    tab_to,
    wait,
)

pytest.importorskip("gradio", reason="the extra app is not installed")

# Gradio's queue uses pandas.
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")
MASK = '[data-testid="Use a mask file-upload-button"]'
TEXT = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}


def test_an_example_is_already_painted_and_the_page_fits_a_phone(visit, requests):
    tab = visit(viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.locator("#examples button").nth(1).click()
    tab.wait_for_selector("#editor canvas")
    tab.wait_for_selector("text=Already painted")
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
        tab.click("#close-photo")
        choose(tab, file(photo()))
        tab.set_input_files(MASK, file(painted, "mask.png"))
        tab.wait_for_selector("text=Already painted")
        tab.click("#complete")
        wait(lambda number=number: len(requests) == number)
        tab.wait_for_selector("#complete")
        assert (requests[-1].hole == (painted > 0)).all()
    tab.wait_for_selector("#remarks .remark:has-text('No pixel of the picture is known')")


def test_a_visitor_with_a_keyboard_marks_boxes_and_compares(visit, service, monkeypatch):
    requests = []

    def invert(request, progress):
        requests.append(request)
        return Filled([255 - request.photo.pixels], scores=[0.25])

    monkeypatch.setattr(service, "complete", invert)
    tab = visit()
    choose(tab, file(photo()))
    tab_to(tab, "#box input")
    tab.keyboard.type("20, 10, 200, 50")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#message .message:has-text('right ≤ 150')")
    tab.keyboard.press("Control+a")
    for box in ("20, 10, 60, 50", "100 90 110 100"):
        tab_to(tab, "#box input")
        tab.keyboard.type(box)
        tab.keyboard.press("Enter")
        tab.wait_for_function("document.querySelector('#box input').value === ''")
    tab.wait_for_selector("text=Already painted")
    tab_to(tab, "#complete")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#outcome #answers img")
    expected = np.zeros((120, 150), bool)
    expected[10:50, 20:60] = expected[90:100, 100:110] = True
    assert (requests[0].hole == expected).all()
    tab_to(tab, "#line input[type=range]")
    before = tab.locator("#slider .outer").get_attribute("style")
    tab.keyboard.press("Home")
    tab.wait_for_function(
        "before => document.querySelector('#slider .outer').getAttribute('style') !== before", arg=before
    )


def test_a_hole_is_shown_where_it_is_even_if_it_is_added_while_the_photo_is_loading(visit):
    tab = visit()
    tab.set_input_files("#upload input[type=file]", file(np.zeros((60, 120, 3), np.uint8)))
    for box, part in (("30, 15, 90, 45", [0.25, 0.25, 0.75, 0.75]), ("0, 30, 60, 60", [0, 0.25, 0.75, 1])):
        tab.fill("#box input", box)
        tab.keyboard.press("Enter")
        wait(lambda part=part: painted_part(tab) == pytest.approx(part, abs=0.03))
    assert tab.locator("#message .message").count() == 0
