"""Logins by key as attackers try them: other pages, stolen cookies, strange names."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from domain.tenancy.session import digest_of
from entrypoints.http.login_cookies import SESSION
from tests.e2e.stack import Stack
from tests.security.login_world import (
    CHAT,
    KEYS,
    LOG_IN,
    LOG_OUT,
    PUBLIC,
    STOP,
    STOPS,
    WHO,
    Page,
    code_of,
    logged_in,
    made,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As `make run` has it: nothing is configured."""
    with Stack(tmp_path_factory.mktemp("logins")) as started:
        yield started


@pytest.fixture
def owner(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def test_a_key_logs_in_with_nothing_configured(stack: Stack) -> None:
    page = Page(stack)
    answer = page.log_in(stack.key)
    cookie = answer.headers["set-cookie"]

    who = page.who()

    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert cookie.startswith(f"{SESSION}=") and cookie.endswith(
        "; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"
    )
    assert (who["kind"], who["login"], who["role"], who["idle_s"]) == ("session", "key", "owner", 3600)
    assert who["csrf_token"] == page.csrf
    assert page.ask("GET", KEYS).status_code == 200
    assert page.ask("POST", STOPS, json_=STOP).status_code == 201


def test_a_form_goes_on_to_its_page_and_a_bad_key_back_to_the_login(stack: Stack) -> None:
    page = {"origin": stack.url, "sec-fetch-site": "same-origin"}

    def sent(**form: str) -> httpx.Response:
        return httpx.post(stack.url + LOG_IN, data=form, headers=page, timeout=20)

    good = sent(key=stack.key, return_to="/ui/requests?a=b")
    bad = sent(key="ik_live_no", return_to="/ui/requests")
    for away in (
        "https://evil.example/",
        "//evil.example",
        "/ui//evil.example",
        "/ui/\\evil",
        "/ui/a\r\nx: y",
    ):
        assert sent(key=stack.key, return_to=away).headers["location"] == "/ui"

    assert (good.status_code, good.headers["location"]) == (303, "/ui/requests?a=b")
    assert good.headers["set-cookie"].startswith(f"{SESSION}=")
    assert bad.status_code == 303 and "set-cookie" not in bad.headers
    assert bad.headers["location"] == "/ui/login?said=refused&to=%2Fui%2Frequests"


def test_a_hidden_origin_of_our_own_page_counts_as_the_browser_says(stack: Stack) -> None:
    """Pages that tell nobody where they are send the origin `null`."""
    assert Page(stack).log_in(stack.key, origin="null").status_code == 200
    assert Page(stack).log_in(stack.key, origin=None).status_code == 200
    assert Page(stack).log_in(stack.key, origin="null", sec_fetch_site=None).status_code == 403


def test_nothing_of_a_key_or_a_cookie_is_kept(stack: Stack) -> None:
    page = logged_in(stack, stack.key)
    secret = page.cookie.partition("=")[2]

    with sqlite3.connect(stack.data_dir / "interchange.db") as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = json.dumps(
            [database.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables], default=str
        )
    assert "login_sessions" in tables and digest_of(secret) in kept
    assert secret not in kept and stack.key not in kept and stack.key.split("_")[3] not in kept


def test_a_login_is_entered_with_the_id_of_its_key(stack: Stack, owner: httpx.Client) -> None:
    key = made(owner, "admin", name="on call")
    page = logged_in(stack, key["key"])
    assert page.ask("POST", STOPS, json_=STOP).status_code == 201

    entries = owner.get("/api/v1/audit", params={"limit": 100}).text

    assert '"sessions.create"' in entries and key["key_id"] in entries
    acts = [row for row in json.loads(entries)["entries"] if row["action"] == "stops.create"]
    assert key["key_id"] in json.dumps(acts) and '"session"' in json.dumps(acts)


# Fixation and theft


def test_a_session_planted_before_the_login_is_not_the_one_after_it(
    stack: Stack, owner: httpx.Client
) -> None:
    attacker = logged_in(stack, made(owner, "viewer")["key"])
    victim = Page(stack)
    victim.cookie = attacker.cookie

    victim.log_in(stack.key)

    assert victim.cookie != attacker.cookie
    assert victim.who()["role"] == "owner"
    assert attacker.ask("GET", WHO).status_code == 401
    planted = Page(stack)
    planted.cookie = f"{SESSION}={'a' * 43}"
    planted.log_in(stack.key)
    assert planted.cookie != f"{SESSION}={'a' * 43}"


def test_a_stolen_cookie_is_worth_nothing_after_the_logout(stack: Stack) -> None:
    page = logged_in(stack, stack.key)
    stolen = Page(stack)
    stolen.cookie, stolen.csrf = page.cookie, page.csrf

    ended = page.ask("POST", LOG_OUT)

    assert ended.status_code == 204 and "Max-Age=0" in ended.headers["set-cookie"]
    assert stolen.ask("GET", WHO).status_code == 401
    assert stolen.ask("GET", KEYS).status_code == 401


def test_a_form_logs_out_with_its_field_and_not_without(stack: Stack) -> None:
    page = logged_in(stack, stack.key)
    headers = {"origin": stack.url, "sec-fetch-site": "same-origin", "cookie": page.cookie}

    def sent(**form: str) -> httpx.Response:
        return httpx.post(stack.url + LOG_OUT, data=form, headers=headers, timeout=20)

    assert [sent(x="y").status_code, sent(csrf="x" * 43).status_code] == [403, 403]
    assert page.who()["role"] == "owner"
    assert (sent(csrf=page.csrf).status_code, page.ask("GET", WHO).status_code) == (303, 401)


# Other pages, other names


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example", "sec_fetch_site": None},
        {"origin": "http://127.0.0.1:1", "sec_fetch_site": "same-site"},
        {"origin": "http://127.0.0.1:1", "sec_fetch_site": None},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"origin": "null", "sec_fetch_site": None},
        {"origin": None, "sec_fetch_site": None},
        {"origin": None, "sec_fetch_site": "none"},
    ],
)
def test_pages_of_others_neither_log_in_nor_change_anything(stack: Stack, changed: dict[str, Any]) -> None:
    assert Page(stack).log_in(stack.key, **changed).status_code == 403
    page = logged_in(stack, stack.key)

    assert page.ask("POST", STOPS, json_=STOP, **changed).status_code == 403
    assert page.ask("POST", LOG_OUT, **changed).status_code == 403
    assert page.who()["role"] == "owner"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_simple_forms_change_nothing_without_the_token(stack: Stack, kind: str) -> None:
    page = logged_in(stack, stack.key)
    headers = {
        "origin": stack.url,
        "sec-fetch-site": "same-origin",
        "cookie": page.cookie,
        "content-type": kind,
    }

    for path in (STOPS, KEYS):
        sent = httpx.post(stack.url + path, content=json.dumps(STOP), headers=headers, timeout=20)
        assert (sent.status_code, code_of(sent)) == (403, "forbidden")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "10.0.0.7",
        "[::2]",
        "",
    ],
)
def test_a_name_rebound_to_this_machine_logs_nobody_in(stack: Stack, host: str) -> None:
    page = logged_in(stack, stack.key)

    refused = Page(stack, f"http://{host}").log_in(stack.key, host=host)

    assert refused.status_code in (400, 403) and "set-cookie" not in refused.headers
    if host and refused.status_code == 403:
        assert "server.public_url" in refused.text
    assert page.ask("GET", KEYS, host=host).status_code in (400, 401)
    assert page.ask("POST", STOPS, json_=STOP, host=host, origin=f"http://{host}").status_code in (400, 401)


def test_under_its_public_name_it_is_the_named_origin_that_counts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = f"profile: embedded\nserver: {{public_url: {PUBLIC}}}\n"
    with Stack(tmp_path_factory.mktemp("named"), config) as stack:
        named = Page(stack, PUBLIC)
        answer = named.log_in(stack.key, host="gateway.example.com")
        cookie = answer.headers["set-cookie"]
        near = logged_in(stack, stack.key)

        assert cookie.startswith(f"__Host-{SESSION}=") and cookie.endswith("; Secure")
        assert named.ask("GET", KEYS, host="gateway.example.com").status_code == 200
        assert named.ask("POST", STOPS, json_=STOP, host="gateway.example.com").status_code == 201
        assert near.cookie.startswith(f"{SESSION}=")
        crossed = near.ask("POST", STOPS, json_=STOP, cookie=named.cookie, x_interchange_csrf=named.csrf)
        assert crossed.status_code == 403
        refused = named.log_in(stack.key, host="other.example.com")
        assert refused.status_code == 403 and PUBLIC in refused.text
        # A proxy that writes its own Host in front: the page's origin tells.
        proxied = Page(stack, PUBLIC)
        assert proxied.log_in(stack.key).headers["set-cookie"].startswith(f"__Host-{SESSION}=")
        assert proxied.ask("POST", STOPS, json_=STOP).status_code == 201


# What a session may


def test_a_viewer_logged_in_has_a_viewers_rights_and_no_more(stack: Stack, owner: httpx.Client) -> None:
    page = logged_in(stack, made(owner, "viewer")["key"])

    assert page.ask("GET", "/api/v1/budgets").status_code == 200
    for path, body in ((STOPS, STOP), (KEYS, {"tenant_id": "default", "name": "n", "role": "owner"})):
        assert page.ask("POST", path, json_=body).status_code == 403


def test_a_login_calls_no_models(stack: Stack) -> None:
    page = logged_in(stack, stack.key)

    for path in ("/v1/chat/completions", "/v1/messages", "/api/v1/llm/complete", "/mcp"):
        assert page.ask("POST", path, json_=CHAT).status_code == 401, path


def test_a_login_beside_another_credential_is_refused(stack: Stack) -> None:
    page = logged_in(stack, stack.key)

    for header in ("authorization", "x_api_key", "x_interchange_key"):
        value = f"Bearer {stack.key}" if header == "authorization" else stack.key
        assert page.ask("GET", KEYS, **{header: value}).status_code == 400


def test_a_cookie_that_comes_twice_is_none(stack: Stack) -> None:
    page = logged_in(stack, stack.key)

    assert page.ask("GET", WHO, cookie=f"{page.cookie}; {SESSION}={'a' * 43}").status_code == 401
