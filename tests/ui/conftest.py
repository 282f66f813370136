"""A real Chromium, the distribution's, and an installation for it to look at."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import missing
from tests.e2e.stack import Stack
from tests.ui.browsing import WIDE, axe_source, new_page, seen_with

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one file of tests at a time: its event loop would be in the way of others' tests."""
    found = os.environ.get("INTERCHANGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("Chromium")
        return
    with sync_playwright() as playwright:
        # As root, as in containers, its sandbox cannot be had; it sees pages of ours only.
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe_core() -> str:
    """What `browsing.axe` needs; for tests that cannot do without."""
    source = axe_source()
    if source.startswith("// "):
        missing(f"axe-core ({source[3:]})")
    return source


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As `make run` has it: nothing is configured, and models are simulated."""
    with Stack(tmp_path_factory.mktemp("ui")) as started:
        yield started


@pytest.fixture(scope="module")
def window(browser: Browser, stack: Stack) -> Iterator[Page]:
    """What each test has as `page`, one after the other."""
    page = new_page(browser, stack.url)
    yield page
    page.context.close()


@pytest.fixture
def page(window: Page) -> Iterator[Page]:
    """A browser where nobody is logged in. Whoever has it next finds it so again: a new one takes seconds."""
    yield window
    for other in window.context.pages:
        if other is not window:
            other.close()
    window.unroute_all()
    window.context.clear_cookies()
    window.goto("about:blank")
    seen_with(window, size=WIDE, dark=False)
