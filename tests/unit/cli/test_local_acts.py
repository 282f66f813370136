"""Commands on the data directory are entered in the audit trail, unless they only look."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import COMMANDS, interchange
from entrypoints.local_acts import ACTS, LOOKING


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    return {"INTERCHANGE_DATA_DIR": str(tmp_path / "data")}


def command(place: dict[str, str], *words: str) -> Result:
    result = CliRunner().invoke(interchange, words, env=place)
    assert result.exit_code == 0, result.output
    return result


def entered(place: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(place, "audit", "list", "--json").stdout)
    return found


def test_a_key_made_and_revoked_by_command_is_entered_without_its_values(place: dict[str, str]) -> None:
    made = json.loads(command(place, "keys", "create", "one", "--team", "A-TEAM", "--json").stdout)
    command(place, "keys", "list")
    command(place, "keys", "revoke", made["key_id"])

    found = entered(place)

    assert [(each["action"], each["outcome"], each["ended"]) for each in found] == [
        ("keys.revoke", "done", None),
        ("keys.revoke", "begun", "done"),
        ("keys.create", "done", None),
        ("keys.create", "begun", "done"),
    ]
    assert found[0]["subject"] == made["key_id"]
    assert found[0]["actor"]["kind"] == "local"
    assert "team" in found[3]["details"]["fields"]
    assert "A-TEAM" not in json.dumps(found)
    assert made["key"] not in json.dumps(found)


def test_a_command_that_fails_says_so(place: dict[str, str]) -> None:
    failed = CliRunner().invoke(interchange, ["keys", "revoke", "nobodysKey00"], env=place)

    assert failed.exit_code != 0
    assert entered(place)[0]["outcome"] == "not_found"


def test_making_the_database_is_entered_in_it(place: dict[str, str]) -> None:
    command(place, "db", "upgrade")
    command(place, "db", "upgrade")

    assert [each["action"] for each in entered(place)] == ["db.upgrade"] * 2


def test_tables_of_commands_name_commands_there_are() -> None:
    for words in (*ACTS, *LOOKING):
        found: Any = interchange
        for word in words.split(" "):
            found = found.get_command(None, word)
            assert found is not None, words
    assert {words.split(" ")[0] for words in (*ACTS, *LOOKING)} <= set(COMMANDS)
