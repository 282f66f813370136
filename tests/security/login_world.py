"""A browser that shows a page of this server, as far as logins by key need one."""

from typing import Any

import httpx

from tests.e2e.stack import Stack

LOG_IN, LOG_OUT, WHO, KEYS, STOPS = (
    "/auth/key",
    "/auth/logout",
    "/auth/session",
    "/api/v1/keys",
    "/api/v1/stops",
)
CHAT = {"model": "gpt-5-nano", "messages": [{"role": "user", "content": "hi"}]}
STOP = {"agent_id": "none-such", "reason": "r", "tenant_id": "default"}
PUBLIC = "https://gateway.example.com"


def made(owner: httpx.Client, role: str = "viewer", **fields: Any) -> dict[str, Any]:
    answer = owner.post(KEYS, json={"tenant_id": "default", "name": f"a {role}", "role": role, **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


class Page:
    """A browser that shows a page of this server."""

    def __init__(self, stack: Stack, origin: str = "") -> None:
        self.url = stack.url
        self.origin = origin or stack.url
        self.cookie = ""
        self.csrf = ""

    def ask(self, method: str, path: str, *, json_: Any = None, **changed: str | None) -> httpx.Response:
        """As a script of the page asks; `changed` replaces headers, None leaves one out."""
        usual: dict[str, str | None] = {
            "origin": self.origin,
            "sec-fetch-site": "same-origin",
            "cookie": self.cookie or None,
            "x-interchange-csrf": self.csrf or None,
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        headers = {name: value for name, value in usual.items() if value is not None}
        return httpx.request(method, self.url + path, json=json_, headers=headers, timeout=20)

    def log_in(self, key: str, **changed: str | None) -> httpx.Response:
        answer = self.ask("POST", LOG_IN, json_={"key": key}, **changed)
        if answer.status_code == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.csrf = answer.json()["data"]["csrf_token"]
        return answer

    def who(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", WHO).json()["data"]
        return found


def logged_in(stack: Stack, key: str) -> Page:
    page = Page(stack)
    answer = page.log_in(key)
    assert answer.status_code == 200, answer.text
    return page


def code_of(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"]
    return found
