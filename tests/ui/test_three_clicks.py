"""From the overview, in at most three clicks, to why a request went where it did and what it cost."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.browsing import SMALL, WIDE, log_in, new_page, no_complaints
from tests.ui.world import World, lived_in

pytestmark = pytest.mark.browser
CLICKS = """() => { sessionStorage.clicks = sessionStorage.clicks || 0;
  addEventListener("click", () => { sessionStorage.clicks = Number(sessionStorage.clicks) + 1; }, true); }"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lived_in(tmp_path_factory.mktemp("clicks")) as world:
        yield world


@pytest.fixture(params=[WIDE, SMALL], ids=["wide", "small"])
def tab(request: pytest.FixtureRequest, browser: Browser, world: World) -> Iterator[Page]:
    """Somebody who may only look, on the overview; clicks are counted from here on."""
    tab = new_page(browser, world.stack.url, size=request.param)
    log_in(tab, world.keys["viewer"])
    tab.add_init_script(f"({CLICKS})()")
    tab.goto("/ui/overview")
    yield tab
    tab.context.close()


def clicks(tab: Page) -> int:
    return int(tab.evaluate("sessionStorage.clicks"))


def open_requests(tab: Page) -> None:
    """By the figure on the overview, which is there on small screens too."""
    tab.locator("dl.stats a[href='/ui/requests']").click()
    tab.wait_for_url("**/ui/requests")


def test_why_a_request_failed_over_and_what_it_cost(tab: Page, world: World) -> None:
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


def test_the_newest_request_is_one_click_away(tab: Page) -> None:
    first = tab.locator("#rows-newest tr a").first
    first.click()
    tab.wait_for_url("**/ui/requests/req_*")
    assert clicks(tab) == 1
    assert tab.locator("p.sentence").inner_text() != ""


def test_why_nobody_answered_is_told_too(tab: Page) -> None:
    open_requests(tab)
    tab.keyboard.press("/")
    tab.keyboard.type("lost")
    tab.locator("tbody tr:visible a").first.click()
    tab.wait_for_url("**/ui/requests/req_*")
    assert clicks(tab) <= 3
    assert "Nobody answered" in tab.locator("p.sentence").inner_text()
    assert tab.locator(".stat", has_text="Cost").locator("dd").first.inner_text() == "$0"
