"""A browser, as far as logins need one: cookies by origin, redirects, and forms that are filled in."""

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx

STEPS_MAX = 20


class Browser:
    """`aliases` say where an origin really is, so that one can pretend to be behind a terminator."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._aliases = dict(aliases)
        self._jars: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []
        self.set_cookies: list[str] = []

    def cookies(self, origin: str) -> dict[str, str]:
        """Those of an origin; they may be changed."""
        return self._jars.setdefault(origin, {})

    def ask(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        """One exchange, without following anything."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        jar = self.cookies(origin)
        real = url.replace(origin, self._aliases.get(origin, origin), 1)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if jar:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = httpx.request(method, real, data=data, headers=sent, timeout=10, follow_redirects=False)
        self.visited.append(url)
        for line in answer.headers.get_list("set-cookie"):
            self.set_cookies.append(line)
            name, _, value = line.split(";")[0].partition("=")
            if value and "max-age=0" not in line.lower() and "1970" not in line:
                jar[name] = value
            else:
                jar.pop(name, None)
        return answer

    def follow(
        self, url: str, *, until: str, login: str = "alice", method: str = "GET"
    ) -> tuple[str, httpx.Response | None]:
        """Goes where it is sent and fills in the provider's forms, until an address begins with `until`.

        That address is not asked any more. Returns it, and the last answer.
        """
        answer: httpx.Response | None = None
        data: dict[str, str] | None = None
        for _ in range(STEPS_MAX):
            if url.startswith(until) and answer is not None:
                return url, answer
            answer = self.ask(method, url, data=data)
            method, data = "GET", None
            if "location" in answer.headers:
                url = urljoin(url, answer.headers["location"])
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert form is not None, f"{answer.status_code} {answer.text[:500]}"
            url, method = urljoin(url, unescape(form[1])), "POST"
            kind = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert kind is not None, answer.text[:500]
            data = {"prompt": kind[1], "login": login, "password": "any"}
        raise AssertionError(f"no end: {self.visited}")
