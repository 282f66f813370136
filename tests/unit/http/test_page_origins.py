"""Under which origins this server is reached: what counts as its own, and what a rebound name is told."""

import pytest

from domain.errors import Forbidden
from entrypoints.http.asgi import Scope
from entrypoints.http.login_cookies import SESSION, login_in, login_shown, shows_login
from entrypoints.http.page_origins import page_origins, reached_as

PUBLIC = "https://gateway.example.com"
SCOPE: Scope = {"type": "http", "scheme": "http", "method": "POST", "path": "/ui/keys/create"}
SECRET = "s" * 43


def headers(host: str, origin: str = "") -> dict[bytes, bytes]:
    found = {b"host": host.encode()}
    return found | ({b"origin": origin.encode()} if origin else {})


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "127.0.0.1", "localhost:1", "[::1]:8080", "LocalHost:8080"]
)
def test_on_this_machine_nothing_has_to_be_configured(host: str) -> None:
    here = f"http://{host.lower()}"

    assert page_origins(SCOPE, headers(host), "") == (here,)
    assert reached_as(SCOPE, headers(host), "") == here


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "127.0.0.1@evil",
        "127.0.0.2",
        "[::1",
        "",
        "-",
    ],
)
def test_any_other_name_has_to_be_configured(host: str) -> None:
    assert page_origins(SCOPE, headers(host), "") == ()
    with pytest.raises(Forbidden, match=r"set server\.public_url"):
        reached_as(SCOPE, headers(host), "")
    with pytest.raises(Forbidden, match="Host header"):
        reached_as(SCOPE, headers(host), PUBLIC)


def test_a_terminator_in_front_changes_the_scheme_and_not_the_origin() -> None:
    assert reached_as(SCOPE, headers("gateway.example.com", PUBLIC), PUBLIC) == PUBLIC
    assert reached_as(SCOPE, headers("gateway.example.com:443"), PUBLIC) == PUBLIC
    assert page_origins(SCOPE, headers("gateway.example.com"), PUBLIC) == (PUBLIC,)


def test_a_proxy_that_writes_its_own_host_is_told_by_the_page() -> None:
    assert reached_as(SCOPE, headers("127.0.0.1:8080", PUBLIC), PUBLIC) == PUBLIC
    assert reached_as(SCOPE, headers("127.0.0.1:8080"), PUBLIC) == "http://127.0.0.1:8080"


def test_a_cookie_belongs_to_the_origins_that_could_have_set_it() -> None:
    origins = (PUBLIC, "http://127.0.0.1:8080")

    assert login_in({b"cookie": f"__Host-{SESSION}={SECRET}".encode()}, origins) == (SECRET, (PUBLIC,))
    assert login_in({b"cookie": f"{SESSION}={SECRET}".encode()}, origins) == (SECRET, origins[1:])
    assert login_in({b"cookie": f"other={SECRET}".encode()}, origins) == ("", ())


@pytest.mark.parametrize(
    ("path", "kind", "later"),
    [
        ("/ui/keys/create", b"application/x-www-form-urlencoded", True),
        ("/ui/keys/create", b"application/x-www-form-urlencoded; charset=utf-8", True),
        ("/auth/logout", b"application/x-www-form-urlencoded", True),
        ("/ui/keys/create", b"text/plain", False),
        ("/ui/keys/create", b"application/json", False),
        ("/ui/keys/create", b"", False),
        ("/api/v1/keys", b"application/x-www-form-urlencoded", False),
        ("/auth/key", b"application/x-www-form-urlencoded", False),
    ],
)
def test_only_forms_of_pages_may_prove_themselves_in_a_field(path: str, kind: bytes, later: bool) -> None:
    here = "http://127.0.0.1:8080"
    sent = {
        **headers("127.0.0.1:8080", here),
        b"cookie": f"{SESSION}={SECRET}".encode(),
        b"content-type": kind,
    }
    scope: Scope = {**SCOPE, "path": path}

    assert shows_login(scope, sent, (here,))
    if later:
        assert login_shown(scope, sent, (here,)) == SECRET
        with pytest.raises(Forbidden):
            login_shown(scope, {**sent, b"origin": b"https://evil.example"}, (here,))
    else:
        with pytest.raises(Forbidden):
            login_shown(scope, sent, (here,))
