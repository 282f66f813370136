"""`interchange keys` against the in-memory store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.crypto.pepper_file import PepperFile
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import START, SteppingClock
from application.key_ring import KeyRing
from application.role_book import RoleBook
from application.use_cases.change_keys import KeyUseCases
from domain.tenancy.key import parse_key
from entrypoints.access import KeyBackends, make_access
from entrypoints.cli.key_options import expiry
from entrypoints.cli.keys import make_group
from entrypoints.settings import Settings


class World:
    def __init__(self, directory: Path) -> None:
        self.store = InMemoryKeyStore()
        self.clock = SteppingClock()
        peppers = load_peppers(directory, None)
        self.hasher = PepperedKeyHasher(peppers)
        self.file = directory / "admin.key"
        backends = KeyBackends(
            store=self.store,
            pages=self.store,
            uses=self.store,
            hasher=self.hasher,
            peppers=PepperFile(directory, self.hasher, peppers),
            owner_file=PrivateOwnerKeyFile(self.file),
        )
        self.ring = KeyRing(self.store, self.hasher, self.clock)
        access = make_access(backends, self.ring, self.clock, Settings(), None, RoleBook(), None)
        self.use_cases = access.keys
        self.opened = self.closed = 0
        self.group = make_group(self.open)

    @contextmanager
    def open(self) -> Iterator[KeyUseCases]:
        self.opened += 1
        yield self.use_cases
        self.closed += 1

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(self.group, list(arguments))

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_new_key_is_alone_on_stdout(world: World) -> None:
    result = world.run("create", "robot")

    assert result.exit_code == 0
    assert parse_key(result.stdout.strip()) is not None
    assert "shown this once" in result.stderr
    assert (world.opened, world.closed) == (1, 1)


def test_a_created_key_is_listed_without_its_secret(world: World) -> None:
    created = world.json(
        "create", "robot [1]", "--role", "developer", "--tenant", "acme", "--scope", "llm.call",
        "--model", "acme/*", "--expires", "90d",
    )  # fmt: skip

    (listed,) = world.json("list")
    table = world.run("list").stdout

    assert listed == {
        "key_id": created["key_id"],
        "tenant_id": "acme",
        "name": "robot [1]",
        "role": "developer",
        "env": "live",
        "state": "live",
        "scopes": ["llm.call"],
        "allowed_models": ["acme/*"],
        "networks": [],
        "assertable": None,
        "integrations": None,
        "managed_budgets": None,
        "created_at": START.isoformat(),
        "created_by": "local",
        "expires_at": (START + timedelta(days=90)).isoformat(),
        "rotated_at": None,
        "old_secret_until": None,
        "last_used_at": None,
        "revoked_at": None,
        "revoked_by": "",
        "revoked_reason": "",
        "imported": False,
        "note": "",
        "team": "",
        "project": "",
        "cost_center": "",
    }
    assert created["key"].split("_")[3] not in table
    assert "developer" in table


def test_without_keys_the_list_says_so(world: World) -> None:
    assert world.run("list").stdout == "no keys\n"
    assert world.json("list") == []


def test_a_list_of_one_tenant_holds_only_its_keys(world: World) -> None:
    world.run("create", "a", "--tenant", "acme")
    world.run("create", "b", "--tenant", "other")

    assert [key["name"] for key in world.json("list", "--tenant", "other")] == ["b"]


def test_revoked_and_expired_keys_are_listed_on_demand(world: World) -> None:
    gone = world.json("create", "gone")["key_id"]
    world.run("create", "late", "--expires", "1h")
    world.clock.advance(7200)

    assert "is revoked" in world.run("revoke", gone).stdout
    assert world.json("revoke", gone)["state"] == "revoked"

    assert world.json("list") == []
    assert {key["name"]: key["state"] for key in world.json("list", "--all")} == {
        "gone": "revoked",
        "late": "expired",
    }


def test_recovering_makes_an_owner_key_and_writes_its_file(world: World) -> None:
    created = world.json("recover")

    assert world.file.read_text().strip() == created["key"]
    (listed,) = world.json("list")
    assert (listed["role"], listed["tenant_id"]) == ("owner", "default")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "x", "--role", "king"], "owner"),
        (["create", "x", "--expires", "soon"], "2030-01-31"),
        (["create", "x", "--expires", "2001-01-01"], "future"),
        (["create", "x", "--tenant", "No Good"], "tenant_id"),
        (["create", "x", "--role", "viewer", "--scope", "llm.call"], "does not include"),
    ],
)
def test_what_cannot_be_understood_ends_with_status_2_and_says_what_is_allowed(
    world: World, arguments: list[str], says: str
) -> None:
    result = world.run(*arguments)

    assert result.exit_code == 2
    assert says in result.output


def test_an_unknown_key_and_a_lost_store_end_with_status_1(world: World) -> None:
    unknown = world.run("revoke", "nothere")
    world.store.reachable = False
    lost = world.run("list")

    assert (unknown.exit_code, lost.exit_code) == (1, 1)
    assert "nothere" in unknown.output
    assert "not reachable" in lost.output


def test_expiry_without_a_zone_is_utc() -> None:
    assert expiry("2030-01-31", START).isoformat() == "2030-01-31T00:00:00+00:00"
    assert expiry("2030-01-31T12:00:00+02:00", START).isoformat() == "2030-01-31T12:00:00+02:00"
    assert expiry("30m", START) == START + timedelta(minutes=30)


def test_help_opens_nothing(world: World) -> None:
    assert isinstance(world.group, click.Group)
    assert world.run("create", "--help").exit_code == 0
    assert world.opened == 0


def test_a_key_says_whom_its_cost_is_counted_for(world: World) -> None:
    created = world.json("create", "robot", "--team", "search", "--project", "crawl", "--cost-center", "CC-7")

    (shown,) = world.json("list")
    assert (shown["team"], shown["project"], shown["cost_center"]) == ("search", "crawl", "CC-7")
    assert shown["key_id"] == created["key_id"]
    assert "search / crawl / CC-7" in world.run("list").output
    refused = world.run("create", "robot", "--team", "=1")
    assert refused.exit_code == 2
    assert "team" in refused.output


def test_a_key_is_bound_changed_and_rotated(world: World) -> None:
    created = world.json(
        "create", "crawler", "--network", "10.0.0.0/8", "--may-name", "user:alice", "--env", "test",
        "--integration", "jira-*", "--budget-managed", "team-*",
    )  # fmt: skip
    key_id = created["key_id"]

    shown = json.loads(world.run("show", key_id).stdout)
    assert (shown["networks"], shown["assertable"], shown["env"]) == (["10.0.0.0/8"], ["user:alice"], "test")
    assert created["key"].startswith("ik_test_")

    changed = world.json("update", key_id, "--network", "all", "--may-name", "agent:*", "--expires", "30d")
    assert (changed["networks"], changed["assertable"]) == ([], ["agent:*"])
    assert (changed["integrations"], changed["managed_budgets"]) == (["jira-*"], ["team-*"])
    assert changed["expires_at"] == (START + timedelta(days=30)).isoformat()
    assert world.json("update", key_id, "--expires", "never")["expires_at"] is None

    rotated = world.json("rotate", key_id, "--overlap", "1h")
    assert rotated["old_secret_until"] == (START + timedelta(hours=1)).isoformat()
    assert rotated["key"] != created["key"] and rotated["key"].split("_")[2] == key_id


def test_a_mistake_on_the_command_line_is_told(world: World) -> None:
    key_id = world.json("create", "x")["key_id"]

    assert "stands alone" in world.run("update", key_id, "--model", "all", "--model", "x").output
    assert "is no span" in world.run("rotate", key_id, "--overlap", "soon").output
    assert world.run("create", "y", "--may-name", "alice").exit_code != 0
    assert world.run("create", "y", "--network", "10.0.0.1/8").exit_code != 0


def test_the_list_shows_where_a_key_may_be_used_and_whom_it_may_name(world: World) -> None:
    world.json("create", "x", "--network", "10.0.0.0/8", "--may-name", "user:alice")

    listed = world.run("list").output

    assert "10.0.0.0/8" in listed and "user:alice" in listed


def test_a_pepper_is_dropped_once_nothing_hangs_on_it(world: World) -> None:
    key_id = world.json("create", "x")["key_id"]

    assert "pepper 2 hashes from now on" in world.run("pepper", "rotate").stdout
    assert world.run("pepper", "drop", "1").exit_code == 1
    assert world.run("pepper", "drop", "2").exit_code == 1
    assert world.run("pepper", "drop", "7").exit_code == 1
    world.run("rotate", key_id, "--overlap", "0")
    standings = world.json("pepper", "show")

    assert [(each["version"], each["secrets"], each["hashing"]) for each in standings] == [
        (1, 0, False),
        (2, 1, True),
    ]
    assert world.run("pepper", "drop", "1").exit_code == 0
    assert "pepper 2: 1 secrets, hashes new secrets" in world.run("pepper", "show").stdout
