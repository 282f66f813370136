"""`interchange login` at a real OpenID provider: the browser's way, the file that is left, and renewal."""

import json
import stat
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints.cli.issuer_client import fresh
from entrypoints.cli.kept_tokens import KeptToken, kept_token, tokens_file
from entrypoints.cli.main import interchange
from tests.conftest import missing
from tests.e2e.stack import Stack
from tests.oidc.browser import Browser
from tests.oidc.running import PUBLIC_URL, RealProvider, running_provider

CONFIG = """
profile: embedded
server: {public_url: "%(public)s"}
identity:
  issuers:
    - issuer: "%(issuer)s"
      audiences: ["%(public)s"]
      types: [at+jwt]
      clients: [interchange-cli]
      tenant: default
      roles: {platform-admins: admin, developers: developer}
  login:
    issuer: "%(issuer)s"
    client_id: interchange
    client_secret: web:secret/%%
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
    folder = tmp_path_factory.mktemp("login")
    with Stack(folder, CONFIG % {"issuer": provider.issuer, "public": PUBLIC_URL}) as started:
        yield started


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("INTERCHANGE_API_KEY", "INTERCHANGE_URL", "INTERCHANGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Person(threading.Thread):
    """Opens the page in a browser, logs in, and comes back to the port of the command."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.url, self.login = url, name
        self.knocked: list[int] = []

    def run(self) -> None:
        browser = Browser({})
        back, _ = browser.follow(self.url, until=httpx.URL(self.url).params["redirect_uri"], login=self.login)
        port = back.split("/callback")[0]
        for forged in ("?code=x&state=y", "?code=x", "?error=a&state=y"):
            self.knocked.append(httpx.get(f"{port}/callback{forged}", timeout=10).status_code)
        browser.ask("GET", back)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> list[Person]:
    """Whoever opened a page; they are `alice`."""
    came: list[Person] = []

    def open_page(url: str) -> bool:
        came.append(Person(url, "admin-alice"))
        came[-1].start()
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    return came


def run(*arguments: str) -> Any:
    return CliRunner().invoke(interchange, list(arguments))


def test_a_person_logs_in_and_commands_call_as_that_person(stack: Stack, people: list[Person]) -> None:
    done = run("login", "--server", stack.url, "--wait", "20")

    assert done.exit_code == 0, done.output
    assert "as admin-alice (admin of default)" in done.output
    people[0].join(10)
    assert people[0].knocked == [404, 404, 404], "answers to other logins are turned away"
    listed = run("cache", "status", "--url", stack.url, "--json")
    assert listed.exit_code == 0, listed.output

    assert run("logout", "--server", stack.url).exit_code == 0
    assert kept_token(stack.url) is None
    assert run("logout", "--server", stack.url).exit_code == 1


def test_what_is_kept_only_the_user_can_read(stack: Stack, people: list[Person]) -> None:
    done = run("login", "--server", stack.url, "--wait", "20")

    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(tokens_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens_file().parent.stat().st_mode) == 0o700
    kept = kept_token(stack.url)
    assert kept is not None and kept.refresh_token
    assert kept.access_token not in done.output and kept.refresh_token not in done.output


def test_a_token_that_ends_soon_is_renewed_and_the_old_refresh_token_is_not_used_again(
    stack: Stack, people: list[Person]
) -> None:
    run("login", "--server", stack.url, "--wait", "20")
    kept = kept_token(stack.url)
    assert kept is not None

    renewed = fresh(kept, kept.expires_at_s - 1)

    assert renewed is not None
    assert renewed.access_token != kept.access_token
    assert renewed.refresh_token != kept.refresh_token
    assert fresh(kept, kept.expires_at_s + 1) is None, "it was spent"


def test_a_command_takes_the_new_token_up_by_itself(stack: Stack, people: list[Person]) -> None:
    run("login", "--server", stack.url, "--wait", "20")
    kept = kept_token(stack.url)
    assert kept is not None
    data = json.loads(tokens_file().read_text())
    data[stack.url]["expires_at_s"] = 1.0
    tokens_file().write_text(json.dumps(data))

    done = run("cache", "status", "--url", stack.url, "--json")

    assert done.exit_code == 0, done.output
    after = kept_token(stack.url)
    assert after is not None and after.refresh_token != kept.refresh_token


def test_a_login_that_is_over_says_how_to_begin_another(stack: Stack, home: Path) -> None:
    tokens_file().parent.mkdir(parents=True)
    over = KeptToken("t", "", 1.0, "http://127.0.0.1:1/token", "c")
    tokens_file().write_text(json.dumps({stack.url: over._asdict()}))

    done = run("cache", "status", "--url", stack.url)

    assert done.exit_code == 1
    assert f"interchange login --server {stack.url}" in done.output


def test_nobody_comes_back(stack: Stack) -> None:
    done = run("login", "--server", stack.url, "--no-browser", "--wait", "1")

    assert done.exit_code == 1
    assert "in time" in done.output
    assert kept_token(stack.url) is None
