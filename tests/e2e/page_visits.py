"""A person who looks at pages and sends their forms, without a browser."""

import re
from typing import Any, Self

import httpx

from tests.e2e.stack import Stack

ALERT = re.compile(r'role="alert">(.*?)</p>', re.DOTALL)
ONCE = re.compile(r'<code id="once-\d+">(.*?)</code>')


class Visit:
    """Logged in with a key. Use as a context manager."""

    def __init__(self, stack: Stack, key: str) -> None:
        self._client = httpx.Client(
            base_url=stack.url,
            headers={"origin": stack.url, "sec-fetch-site": "same-origin"},
            timeout=30.0,
        )
        answer = self._client.post("/auth/key", json={"key": key})
        assert answer.status_code == 200, answer.text
        self.csrf: str = answer.json()["data"]["csrf_token"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def secret(self) -> str:
        """What the login's cookie holds."""
        return str(self._client.cookies["interchange_session"])

    def get(self, path: str, **query: str) -> httpx.Response:
        """Whatever comes of it."""
        return self._client.get(f"/ui/{path}", params=query)

    def look(self, path: str, **query: str) -> str:
        """A page that can be seen."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[-2000:]}"
        return answer.text

    def send(self, act: str, **fields: Any) -> httpx.Response:
        """Sends a form, `page/act`; `__` in names stands for a dot."""
        form = {name.replace("__", "."): str(value) for name, value in fields.items()}
        return self._client.post(f"/ui/{act}", data={"csrf": self.csrf, **form})

    def done(self, act: str, **fields: Any) -> str:
        """Sends a form that is taken; what is shown at once, or where the page leads then."""
        answer = self.send(act, **fields)
        assert answer.status_code in (200, 303), f"{act}: {ALERT.findall(answer.text)} {answer.text[-1500:]}"
        return answer.headers["location"] if answer.status_code == 303 else answer.text

    def refused(self, act: str, **fields: Any) -> str:
        """Sends a form that is refused; what the page says of it."""
        answer = self.send(act, **fields)
        assert answer.status_code >= 400, answer.text[-1500:]
        told = ALERT.findall(answer.text)
        assert told, answer.text[-1500:]
        return str(told[0])


def once(page: str) -> list[str]:
    """What a page shows this one time."""
    return ONCE.findall(page)
