"""Cookies of logins: their form, where they count, and whose request it is."""

import pytest

from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.session import csrf_token
from entrypoints.http.asgi import Scope
from entrypoints.http.callers import credential
from entrypoints.http.login_cookies import SESSION, cookie, login_shown, set_cookie, shows_login

ORIGIN = "https://gateway.example.com"
PLAIN = "http://127.0.0.1:8080"
SECRET = "s" * 43
GOOD = {b"cookie": f"a=b; __Host-{SESSION}={SECRET}; c=d".encode()}
PROOF = {b"origin": ORIGIN.encode(), b"x-interchange-csrf": csrf_token(SECRET).encode()}


def scope(path: str, method: str = "GET") -> Scope:
    return {"type": "http", "path": path, "method": method}


def test_with_https_a_cookie_is_held_to_this_host_and_to_tls() -> None:
    _, text = set_cookie(SESSION, "x", ORIGIN, kept_s=60)

    assert text == f"__Host-{SESSION}=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"


def test_without_it_the_browser_still_keeps_it_from_scripts_and_other_sites() -> None:
    _, text = set_cookie(SESSION, "x", PLAIN, kept_s=60)

    assert text == f"{SESSION}=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    "header",
    [
        f"{SESSION}={SECRET}",
        f"__Host-{SESSION}={SECRET}; __Host-{SESSION}={'t' * 43}",
        f"__host-{SESSION}={SECRET}",
        f"x__Host-{SESSION}={SECRET}",
        f"__Host-{SESSION}",
        "",
        ";;=;",
        f"__Host-{SESSION}={'s' * 5000}",
    ],
)
def test_cookies_that_another_host_could_have_set_are_none(header: str) -> None:
    assert cookie({b"cookie": header.encode()}, SESSION, ORIGIN) == ""


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/api/v1/keys", True),
        ("/auth/session", True),
        ("/health", True),
        ("/v1/chat/completions", False),
        ("/v1/files", False),
        ("/v1beta/models/x:generateContent", False),
        ("/api/v1/llm/complete", False),
        ("/", False),
    ],
)
def test_logins_count_where_people_work(path: str, counts: bool) -> None:
    assert shows_login(scope(path), GOOD, (ORIGIN,)) is counts
    assert not shows_login(scope(path), GOOD, ())


def test_looking_needs_no_proof_and_changing_does() -> None:
    path = "/api/v1/keys"

    assert login_shown(scope(path), GOOD, (ORIGIN,)) == SECRET
    assert login_shown(scope(path, "POST"), {**GOOD, **PROOF}, (ORIGIN,)) == SECRET
    assert login_shown(scope(path, "DELETE"), {**GOOD, **PROOF, b"sec-fetch-site": b"same-origin"}, (ORIGIN,))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        with pytest.raises(Forbidden):
            login_shown(scope(path, method), GOOD, (ORIGIN,))


@pytest.mark.parametrize(
    "changed",
    [
        {b"origin": b"null"},
        {b"origin": b"https://gateway.example.com.evil.org"},
        {b"origin": b"http://gateway.example.com"},
        {b"origin": b"https://gateway.example.com:444"},
        {b"sec-fetch-site": b"same-site"},
        {b"sec-fetch-site": b"cross-site"},
        {b"sec-fetch-site": b"none"},
        {b"x-interchange-csrf": b""},
        {b"x-interchange-csrf": b"\xff"},
        {b"x-interchange-csrf": csrf_token("t" * 43).encode()},
    ],
)
def test_pages_of_others_change_nothing(changed: dict[bytes, bytes]) -> None:
    with pytest.raises(Forbidden):
        login_shown(scope("/api/v1/keys", "POST"), {**GOOD, **PROOF, **changed}, (ORIGIN,))


def test_a_login_stands_alone() -> None:
    for name in (b"authorization", b"x-api-key", b"x-interchange-key"):
        with pytest.raises(InvalidRequest):
            login_shown(scope("/api/v1/keys"), {**GOOD, name: b"x"}, (ORIGIN,))


def test_a_token_before_a_key_is_refused_and_a_key_before_a_callers_own_token_is_not() -> None:
    """A server in front may have checked the other one."""
    with pytest.raises(InvalidRequest):
        credential({b"authorization": b"Bearer eyJhbGciOi", b"x-api-key": b"ik_live_x"})

    assert (
        credential({b"x-interchange-key": b"ik_live_x", b"authorization": b"Bearer eyJhbGciOi"})
        == "ik_live_x"
    )
