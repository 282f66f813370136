"""Every page of `/ui`, as an owner and as a viewer, light and dark, small and wide: what a browser would
complain of, what axe finds, what does not fit, and what only a mouse could reach. Then how few clicks lead to
why a request went where it did.

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
from entrypoints.ui.shell import FIRST_PAGE
from tests.thorough import THOROUGH
from tests.ui.browsing import SMALL, WIDE, axe, let_in, new_page, no_complaints, seen_with
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


_UNFOLD = "() => { for (const part of document.querySelectorAll('main details')) part.open = true; }"
# Rows of one shape are alike: two stand for all, or axe would look at thousands of cells. So are groups of
# navigation, the same on every page: the overview keeps them all, other pages theirs and the first.
_THIN = """whole => {
  const shape = each => [each, ...each.querySelectorAll('*')].map(
    part => [part.localName, part.className, ...part.getAttributeNames()].join(' ')).join();
  const thin = list => {
    const seen = new Map();
    let kept = 0;
    for (const each of [...list.children]) {
      const times = (seen.get(shape(each)) ?? 0) + 1;
      seen.set(shape(each), times);
      if (times > 2 || kept >= 12) each.remove(); else kept += 1;
    }
  };
  document.querySelectorAll('tbody').forEach(thin);
  if (whole) return;
  for (const list of document.querySelectorAll('nav ul')) {
    const first = list.parentElement.querySelector('ul[aria-labelledby]');
    if (list === first || list.querySelector('[aria-current]')) { thin(list); continue; }
    document.getElementById(list.getAttribute('aria-labelledby'))?.remove();
    list.remove();
  }
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


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lived_in(tmp_path_factory.mktemp("walk")) as world:
        yield world


@pytest.fixture(scope="module")
def tabs(browser: Browser, world: World) -> Iterator[dict[str, Tab]]:
    """By role, of those who have logged in so far; everybody does once."""
    found: dict[str, Tab] = {}
    yield found
    for tab in found.values():
        tab.context.close()


@pytest.fixture
def sight(request: Any, browser: Browser, world: World, tabs: dict[str, Tab]) -> Sight:
    look: Look = request.param
    role, dark, size = look
    if role not in tabs:
        tabs[role] = new_page(browser, world.stack.url)
        let_in(tabs[role], world.keys[role])
    for other in tabs.values():
        # What its page still does would go on beside this one's.
        if other is not tabs[role] and other.url != "about:blank":
            other.goto("about:blank")
    seen_with(tabs[role], size=size, dark=dark)
    return Sight(look_name(look), role, tabs[role])


@pytest.mark.parametrize(("sight", "page"), WALKS, indirect=["sight"])
def test_a_page_is_in_order(sight: Sight, axe_core: str, page: Page) -> None:
    path = f"/ui/{page.name}"
    with no_complaints(sight.tab, refused=(403,)):
        answer = sight.tab.goto(path)
        assert answer is not None and " style=" not in answer.text()
        title = page.title
        offered = sight.tab.locator(f"nav.large a[href='{path}']").count() == 1
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
    assert tab.evaluate(_TOO_WIDE) == []
    tab.evaluate(_THIN, name == FIRST_PAGE)
    assert axe(tab) == []


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


# From the overview, in at most three clicks, to why a request went where it did and what it cost.

CLICKS = """() => { sessionStorage.clicks = sessionStorage.clicks || 0;
  addEventListener("click", () => { sessionStorage.clicks = Number(sessionStorage.clicks) + 1; }, true); }"""


@pytest.fixture(scope="module")
def counting(browser: Browser, world: World) -> Iterator[Tab]:
    """Somebody who may only look, and whose clicks are counted."""
    tab = new_page(browser, world.stack.url)
    let_in(tab, world.keys["viewer"])
    tab.add_init_script(f"({CLICKS})()")
    yield tab
    tab.context.close()


@pytest.fixture(params=[WIDE, SMALL], ids=["wide", "small"])
def tab(request: pytest.FixtureRequest, counting: Tab) -> Tab:
    """On the overview; clicks are counted from here on."""
    seen_with(counting, size=request.param, dark=False)
    counting.goto("/ui/overview")
    counting.evaluate("sessionStorage.clicks = 0")
    return counting


def clicks(tab: Tab) -> int:
    return int(tab.evaluate("sessionStorage.clicks"))


def open_requests(tab: Tab) -> None:
    """By the figure on the overview, which is there on small screens too."""
    tab.locator("dl.stats a[href='/ui/requests']").click()
    tab.wait_for_url("**/ui/requests")


def test_why_a_request_failed_over_and_what_it_cost(tab: Tab, world: World) -> None:
    with no_complaints(tab):
        open_requests(tab)
        tab.keyboard.press("/")
        tab.keyboard.type("assistant")
        tab.locator("tbody tr:visible a").first.click()
        tab.wait_for_url(f"**/ui/requests/{world.failed_over}")
        assert clicks(tab) <= 3

        why = tab.locator("p.sentence").inner_text()
        assert "beta/middle answered" in why
        assert "by the route assistant" in why and "which chooses by priority" in why
        assert "1 other failed before. Why: alpha/broken failed" in why

        found = told(world)
        cost = tab.locator(".stat", has_text="Cost").locator("dd").first.inner_text()
        assert float(cost.removeprefix("$")) == pytest.approx(float(found["cost_usd"]), rel=0.01)
        assert float(found["cost_usd"]) > 0

        order = tab.locator("section[aria-labelledby='decision']").inner_text()
        assert order.index("alpha/broken") < order.index("beta/middle")
        attempts = [row.inner_text() for row in tab.locator("#rows-attempts tr").all()]
        assert len(attempts) == 2
        assert "alpha" in attempts[0] and "503" in attempts[0]
        assert "beta" in attempts[1] and "ok" in attempts[1] and "$" in attempts[1]
        assert tab.locator("ol.waterfall li").count() >= 2


def told(world: World) -> dict[str, str]:
    with world.stack.client() as client:
        found: dict[str, str] = client.get(f"/api/v1/requests/{world.failed_over}").json()
        return found


def test_the_newest_request_is_one_click_away(tab: Tab) -> None:
    first = tab.locator("#rows-newest tr a").first
    first.click()
    tab.wait_for_url("**/ui/requests/req_*")
    assert clicks(tab) == 1
    assert tab.locator("p.sentence").inner_text() != ""


def test_why_nobody_answered_is_told_too(tab: Tab) -> None:
    open_requests(tab)
    tab.keyboard.press("/")
    tab.keyboard.type("lost")
    tab.locator("tbody tr:visible a").first.click()
    tab.wait_for_url("**/ui/requests/req_*")
    assert clicks(tab) <= 3
    assert "Nobody answered" in tab.locator("p.sentence").inner_text()
    assert tab.locator(".stat", has_text="Cost").locator("dd").first.inner_text() == "$0"
