"""`interchange credentials` on a data directory, without a server."""

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange

SECRET = "sk-live-4242424242"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def command(*words: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(interchange, ["credentials", *words], input=given)


def test_a_credential_is_added_replaced_listed_and_deleted(data: Path, tmp_path: Path) -> None:
    added = command("add", "openai", given=f"{SECRET}\n")
    (tmp_path / "value").write_text(f"{SECRET}-2\r\n")
    replaced = command("replace", "openai", "--file", str(tmp_path / "value"))
    listed = command("list", "--json")
    verified = command("verify")
    deleted = command("delete", "openai")

    assert "openai is kept under k" in added.output and "version 2" in replaced.output
    (row,) = json.loads(listed.output)
    assert (row["name"], row["version"], row["updated_by"]) == ("openai", 2, "local")
    assert verified.output == "every credential opens and is listed.\n"
    assert deleted.output == "openai is gone.\n" and command("list").output == "no credential is kept\n"
    everything = "".join(each.output for each in (added, replaced, listed, verified, deleted))
    assert "4242" not in everything
    assert b"4242" not in b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("words", "given", "told", "status"),
    [
        (("add", "No Name"), "x", "must be 1-63 of a-z", 2),
        (("add", "empty"), "\n", "must not be empty", 2),
        (("add", "big"), "x" * 65_537, "at most 65536 bytes", 2),
        (("replace", "nobody"), "x", "no credential 'nobody'", 1),
        (("add", "x", "--file", "nowhere"), None, "cannot be read", 1),
        (("retire", "k0"), None, "no key 'k0'", 1),
    ],
)
def test_what_cannot_be_is_told(words: tuple[str, ...], given: str | None, told: str, status: int) -> None:
    refused = command(*words, given=given)

    assert refused.exit_code == status and told in refused.output and "Traceback" not in refused.output


def test_keys_turn_and_are_retired() -> None:
    command("add", "openai", given=SECRET)
    old = json.loads(command("keys", "--json").output)["keys"][0]["key_id"]
    assert command("retire", old).exit_code == 1

    turned = json.loads(command("rotate", "--json").output)
    assert turned["finished_at"] is not None and turned["done"] == turned["total"] == 2
    assert command("rotate", "--data-keys").output == "2 credentials are under new keys.\n"
    assert command("rotate", "--schedule").output == "it is not time yet\n"

    assert command("retire", old).output == f"{old} is gone.\n"
    assert old not in command("keys").output
    assert command("verify", "--json").exit_code == 0


def test_a_deleted_row_is_told_until_it_is_accepted(data: Path) -> None:
    command("add", "openai", given=SECRET)
    with sqlite3.connect(data / "interchange.db") as database:
        database.execute("DELETE FROM vault_credentials WHERE name = 'openai'")

    found = command("verify")
    assert found.exit_code == 1 and "listed and not there" in found.output
    assert command("accept", given="n\n").exit_code != 0
    assert command("verify").exit_code == 1

    assert "signed anew" in command("accept", "--yes").output
    assert command("verify").exit_code == 0


def test_production_never_makes_a_keyring_of_its_own(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERCHANGE_PROFILE", "production")
    refused = command("add", "openai", given=SECRET)
    assert refused.exit_code == 1 and "vault.keys is not there" in refused.output
    assert not (data / "vault.keys").exists()

    monkeypatch.setenv("INTERCHANGE_VAULT_KEYS", f"2026:{'1f' * 32}")
    assert "is kept under 2026" in command("add", "openai", given=SECRET).output
    monkeypatch.setenv("INTERCHANGE_VAULT_KEYS", f"2027:{'2e' * 32},2026:{'1f' * 32}")
    assert command("rotate").output == "2 credentials are under new keys.\n"
    assert json.loads(command("keys", "--json").output)["keys"][1]["credentials"] == 0
    monkeypatch.setenv("INTERCHANGE_VAULT_KEYS", f"2028:{'3d' * 32}")
    assert "has no key '2027'" in command("verify").output
