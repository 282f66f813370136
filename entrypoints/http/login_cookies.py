"""The cookies of logins: how they are set, where they count, and when a request with one is somebody else's.

A cookie comes with every request of its browser, also with those that pages of others make. So it counts only
on routes for people, never beside another credential, and what changes something has to come from a page of
this server and to show what only such a page can read.
"""

import hmac
from typing import Final

from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.session import csrf_token
from entrypoints.http.asgi import Scope
from entrypoints.http.callers import CREDENTIAL_HEADERS

SESSION: Final = "interchange_session"
PENDING: Final = "interchange_login"
"""Of a login that is under way."""
CSRF_HEADER: Final = b"x-interchange-csrf"
FOR_PEOPLE: Final = ("/api/v1/", "/auth/", "/health", "/cache-status", "/metrics")
NEVER: Final = ("/api/v1/llm/",)
"""Models are called with keys and tokens."""
_ASKING: Final = frozenset({"GET", "HEAD"})


def cookie_name(name: str, origin: str) -> str:
    """With `__Host-` where the browser can hold us to it: no other host and no plain connection sets it."""
    return f"__Host-{name}" if origin.startswith("https://") else name


def set_cookie(name: str, value: str, origin: str, *, kept_s: int) -> tuple[str, str]:
    """The header that sets one; `kept_s` 0 removes it."""
    secure = "; Secure" if origin.startswith("https://") else ""
    text = f"{cookie_name(name, origin)}={value}; Path=/; Max-Age={kept_s}; HttpOnly; SameSite=Lax{secure}"
    return "set-cookie", text


def cookie(headers: dict[bytes, bytes], name: str, origin: str) -> str:
    """The value of a cookie of ours; empty where there is none, or more than one."""
    wanted = cookie_name(name, origin)
    found = []
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        key, equals, value = pair.strip().partition("=")
        if equals and key == wanted:
            found.append(value)
    return found[0] if len(found) == 1 and len(found[0]) < 4096 else ""


def shows_login(scope: Scope, headers: dict[bytes, bytes], origin: str) -> bool:
    """Whether a request comes with a login, on a route where logins count."""
    path = scope["path"]
    if not origin or not path.startswith(FOR_PEOPLE) or path.startswith(NEVER):
        return False
    return bool(cookie(headers, SESSION, origin))


def login_shown(scope: Scope, headers: dict[bytes, bytes], origin: str) -> str:
    """The secret of the login that this request comes with.

    Raises:
        InvalidRequest: another credential beside it.
        Forbidden: it changes something and comes from somebody else's page.
    """
    secret = cookie(headers, SESSION, origin)
    if any(headers.get(name) for name in CREDENTIAL_HEADERS):
        raise InvalidRequest("a login and another credential in one request; send one", param="cookie")
    if scope["method"] not in _ASKING:
        check_same_page(headers, secret, origin)
    return secret


def check_same_page(headers: dict[bytes, bytes], secret: str, origin: str) -> None:
    """Raises Forbidden unless the browser says that a page of this server sent it, and the page proves it."""
    sender, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if sender is None and site is None:
        raise Forbidden("the browser does not say which page sent this (Origin or Sec-Fetch-Site)")
    if sender is not None and sender != origin.encode():
        raise Forbidden("this came from a page of another server")
    if site is not None and site != b"same-origin":
        raise Forbidden("this came from a page of another server")
    if not hmac.compare_digest(headers.get(CSRF_HEADER, b""), csrf_token(secret).encode()):
        raise Forbidden("x-interchange-csrf is missing or not this login's; GET /auth/session tells it")
