import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from ganfill.model_io import model_file

SCALE = 0.5  # of the page; without a GPU, drawing takes most of the time


@pytest.fixture
def path(tmp_path, model, enliven):
    """A model file whose pictures differ."""
    model_file.save(tmp_path / "tiny.safetensors", enliven(model))
    return tmp_path / "tiny.safetensors"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder for a page's files; the variable that ``server.build`` sets is reset at the end of the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", "")
        yield tmp_path_factory.mktemp("pictures").resolve()


@pytest.fixture(scope="module")
def built(pictures):
    """Builds a server with a page."""
    server = pytest.importorskip("ganfill.app.server", reason="the extra app is not installed")

    def built(service, hosts=("127.0.0.1",)):
        async def build():
            return server.build(service, hosts, pictures)

        # Without a running loop Gradio makes several and closes none; this thread's may be Playwright's.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, build()).result()

    return built


@pytest.fixture(scope="module")
def browser():
    """Chromium, for tests that open a page; they are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("there is no chromium to open the page with")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Opens the page at the module's ``address`` as a new visitor.

    The page must not send requests to other servers or log errors to its console.
    """
    contexts, problems = [], []

    def visit(**options):
        contexts.append(browser.new_context(device_scale_factor=SCALE, **options))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(90_000)  # some steps are slow without a GPU, and beside other workers
        tab.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("request", lambda request: check(request.url))
        tab.goto(address)
        tab.wait_for_selector("#upload")
        return tab

    def check(url):
        if not url.startswith((address, "data:", "blob:")):
            problems.append(url)

    yield visit
    for context in contexts:
        context.close()
    assert problems == []
