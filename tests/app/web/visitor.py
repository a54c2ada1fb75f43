"""What a visitor does on the page."""

import io
import time

import numpy as np
from PIL import Image

from ganfill.app.web.canvas import PAINT
from tests.pictures import encoded

RANDOM = np.random.default_rng(0)


def file(picture, name="me.png", kind="png", **options):
    """A file for an upload."""
    return {"name": name, "mimeType": f"image/{kind}", "buffer": encoded(picture, kind, **options)}


def photo(height=120, width=150):
    return RANDOM.integers(0, 256, (height, width, 3), np.uint8)


def choose(tab, upload):
    tab.set_input_files("#upload input[type=file]", upload)
    tab.wait_for_selector("#editor canvas")


def stroke(tab, length=90):
    """Paints a line from the middle to the right; repeats it until the editor accepts it."""
    for _ in range(20):
        canvas = tab.locator("#editor canvas").first
        box = canvas.bounding_box()
        tab.wait_for_timeout(100)
        if canvas.bounding_box() != box:  # the page is still being laid out
            continue
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


def tab_to(tab, selector):
    """Presses the Tab key until an element has the focus."""
    for _ in range(80):
        if tab.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        tab.keyboard.press("Tab")
    raise AssertionError(f"{selector} is no Tab stop")


def editor_pixels(tab):
    with Image.open(io.BytesIO(tab.locator("#editor canvas").first.screenshot())) as shown:
        return np.asarray(shown.convert("RGB")).astype(int)


def painted_part(tab):
    """Returns which part of a black photo in the editor is painted: left, top, right, bottom, 0 to 1."""
    pixels = editor_pixels(tab)
    paint = np.abs(pixels - PAINT).max(-1) < 30
    y, x = np.nonzero(paint)
    if not x.size:
        return None
    rows, columns = np.nonzero((pixels.max(-1) < 30) | paint)
    (left, right), (top, bottom) = ((part.min(), part.max() + 1) for part in (columns, rows))
    across, down = (
        [(at.min() - start) / (end - start), (at.max() + 1 - start) / (end - start)]
        for at, start, end in ((x, left, right), (y, top, bottom))
    )
    return [across[0], down[0], across[1], down[1]]
