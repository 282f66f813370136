"""Tokens and logins of a real OpenID provider, on real sockets."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from entrypoints.cli.doctor import examine
from tests.conftest import missing
from tests.e2e.stack import Stack
from tests.oidc.browser import Browser
from tests.oidc.running import PUBLIC_URL, RealProvider, running_provider

CHAT = {"model": "sim/gpt-5-nano", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
COOKIE = "__Host-interchange_session"
PENDING = "__Host-interchange_login"
CONFIG = """
profile: embedded
providers: {sim: {kind: openai, api_key: sk-sim, base_url: "{sim}/openai/v1"}}
server: {public_url: "%(public)s"}
tenants: {acme: {}}
identity:
  issuers:
    - issuer: "%(issuer)s"
      audiences: ["%(public)s"]
      algorithms: [RS256]
      tenant: acme
      roles: {platform-admins: admin, developers: developer, bots: agent}
  login:
    issuer: "%(issuer)s"
    client_id: interchange
    client_secret: web:secret/%%
    scopes: [openid, profile, email]
    cli: {client_id: interchange-cli, resource: "%(public)s", scopes: [openid, offline_access, llm]}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with running_provider() as started:
        if isinstance(started, str):
            missing(f"the OpenID provider ({started})")
            return
        yield started


@pytest.fixture(scope="module")
def stack(provider: RealProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("identity")
    with Stack(folder, CONFIG % {"issuer": provider.issuer, "public": PUBLIC_URL}) as started:
        yield started


@pytest.fixture
def browser(stack: Stack) -> Browser:
    return Browser({PUBLIC_URL: stack.url})


def logged_in(browser: Browser, login: str = "alice", return_to: str = "") -> httpx.Response:
    """Goes the whole way; the answer to the callback."""
    start = f"{PUBLIC_URL}/auth/login" + (f"?return_to={return_to}" if return_to else "")
    back, _ = browser.follow(start, until=f"{PUBLIC_URL}/auth/callback", login=login)
    return browser.ask("GET", back)


def who(browser: Browser) -> httpx.Response:
    return browser.ask("GET", f"{PUBLIC_URL}/auth/session")


def asked(stack: Stack, method: str, path: str, token: str, **more: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, stack.url + path, headers=headers, timeout=10, **more)  # type: ignore[arg-type]


# Tokens


def test_a_machine_calls_models_with_its_providers_token(stack: Stack, provider: RealProvider) -> None:
    token = provider.token()

    answer = asked(stack, "POST", "/v1/chat/completions", token, json=CHAT)
    key = asked(stack, "GET", "/api/v1/key", token).json()["data"]

    assert answer.status_code == 200, answer.text
    assert (key["tenant_id"], key["role"], key["label"]) == ("acme", "agent", "bot")
    assert key["assertable"] == ["user:bot"]
    assert asked(stack, "GET", "/api/v1/keys", token).status_code == 403


def test_a_token_speaks_for_nobody_else(stack: Stack, provider: RealProvider) -> None:
    headers = {"authorization": f"Bearer {provider.token()}", "x-interchange-user-id": "alice"}

    refused = httpx.post(f"{stack.url}/v1/chat/completions", headers=headers, json=CHAT, timeout=10)

    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "identity_not_allowed"


def test_a_changed_or_foreign_token_is_refused(stack: Stack, provider: RealProvider) -> None:
    token = provider.token()
    head, payload, signature = token.split(".")

    for bad in (token[:-6] + "AAAAAA", f"{head}.{payload}.", f"{head}.{payload}.{signature}=", "eyJ.eyJ.eyJ"):
        refused = asked(stack, "GET", "/api/v1/key", bad)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_token")


def test_keys_go_on_working_beside_tokens(stack: Stack) -> None:
    assert asked(stack, "GET", "/api/v1/key", stack.key).json()["data"]["role"] == "owner"
    assert asked(stack, "GET", "/auth/session", stack.key).json()["data"]["kind"] == "key"


# Logins


def test_a_person_logs_in_and_out(browser: Browser) -> None:
    back = logged_in(browser, return_to="/docs")

    assert (back.status_code, back.headers["location"]) == (303, "/docs")
    [line] = [line for line in browser.set_cookies if line.startswith(f"{COOKIE}=")]
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= {part.strip() for part in line.split(";")}
    assert "Domain" not in line
    me = who(browser).json()["data"]
    assert (me["kind"], me["subject"], me["role"], me["tenant_id"]) == (
        "session",
        "alice",
        "developer",
        "acme",
    )
    assert PENDING not in browser.cookies(PUBLIC_URL)

    secret = browser.cookies(PUBLIC_URL)[COOKIE]
    out = browser.ask(
        "POST", f"{PUBLIC_URL}/auth/logout", origin=PUBLIC_URL, x_interchange_csrf=me["csrf_token"]
    )
    assert out.status_code == 204, out.text
    assert COOKIE not in browser.cookies(PUBLIC_URL)
    browser.cookies(PUBLIC_URL)[COOKIE] = secret
    assert who(browser).status_code == 401, "the secret is worth nothing after it"


def test_the_provider_is_asked_with_pkce_state_and_nonce(browser: Browser, provider: RealProvider) -> None:
    sent = browser.ask("GET", f"{PUBLIC_URL}/auth/login").headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(sent).query).items()}

    assert sent.startswith(f"{provider.issuer}/auth?")
    assert query["code_challenge_method"] == "S256" and len(query["code_challenge"]) == 43
    assert query["redirect_uri"] == f"{PUBLIC_URL}/auth/callback"
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    pending = browser.cookies(PUBLIC_URL)[PENDING]
    assert pending[:43] not in sent


def test_what_roles_let_people_do_their_logins_let_them(browser: Browser) -> None:
    logged_in(browser, "admin-anna")

    assert browser.ask("GET", f"{PUBLIC_URL}/api/v1/keys").status_code == 200
    me = who(browser).json()["data"]
    new = {"tenant_id": "acme", "name": "by a page", "role": "agent"}
    url, proof = f"{PUBLIC_URL}/api/v1/keys", me["csrf_token"]

    def create(**headers: str) -> httpx.Response:
        cookie = {"cookie": f"{COOKIE}={browser.cookies(PUBLIC_URL)[COOKIE]}"}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        real = url.replace(PUBLIC_URL, browser._aliases[PUBLIC_URL])
        return httpx.post(real, json=new, headers={**cookie, **sent}, timeout=10)

    assert create(x_interchange_csrf=proof).status_code == 403
    assert create(origin=PUBLIC_URL).status_code == 403
    assert create(origin="https://evil.example.com", x_interchange_csrf=proof).status_code == 403
    assert create(origin="null", x_interchange_csrf=proof).status_code == 403
    assert create(sec_fetch_site="cross-site", x_interchange_csrf=proof).status_code == 403
    assert create(sec_fetch_site="same-site", x_interchange_csrf=proof).status_code == 403
    assert create(origin=PUBLIC_URL, x_interchange_csrf=proof[:-1] + "x").status_code == 403
    assert create(origin=PUBLIC_URL, x_interchange_csrf=proof).status_code == 201


def test_somebody_without_a_role_is_not_let_in(browser: Browser) -> None:
    refused = logged_in(browser, "nobody")

    assert refused.status_code == 403
    assert COOKIE not in browser.cookies(PUBLIC_URL)


def test_a_login_calls_no_models_and_stands_beside_no_other_credential(
    browser: Browser, stack: Stack
) -> None:
    logged_in(browser)
    cookie = {"cookie": f"{COOKIE}={browser.cookies(PUBLIC_URL)[COOKIE]}"}

    for path in ("/v1/chat/completions", "/v1/messages", "/api/v1/llm/complete"):
        assert httpx.post(stack.url + path, headers=cookie, json=CHAT, timeout=10).status_code == 401
    assert httpx.get(f"{stack.url}/v1/files", headers=cookie, timeout=10).status_code == 401
    both = {**cookie, "authorization": f"Bearer {stack.key}"}
    assert httpx.get(f"{stack.url}/api/v1/keys", headers=both, timeout=10).status_code == 400
    assert (
        httpx.post(f"{stack.url}/v1/chat/completions", headers=both, json=CHAT, timeout=10).status_code == 200
    )


def test_an_answer_to_another_browsers_login_logs_nobody_in(browser: Browser, stack: Stack) -> None:
    """Login CSRF: a victim is sent to a callback with the attacker's code and state."""
    attacker = Browser({PUBLIC_URL: stack.url})
    back, _ = attacker.follow(
        f"{PUBLIC_URL}/auth/login", until=f"{PUBLIC_URL}/auth/callback", login="admin-eve"
    )

    assert browser.ask("GET", back).status_code == 401, "a browser that began no login"
    browser.ask("GET", f"{PUBLIC_URL}/auth/login")
    assert browser.ask("GET", back).status_code == 401, "one that began its own"
    assert COOKIE not in browser.cookies(PUBLIC_URL)


def test_an_answer_counts_once(browser: Browser) -> None:
    back, _ = browser.follow(f"{PUBLIC_URL}/auth/login", until=f"{PUBLIC_URL}/auth/callback")
    pending = browser.cookies(PUBLIC_URL)[PENDING]
    assert browser.ask("GET", back).status_code == 303

    assert browser.ask("GET", back).status_code == 401
    browser.cookies(PUBLIC_URL)[PENDING] = pending
    assert browser.ask("GET", back).status_code == 401


def test_a_code_put_into_another_login_is_refused(browser: Browser, stack: Stack) -> None:
    """Code injection: the provider holds the code to the verifier of the login it was made for."""
    attacker = Browser({PUBLIC_URL: stack.url})
    theirs, _ = attacker.follow(f"{PUBLIC_URL}/auth/login", until=f"{PUBLIC_URL}/auth/callback", login="eve")
    mine, _ = browser.follow(f"{PUBLIC_URL}/auth/login", until=f"{PUBLIC_URL}/auth/callback")
    stolen, own = (parse_qs(urlsplit(url).query)["code"][0] for url in (theirs, mine))

    refused = browser.ask("GET", mine.replace(own, stolen))

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_token")


def test_an_answer_of_another_provider_is_refused(browser: Browser, provider: RealProvider) -> None:
    """Mix-up (RFC 9207): the provider says who it is, and has to."""
    for forged in ("https://evil.example.com", ""):
        back, _ = browser.follow(f"{PUBLIC_URL}/auth/login", until=f"{PUBLIC_URL}/auth/callback")
        answer = parse_qs(urlsplit(back).query)
        assert answer["iss"] == [provider.issuer]
        changed = (
            f"{PUBLIC_URL}/auth/callback?code={answer['code'][0]}&state={answer['state'][0]}&iss={forged}"
        )
        assert browser.ask("GET", changed).status_code == 401


def test_an_error_of_the_provider_and_doubled_answers_log_nobody_in(browser: Browser) -> None:
    sent = browser.ask("GET", f"{PUBLIC_URL}/auth/login").headers["location"]
    state = parse_qs(urlsplit(sent).query)["state"][0]

    doubled = browser.ask("GET", f"{PUBLIC_URL}/auth/callback?code=a&code=b&state={state}")
    failed = browser.ask("GET", f"{PUBLIC_URL}/auth/callback?error=access_denied&state={state}")

    assert (doubled.status_code, failed.status_code) == (400, 400)
    assert COOKIE not in browser.cookies(PUBLIC_URL)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.com",
        "//evil.example.com",
        "/\\evil.example.com",
        "/%5cevil.example.com",
        "/a//evil",
        "/%0d%0aset-cookie:x=y",
        "javascript:alert(1)",
        "evil",
        "/a%20b",
        "/" + "a" * 600,
        "/..;@evil",
    ],
)
def test_after_a_login_one_stays_here(browser: Browser, target: str) -> None:
    refused = browser.ask("GET", f"{PUBLIC_URL}/auth/login?return_to={target}")

    assert refused.status_code == 400
    assert "location" not in refused.headers


def test_a_session_that_was_there_before_is_not_gone_on_with(browser: Browser) -> None:
    """Session fixation: whatever cookie was planted, a login makes its own and ends the old one."""
    planted = "A" * 43
    browser.cookies(PUBLIC_URL)[COOKIE] = planted
    logged_in(browser)
    first = browser.cookies(PUBLIC_URL)[COOKIE]
    logged_in(browser)
    second = browser.cookies(PUBLIC_URL)[COOKIE]

    assert len({planted, first, second}) == 3
    browser.cookies(PUBLIC_URL)[COOKIE] = first
    assert who(browser).status_code == 401


def test_nothing_that_lets_in_stands_in_the_database_or_the_trail(browser: Browser, stack: Stack) -> None:
    logged_in(browser)
    secret = browser.cookies(PUBLIC_URL)[COOKIE]
    with sqlite3.connect(stack.data_dir / "interchange.db") as connection:
        everything = "\n".join(connection.iterdump())

    assert secret not in everything
    with stack.client() as owner:
        entries = owner.get("/api/v1/audit", params={"tenant_id": "acme", "limit": 200}).json()
    told = json.dumps(entries)
    assert "sessions.create" in told
    assert secret not in told


def test_other_terms_end_what_was_begun_under_the_old_ones(provider: RealProvider, tmp_path: Path) -> None:
    config = CONFIG % {"issuer": provider.issuer, "public": PUBLIC_URL}
    with Stack(tmp_path, config) as stack:
        browser = Browser({PUBLIC_URL: stack.url})
        logged_in(browser, "admin-anna")
        token = provider.token()
        assert who(browser).status_code == 200
        assert asked(stack, "GET", "/api/v1/key", token).json()["data"]["role"] == "agent"

        file = tmp_path / "interchange.yaml"
        file.write_text(file.read_text().replace("platform-admins: admin", "platform-admins: viewer"))
        live = stack.application.faces
        assert live is not None
        for _ in range(50):
            if who(browser).status_code == 401:
                break
            httpx.get(f"{stack.url}/health/live", timeout=10)
            stack.run(_a_moment())
        assert who(browser).status_code == 401


async def _a_moment() -> None:
    import asyncio

    await asyncio.sleep(0.1)


def test_doctor_asks_issuers(provider: RealProvider, tmp_path: Path) -> None:
    config = tmp_path / "interchange.yaml"
    config.write_text(
        (CONFIG % {"issuer": provider.issuer, "public": PUBLIC_URL}).replace("{sim}", "http://x")
    )
    good = {each.what: each for each in examine(str(config))}["identity"]
    config.write_text(config.read_text().replace("[RS256]", "[ES256]").replace("bots: agent", "bots: nosuch"))
    bad = {each.what: each for each in examine(str(config)) if each.what == "identity"}["identity"]
    config.write_text(config.read_text().replace(provider.issuer, "http://127.0.0.1:9"))
    away = {each.what: each for each in examine(str(config)) if each.what == "identity"}["identity"]

    assert (good.verdict, good.text) == ("ok", f"{provider.issuer}: 1 usable keys")
    assert (bad.verdict, away.verdict) == ("fail", "fail")
    assert "ES256" in bad.text


def test_keys_that_the_provider_changed_are_followed(
    stack: Stack, provider: RealProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last: it ends what the provider knew of everybody."""
    # However long ago the tests before this one had them asked for.
    monkeypatch.setattr("adapters.identity.jwks.ASKED_AGAIN_AFTER_S", 86_400.0)
    before = provider.token()
    assert asked(stack, "GET", "/api/v1/key", before).status_code == 200
    provider.rotate()
    after = provider.token()

    refused = asked(stack, "GET", "/api/v1/key", after)
    assert refused.status_code == 401, "its keys were asked for moments ago"

    monkeypatch.setattr("adapters.identity.jwks.ASKED_AGAIN_AFTER_S", 0.0)
    assert asked(stack, "GET", "/api/v1/key", after).status_code == 200
    head, payload, signature = before.split(".")
    respelt = f"{head}.{payload}.{signature[:-8]}{signature[-4:]}{signature[-8:-4]}"
    assert asked(stack, "GET", "/api/v1/key", respelt).status_code == 401
