"""Logging in and out in a browser, with nothing configured but a key."""

import httpx
import pytest
from playwright.sync_api import Page

from entrypoints.http.login_cookies import SESSION
from tests.e2e.stack import Stack
from tests.ui.browsing import SMALL, WIDE, axe, let_in, log_in, no_complaints, seen_with

pytestmark = pytest.mark.browser


def test_a_key_leads_from_the_login_to_the_overview_and_out_again(page: Page, stack: Stack) -> None:
    with no_complaints(page):
        page.goto("/ui")
        assert "/ui/login" in page.url
        log_in(page, stack.key)
        page.get_by_role("heading", level=1).wait_for()
        kept = {cookie["name"]: cookie for cookie in page.context.cookies()}
        page.locator("details.who summary").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/ui/login**")

    assert kept[SESSION].get("httpOnly") and kept[SESSION].get("sameSite") == "Lax"
    assert page.evaluate("document.cookie") == "" and page.context.cookies() == []
    assert page.get_by_text("You are logged out.").is_visible()


def test_a_bad_key_is_told_on_the_page_and_where_one_wanted_to_go_is_kept(page: Page, stack: Stack) -> None:
    with no_complaints(page):
        page.goto("/ui/requests")
        page.get_by_label("API key").fill("ik_live_wrong")
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("API key").fill(stack.key)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/ui/requests")


def test_a_key_that_is_revoked_meanwhile_shows_nothing_more(page: Page, stack: Stack) -> None:
    with stack.client() as owner:
        made = owner.post("/api/v1/keys", json={"tenant_id": "default", "name": "n", "role": "viewer"}).json()
        let_in(page, made["key"])
        page.goto("/ui/overview")
        assert "/ui/overview" in page.url
        assert owner.delete(f"/api/v1/keys/{made['key_id']}").status_code < 300

    page.goto("/ui/overview")

    assert "/ui/login" in page.url


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "http://localhost:1"])
def test_a_page_of_another_server_cannot_use_the_login(page: Page, stack: Stack, origin: str) -> None:
    """Of another site, and of another port of this machine, which gets its cookies sent along."""
    let_in(page, stack.key)
    other = page.context.new_page()
    other.route(
        f"{origin}/**", lambda route: route.fulfill(body="<title>e</title>", content_type="text/html")
    )
    other.goto(f"{origin}/")

    tried = """async ([url, key]) => {
      const send = (path, body) => fetch(url + path, {
        method: "POST", body, mode: "no-cors", credentials: "include",
      }).catch(() => 0);
      await send("/auth/logout", new URLSearchParams({csrf: "x"}));
      await send("/api/v1/stops", '{"agent_id": "planted", "reason": "r"}');
      await send("/auth/key", new URLSearchParams({key}));
    }"""
    other.evaluate(tried, [stack.url, stack.key])

    page.goto("/ui/overview")
    assert "/ui/overview" in page.url
    with stack.client() as owner:
        assert "planted" not in owner.get("/api/v1/stops").text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["small", "wide"])
def test_everybody_can_log_in(page: Page, axe_core: str, size: tuple[int, int], dark: bool) -> None:
    seen_with(page, size=size, dark=dark)
    with no_complaints(page):
        page.goto("/ui/login?said=refused")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_complaints_are_heard(page: Page, stack: Stack) -> None:
    """A page that does everything wrong, under the policy of the real ones."""
    policy = httpx.get(f"{stack.url}/ui/login", timeout=10).headers["content-security-policy"]
    bad = "<img src='/none-such.png'><button></button><style>p{color:red}</style><script>1</script>"
    page.route(
        "**/bad",
        lambda route: route.fulfill(
            body=bad, headers={"content-security-policy": policy, "content-type": "text/html"}
        ),
    )

    with pytest.raises(AssertionError) as told, no_complaints(page):
        page.goto("/bad")

    for part in ("style", "script", "none-such.png 404"):
        assert part in str(told.value)
    assert "policy: " in str(told.value)
    assert any(line.startswith("button-name") for line in axe(page))
