"""Takes the screenshot in the README: an example photo, completed in a browser.

    python experiments/page.py [example=0 width=1280 height=900 dark=false out=docs/page.png]

Needs Debian's Chromium and the extras ``app`` and ``dev``. ``example`` counts from 0.
"""

import shutil
import sys

from benchmarks.served import served
from playwright.sync_api import sync_playwright

SETTINGS = {"example": "0", "width": "1280", "height": "900", "dark": "false", "out": "docs/page.png"}
READY = 1500  # milliseconds until the editor shows the hole


def main() -> None:
    """Completes the example and takes the screenshot."""
    settings = SETTINGS | dict(word.split("=", 1) for word in sys.argv[1:])
    with served() as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(
            viewport={"width": int(settings["width"]), "height": int(settings["height"])},
            color_scheme="dark" if settings["dark"] == "true" else "light",
        )
        tab.goto(address)
        tab.locator("#examples button").nth(int(settings["example"])).click()
        tab.wait_for_selector("text=Already painted")
        tab.wait_for_timeout(READY)
        tab.click("#complete")
        tab.wait_for_selector("#outcome #answers img")
        tab.wait_for_timeout(READY)
        tab.evaluate("window.scrollTo(0, 0)")
        tab.screenshot(path=settings["out"], full_page=True)
        browser.close()
    print(settings["out"])


if __name__ == "__main__":
    main()
