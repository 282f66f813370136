"""The commands that work on the stores themselves, on a real PostgreSQL whose policies hold them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.contract.test_row_security import Walled


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A data directory whose database is on the server, with one declared budget."""
    walled = Walled()
    monkeypatch.chdir(tmp_path)
    for name in ("INTERCHANGE_API_KEY", "INTERCHANGE_URL", "INTERCHANGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", walled.url)
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path / "data"))
    Path("interchange.yaml").write_text(
        "budgets: [{name: declared, scope: {tenant: default}, period: day, limit_usd: 2, hard: true}]\n"
    )
    yield
    walled.server.drop(walled.name)


def told(*arguments: str) -> str:
    result = CliRunner().invoke(interchange, list(arguments))
    assert result.exit_code == 0, (arguments, result.output, result.exception)
    return result.stdout


def objects(*arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


@pytest.mark.filterwarnings("error")
def test_budgets_are_made_shown_changed_and_removed_in_one_command_each() -> None:
    told("budget", "set", "daily", "--limit", "10", "--period", "day", "--hard")
    assert {one["name"] for one in objects("budget", "list")} == {"declared", "daily"}
    assert "limit     $10.00 per day" in told("budget", "show", "daily")
    told("budget", "set", "daily", "--limit", "20")
    assert "$20.00" in told("budget", "check", "--agent", "planner")
    assert "no unresolved charges" in told("budget", "unresolved")
    told("budget", "delete", "daily")
    assert [one["name"] for one in objects("budget", "list")] == ["declared"]


def test_tenants_and_roles_are_seen_whosever_they_are() -> None:
    told("tenants", "add", "acme", "--name", "Acme")
    told("roles", "set", "support", "--tenant", "acme", "--may", "usage.read")
    told("keys", "create", "helper", "--tenant", "acme", "--role", "support")
    assert [one["tenant_id"] for one in objects("tenants", "list")] == ["acme", "default"]
    assert [one["tenant_id"] for one in objects("keys", "list")] == ["acme"]
    assert "in force" in told("db", "status")


@pytest.mark.filterwarnings("error")
def test_keys_catalogue_and_configuration_are_read_where_the_database_is() -> None:
    told("keys", "create", "bot", "--team", "search")
    assert "bot" in told("keys", "list")
    told("catalog", "stats")
    assert told("config", "check").startswith("ok:")
    assert "newest revision" in told("db", "status")
    told("usage")
