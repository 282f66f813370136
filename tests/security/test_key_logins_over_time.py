"""What becomes of a login by key when its key changes, and of whoever guesses."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually
from tests.security.login_world import KEYS, STOP, STOPS, WHO, Page, logged_in, made


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As `make run` has it: nothing is configured."""
    with Stack(tmp_path_factory.mktemp("logins")) as started:
        yield started


@pytest.fixture
def owner(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def test_a_revoked_key_ends_its_sessions_at_once(stack: Stack, owner: httpx.Client) -> None:
    key = made(owner, "admin")
    page = logged_in(stack, key["key"])

    assert owner.delete(f"{KEYS}/{key['key_id']}").status_code < 300

    assert eventually(lambda: page.ask("GET", WHO).status_code == 401)
    assert Page(stack).log_in(key["key"]).status_code == 401


def test_a_narrowed_key_narrows_its_sessions(stack: Stack, owner: httpx.Client) -> None:
    key = made(owner, "admin")
    page = logged_in(stack, key["key"])
    assert page.ask("GET", KEYS).status_code == 200

    assert owner.put(f"{KEYS}/{key['key_id']}", json={"role": "viewer"}).status_code == 200

    assert eventually(lambda: page.who()["role"] == "viewer")
    assert page.ask("POST", STOPS, json_=STOP).status_code == 403
    assert owner.put(f"{KEYS}/{key['key_id']}", json={"networks": ["10.9.8.0/24"]}).status_code == 200
    assert eventually(lambda: page.ask("GET", KEYS).status_code == 403)
    assert Page(stack).log_in(key["key"]).status_code == 403


def test_a_rotated_key_ends_the_sessions_of_its_old_secret(stack: Stack, owner: httpx.Client) -> None:
    key = made(owner, "admin")
    page = logged_in(stack, key["key"])

    rotated = owner.post(f"{KEYS}/{key['key_id']}/rotate", json={"overlap_seconds": 0})

    assert rotated.status_code in (200, 201), rotated.text
    assert eventually(lambda: page.ask("GET", WHO).status_code == 401)
    assert Page(stack).log_in(key["key"]).status_code == 401
    assert Page(stack).log_in(rotated.json()["key"]).status_code == 200


def test_a_session_ends_with_its_key_at_the_latest(stack: Stack, owner: httpx.Client) -> None:
    ends_at = datetime.fromtimestamp(int(time.time()) + 600, UTC)
    key = made(owner, "viewer", expires_at=ends_at.isoformat())

    page = logged_in(stack, key["key"])

    assert datetime.fromisoformat(page.who()["expires_at"]) == ends_at


def test_of_one_key_there_are_so_many_sessions_and_no_more(stack: Stack, owner: httpx.Client) -> None:
    key = made(owner, "viewer")["key"]
    first = logged_in(stack, key)

    for _ in range(20):
        logged_in(stack, key)

    assert first.ask("GET", WHO).status_code == 401


def test_guessing_is_slowed_down_and_a_good_key_is_let_in_all_the_same(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    config = "profile: embedded\nauth: {failures_per_minute: 5}\n"
    with Stack(tmp_path_factory.mktemp("guessed"), config) as stack:
        tried = [Page(stack).log_in(f"ik_live_{n}") for n in range(5)]
        # On a machine that is slow enough, some of the five are forgotten meanwhile.
        refused = eventually(
            lambda: [one for one in [Page(stack).log_in("ik_live_6")] if one.status_code == 429]
        )

        assert [answer.status_code for answer in tried] == [401] * 5
        assert int(refused[0].headers["retry-after"]) >= 1
        assert Page(stack).log_in(stack.key).status_code == 200
        with stack.client() as owner:
            assert '"sessions.create"' in owner.get("/api/v1/audit", params={"limit": 100}).text


def test_an_operator_can_do_without_logins_by_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = "profile: embedded\nidentity: {key_login: {enabled: false}}\n"
    with Stack(tmp_path_factory.mktemp("without"), config) as stack:
        refused = Page(stack).log_in(stack.key)

        assert refused.status_code == 404 and "identity.key_login" in refused.text
