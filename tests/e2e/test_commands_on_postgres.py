"""The commands that work on the stores themselves, on a real PostgreSQL."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.contract.postgres_server import postgres_server


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A data directory whose database is on the server, with one declared budget."""
    server = postgres_server()
    database = server.new_database(server.migrated())
    monkeypatch.chdir(tmp_path)
    for name in ("INTERCHANGE_API_KEY", "INTERCHANGE_URL", "INTERCHANGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", server.url(database))
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path / "data"))
    Path("interchange.yaml").write_text(
        "budgets: [{name: declared, scope: {tenant: default}, period: day, limit_usd: 2, hard: true}]\n"
    )
    yield
    server.drop(database)


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


@pytest.mark.filterwarnings("error")
def test_keys_catalogue_and_configuration_are_read_where_the_database_is() -> None:
    told("keys", "create", "bot", "--team", "search")
    assert "bot" in told("keys", "list")
    told("catalog", "stats")
    assert told("config", "check").startswith("ok:")
    assert "newest revision" in told("db", "status")
    told("usage")
