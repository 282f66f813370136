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
CSRF_FIELD: Final = "csrf"
"""Where forms of `/ui` send it: a form without a script has no headers of its own."""
PAGES: Final = "/ui/"
LOG_OUT: Final = "/auth/logout"
FOR_PEOPLE: Final = ("/api/v1/", "/auth/", "/health", "/cache-status", "/metrics", PAGES)
NEVER: Final = ("/api/v1/llm/",)
"""Models are called with keys and tokens."""
UNATTENDED: Final = "interchange.unattended"
"""True in the scope of a request that a page made by itself, and of what is asked for it in process."""
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


def attended(scope: Scope) -> bool:
    """Whether a person made this request, and not a page that refreshes itself."""
    return not scope.get(UNATTENDED, False)


def login_in(headers: dict[bytes, bytes], origins: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The secret of the login a request comes with, and the origins its pages can have; empty: none."""
    for origin in origins:
        if secret := cookie(headers, SESSION, origin):
            name = cookie_name(SESSION, origin)
            return secret, tuple(each for each in origins if cookie_name(SESSION, each) == name)
    return "", ()


def shows_login(scope: Scope, headers: dict[bytes, bytes], origins: tuple[str, ...]) -> bool:
    """Whether a request comes with a login, on a route where logins count."""
    path = scope["path"]
    if not (path.startswith(FOR_PEOPLE) or path == "/ui") or path.startswith(NEVER):
        return False
    return bool(login_in(headers, origins)[0])


def login_shown(scope: Scope, headers: dict[bytes, bytes], origins: tuple[str, ...]) -> str:
    """The secret of the login that this request comes with.

    A form of `/ui` may have its proof in a field: whoever reads the form checks it (`People.check_form`).

    Raises:
        InvalidRequest: another credential beside it.
        Forbidden: it changes something and comes from somebody else's page.
    """
    secret, theirs = login_in(headers, origins)
    if any(headers.get(name) for name in CREDENTIAL_HEADERS):
        raise InvalidRequest("a login and another credential in one request; send one", param="cookie")
    if scope["method"] not in _ASKING:
        check_same_page(headers, theirs)
        if not proved_later(scope, headers):
            check_proof(headers.get(CSRF_HEADER, b""), secret)
    return secret


def proved_later(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether this is a form of a page without the header: its field has to prove what the header would."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return (
        CSRF_HEADER not in headers
        and scope["method"] == "POST"
        and (scope["path"].startswith(PAGES) or scope["path"] == LOG_OUT)
        and kind == b"application/x-www-form-urlencoded"
    )


def check_same_page(headers: dict[bytes, bytes], origins: tuple[str, ...]) -> None:
    """Raises Forbidden unless the browser says that a page of this server sent it.

    A page that tells nobody where it is sends the origin `null`; then only the browser's own word counts.
    """
    sender, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if sender is None and site is None:
        raise Forbidden("the browser does not say which page sent this (Origin or Sec-Fetch-Site)")
    if site is not None and site != b"same-origin":
        raise Forbidden("this came from a page of another server")
    hidden = sender is None or (sender == b"null" and site is not None)
    if not origins or not (hidden or sender in {each.encode() for each in origins}):
        raise Forbidden("this came from a page of another server")


def check_proof(shown: bytes, secret: str) -> None:
    """Raises Forbidden unless this is what only a page of this login can read."""
    if not hmac.compare_digest(shown, csrf_token(secret).encode()):
        raise Forbidden("x-interchange-csrf is missing or not this login's; GET /auth/session tells it")
