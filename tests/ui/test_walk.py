"""Every page of `/ui`, as an owner and as a viewer, light and dark, small and wide: what a browser would
complain of, what axe finds, what does not fit, and what only a mouse could reach.

`INTERCHANGE_UI_SCREENSHOTS` names a folder where pictures of what was seen are put.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from entrypoints.ui.page import Page
from entrypoints.ui.pages import PAGES
from tests.thorough import THOROUGH
from tests.ui.browsing import SMALL, WIDE, axe, log_in, new_page, no_complaints
from tests.ui.world import World, lived_in

pytestmark = pytest.mark.browser

Look = tuple[str, bool, tuple[int, int]]
"""Somebody's role, whether it is dark, and the size of the window."""
LOOKS: list[Look] = list(product(("owner", "viewer"), (False, True), (WIDE, SMALL)))


def looks_at(number: int) -> list[Look]:
    """One and its opposite: both roles, both colours and both sizes. Four numbers in a row have all eight.

    In a thorough run all eight each time.
    """
    return LOOKS if THOROUGH else [LOOKS[number % 4], LOOKS[-1 - number % 4]]


def look_name(look: Look) -> str:
    role, dark, size = look
    return f"{role}-{'dark' if dark else 'light'}-{size[0]}"


WALKS = [
    pytest.param(look, page, id=f"{look_name(look)}-{page.name}")
    for look in LOOKS
    for number, page in enumerate(PAGES)
    if look in looks_at(number)
]


def seen(number: int) -> pytest.MarkDecorator:
    """A test in the looks of this number."""
    return pytest.mark.parametrize("sight", looks_at(number), indirect=True, ids=look_name)


# Rows are alike: the first ones stand for all, or axe would look at thousands of cells.
_UNFOLD = """() => {
  for (const part of document.querySelectorAll('main details')) part.open = true;
  for (const body of document.querySelectorAll('tbody')) while (body.rows.length > 12) body.deleteRow(-1);
}"""
_TOO_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll('body *')].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && box.right > innerWidth + 1 && !each.parentElement.closest('.scroll, pre');
  }).slice(0, 5).map(each => each.outerHTML.slice(0, 160))"""

# Acts stay in reach while a wide table is scrolled; where it is not, they must not lie upon its columns.
_COVERED = """() => [...document.querySelectorAll('main .scroll')].filter(each =>
  each.querySelector('td.acts') && getComputedStyle(each.querySelector('td.acts')).position === 'sticky'
  && each.scrollWidth > each.clientWidth + 1).map(each => each.ariaLabel)"""


@dataclass(frozen=True, slots=True)
class Sight:
    """Somebody who is logged in, in a browser of theirs."""

    name: str
    role: str
    tab: Tab
    offered: frozenset[str]
    """The pages that the navigation leads to."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lived_in(tmp_path_factory.mktemp("walk")) as world:
        yield world


@pytest.fixture(scope="module")
def sights(browser: Browser, world: World) -> Iterator[dict[Look, Sight]]:
    """Who has logged in so far; everybody does once."""
    found: dict[Look, Sight] = {}
    yield found
    for sight in found.values():
        sight.tab.context.close()


@pytest.fixture
def sight(request: Any, browser: Browser, world: World, sights: dict[Look, Sight]) -> Iterator[Sight]:
    look: Look = request.param
    if look not in sights:
        role, dark, size = look
        tab = new_page(browser, world.stack.url, size=size, dark=dark)
        log_in(tab, world.keys[role])
        links = tab.locator("nav.large a").all()
        offered = frozenset(link.get_attribute("href") or "" for link in links)
        sights[look] = Sight(look_name(look), role, tab, offered)
    yield sights[look]
    sights[look].tab.goto("about:blank")  # what a page still does would go on beside the others' tests


@pytest.mark.parametrize(("sight", "page"), WALKS, indirect=["sight"])
def test_a_page_is_in_order(sight: Sight, axe_core: str, page: Page) -> None:
    path = f"/ui/{page.name}"
    offered = path in sight.offered
    with no_complaints(sight.tab, refused=(403,)):
        answer = sight.tab.goto(path)
        assert answer is not None and " style=" not in answer.text()
        title = page.title
        if not offered and not page.hidden:
            title = ""
            assert (sight.role, answer.status) == ("viewer", 403)
            assert "Your role may not see this page" in sight.tab.inner_text("main")
        else:
            assert answer.status == 200
        _look(sight, page.name, title)
    within = sight.tab.locator(f"main a[href^='{path}/']")
    if within.count() == 0:
        return
    item = within.first.get_attribute("href")
    assert item is not None
    with no_complaints(sight.tab):
        answer = sight.tab.goto(item)
        assert answer is not None and answer.status == 200, item
        _look(sight, f"{page.name}-item", "")


def _look(sight: Sight, name: str, title: str) -> None:
    """At what is shown, then at everything that can be unfolded."""
    tab = sight.tab
    assert tab.locator("h1").count() == 1
    assert tab.title().endswith("Interchange") and title in tab.title()
    if title:
        assert tab.locator("h1").inner_text() != ""
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    assert tab.evaluate(_TOO_WIDE) == []
    assert tab.evaluate(_COVERED) == []
    _picture(sight, name)
    tab.evaluate(_UNFOLD)
    assert axe(tab) == []
    assert tab.evaluate(_TOO_WIDE) == []


def _picture(sight: Sight, name: str) -> None:
    folder = os.environ.get("INTERCHANGE_UI_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        sight.tab.evaluate("scrollTo(0, 0)")
        sight.tab.screenshot(path=Path(folder) / f"{name}-{sight.name}.png", full_page=True)


@seen(0)
def test_menus_open_and_close_by_keyboard(sight: Sight) -> None:
    tab = sight.tab
    tab.goto("/ui/overview")
    small = tab.locator("details.menu-small summary")
    for summary in [tab.locator("details.who summary"), *([small] if small.is_visible() else [])]:
        summary.focus()
        tab.keyboard.press("Enter")
        assert summary.locator("..").evaluate("menu => menu.open")
        tab.keyboard.press("Tab")
        assert summary.evaluate("each => each.parentElement.contains(document.activeElement)")
        tab.keyboard.press("Escape")
        assert not summary.locator("..").evaluate("menu => menu.open")


@seen(1)
def test_tab_reaches_navigation_filter_and_table(sight: Sight) -> None:
    tab = sight.tab
    tab.goto("/ui/requests")
    reached = set()
    for _ in range(120):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate(
                """() => { const each = document.activeElement;
                return each.closest('nav') ? 'navigation' : each.closest('form.filters') ? 'filters' :
                  each.matches('[data-filter]') ? 'quick' : each.matches('.sort') ? 'sort' :
                  each.closest('tbody') ? 'row' : ''; }"""
            )
        )
        if "row" in reached:
            break
    wanted = {"filters", "quick", "sort", "row"}
    if tab.locator("nav.large").is_visible():
        wanted.add("navigation")
    assert wanted <= reached


@seen(2)
def test_a_filter_is_sent_by_enter(sight: Sight) -> None:
    tab = sight.tab
    tab.goto("/ui/requests")
    tab.get_by_label("Route", exact=True).fill("assistant")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**route=assistant**")
    assert tab.locator("tbody tr").count() == 1


@seen(3)
def test_a_table_is_filtered_and_sorted_by_keyboard(sight: Sight) -> None:
    tab = sight.tab
    tab.goto("/ui/requests")
    tab.keyboard.press("/")
    tab.keyboard.type("assistant")
    shown = tab.locator("tbody tr:visible")
    assert 0 < shown.count() < tab.locator("tbody tr").count()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("nothing like this")
    assert tab.get_by_text("Nothing matches the filter.").is_visible()
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Delete")
    sort = tab.get_by_role("button", name="Cost", exact=True)
    for direction in ("ascending", "descending"):
        sort.focus()
        tab.keyboard.press("Enter")
        assert tab.locator(f"th[aria-sort={direction}]").count() == 1
