"""What a server does of its own accord is in the audit trail: its start, its first key, its configuration."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sql.audit import SqlAuditStore
from domain.errors import StoreUnavailable
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually

ROLES = "roles:\n  watcher: {permissions: [usage.read]}\n"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def entries(client: httpx.Client, action: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/v1/audit", params={"action": action}).json()["entries"]
    return found


def roles(client: httpx.Client) -> set[str]:
    return {role["name"] for role in client.get("/api/v1/roles").json()["roles"]}


def write(stack: Stack, text: str) -> None:
    path = stack.data_dir / "interchange.yaml"
    path.write_text(text.replace("{sim}", stack.simulator.base_url))


def test_the_start_and_the_first_key_are_entered(stack: Stack, client: httpx.Client) -> None:
    started = entries(client, "server.start")
    assert [each["outcome"] for each in started] == ["done", "begun"]
    assert len(started[1]["details"]["config_sha256"]) == 64
    own = client.get("/api/v1/key").json()["data"]["key_id"]
    assert entries(client, "keys.bootstrap")[0]["subject"] == f"key_id={own}"


def test_policies_that_change_in_the_file_are_entered_by_name(stack: Stack, client: httpx.Client) -> None:
    before = entries(client, "server.start")[1]["details"]["config_sha256"]
    write(stack, CONFIG.replace("key-of-alpha", "ANOTHER-SECRET") + ROLES)
    assert eventually(lambda: "watcher" in roles(client))

    def both() -> list[dict[str, Any]]:
        found = entries(client, "config.apply")
        return found if len(found) == 2 else []  # what it came to is entered a little later

    ended, begun = eventually(both)
    assert (begun["outcome"], ended["outcome"]) == ("begun", "done")
    assert begun["subject"] == "interchange.yaml"
    assert "roles.watcher.permissions" in begun["details"]["changed"]
    assert begun["details"]["config_sha256"] != before
    assert "ANOTHER-SECRET" not in json.dumps([ended, begun])


def test_a_file_that_cannot_be_entered_is_not_taken_over_until_it_can(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any) -> None:
        raise StoreUnavailable("the audit trail is away")

    with monkeypatch.context() as away:
        away.setattr(SqlAuditStore, "append", gone)
        write(stack, CONFIG + ROLES)
        health = eventually(
            lambda: [text for text in client.get("/health").json()["warnings"] if "audit trail" in text]
        )
        assert health
        assert "watcher" not in roles(client)

    assert eventually(lambda: "watcher" in roles(client))
