"""What tests of pages look with: a person's browser, what it complains of, and what axe finds.

axe-core is installed once per checkout, as `package-lock.json` pins it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

from tests.node_parts import axe as axe_packages
from tests.node_parts import missing_part

AXE = Path("node_modules/axe-core/axe.min.js")
AXE_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDE, SMALL = (1440, 900), (360, 740)


@lru_cache(maxsize=1)
def axe_source() -> str:
    """axe-core, or empty with the reason why it cannot be had. Installed the first time."""
    packages = axe_packages()
    if problem := missing_part(packages):
        return f"// {problem}"
    return (packages.folder / AXE).read_text()


def new_page(
    browser: Browser, url: str, *, size: tuple[int, int] = WIDE, dark: bool = False, reduced: bool = True
) -> Page:
    """A page of a browser that knows nothing yet; paths are relative to `url`. Close its context."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if reduced else "no-preference",
        locale="en-US",
        timezone_id="UTC",
    )
    context.set_default_timeout(60_000)
    return context.new_page()


def log_in(page: Page, key: str) -> None:
    """By the login page, as people do; ends where they begin."""
    page.goto("/ui/login")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/ui/overview**")


def let_in(page: Page, key: str) -> None:
    """As the login page does it, which is loaded and filled in where it is what a test is about."""
    told = {"sec-fetch-site": "same-origin"}
    answer = page.context.request.post("/auth/key", data={"key": key}, headers=told)
    assert answer.ok, answer.text()


def seen_with(page: Page, *, size: tuple[int, int], dark: bool) -> None:
    """The same browser in another window and another theme: to begin a new one takes seconds."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")


@contextmanager
def no_complaints(page: Page, *, refused: tuple[int, ...] = ()) -> Iterator[list[str]]:
    """Fails at the end where the browser complained of anything: errors and warnings in its console, scripts
    that threw, what the content security policy stopped, requests that failed or were refused.

    `refused` are statuses that a test means to get.
    """
    found: list[str] = []
    loaded = tuple(f"status of {status}" for status in refused)

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(each in message.text for each in loaded):
            found.append(f"console {message.type}: {message.text}")

    def threw(error: Any) -> None:
        found.append(f"script: {error}")

    def failed(request: Request) -> None:
        # Whoever goes to another page breaks off what still runs.
        if request.failure != "net::ERR_ABORTED":
            found.append(f"request: {request.method} {request.url} {request.failure}")

    def answered(response: Response) -> None:
        if response.status >= 400 and response.status not in refused:
            found.append(f"answer: {response.request.method} {response.url} {response.status}")

    def issue(said: dict[str, Any]) -> None:
        told = said.get("issue", {})
        if "SecurityPolicy" in str(told.get("code")):
            found.append(f"policy: {told.get('details', {}).get('contentSecurityPolicyIssueDetails')}")

    devtools = page.context.new_cdp_session(page)
    devtools.on("Audits.issueAdded", issue)
    devtools.send("Audits.enable")
    heard = {"console": console, "pageerror": threw, "requestfailed": failed, "response": answered}
    for name, listener in heard.items():
        page.on(name, listener)  # type: ignore[call-overload]
    try:
        yield found
        page.wait_for_load_state("load")
    finally:
        for name, listener in heard.items():
            page.remove_listener(name, listener)
        devtools.detach()
    assert not found, "\n".join(found)


def axe(page: Page, *, left_out: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds wrong with the page as it is; a rule and where it is broken in each line.

    It is evaluated by the debugger, so that the page's policy stays as it is. `left_out` names rules.
    """
    page.evaluate(axe_source())
    rules = {name: {"enabled": False} for name in left_out}
    options = {
        "runOnly": {"type": "tag", "values": list(AXE_RULES)},
        "rules": rules,
        "resultTypes": ["violations"],
    }
    # Nothing else of what it tells: to bring all of that over takes as long as to look.
    told = page.evaluate("async options => (await axe.run(document, options)).violations", options)
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in told
        for node in rule["nodes"]
    ]
