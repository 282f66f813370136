"""`interchange tenants` and `interchange roles` on a data directory."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange


@pytest.fixture
def place(tmp_path: Path) -> dict[str, str]:
    return {"INTERCHANGE_DATA_DIR": str(tmp_path / "data"), "INTERCHANGE_CONFIG": ""}


def command(place: dict[str, str], *words: str, status: int = 0) -> Result:
    result = CliRunner().invoke(interchange, words, env=place)
    assert result.exit_code == status, result.output
    return result


def test_a_tenant_is_described_suspended_and_removed(place: dict[str, str]) -> None:
    command(place, "tenants", "add", "acme", "--name", "Acme", "--compliance", "hipaa")
    command(place, "tenants", "set", "acme", "--network", "10.0.0.0/8", "--clear", "compliance")
    command(place, "tenants", "suspend", "acme")

    listed = json.loads(command(place, "tenants", "list", "--json").stdout)
    [acme] = [each for each in listed if each["tenant_id"] == "acme"]
    assert (acme["name"], acme["compliance"], acme["networks"], acme["state"]) == (
        "Acme",
        [],
        ["10.0.0.0/8"],
        "suspended",
    )
    assert "suspended" in command(place, "tenants", "list").stdout

    command(place, "tenants", "resume", "acme")
    command(place, "tenants", "delete", "acme")
    assert "acme" not in command(place, "tenants", "list").stdout


def test_a_role_and_a_project_are_made_used_and_kept(place: dict[str, str]) -> None:
    command(place, "tenants", "project-set", "acme", "web/shop", "--cost-center", "CC-1")
    command(place, "tenants", "add", "acme", "--projects", "enforced")
    command(place, "roles", "set", "support", "--tenant", "acme", "--may", "usage.read")

    refused = command(place, "keys", "create", "k", "--tenant", "acme", "--role", "support", status=2)
    assert "need a project" in refused.output
    key = ("keys", "create", "k", "--tenant", "acme", "--role", "support", "--project", "web/shop", "--json")
    made = json.loads(command(place, *key).stdout)

    [listed] = json.loads(command(place, "keys", "list", "--tenant", "acme", "--json").stdout)
    assert (listed["role"], listed["cost_center"]) == ("support", "CC-1")
    assert (
        "1 live key has" in command(place, "roles", "delete", "support", "--tenant", "acme", status=1).output
    )
    assert "keys" in command(place, "tenants", "delete", "acme", status=1).output
    command(place, "keys", "revoke", made["key_id"])
    command(place, "roles", "delete", "support", "--tenant", "acme")
    command(place, "tenants", "project-delete", "acme", "web/shop")
    assert "no projects" in command(place, "tenants", "projects", "acme").output


def test_what_cannot_be_is_said_in_a_line(place: dict[str, str]) -> None:
    assert "tenant_id" in command(place, "tenants", "add", "No Good", status=2).output
    assert "no tenant" in command(place, "tenants", "suspend", "nobody", status=1).output
    assert "built in" in command(place, "roles", "set", "admin", "--may", "llm.call", status=1).output


def test_a_tenant_of_the_file_is_the_files(place: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "interchange.yaml"
    config.write_text("tenants:\n  filed: {name: F}\n")
    place["INTERCHANGE_CONFIG"] = str(config)

    assert "interchange.yaml:2" in command(place, "tenants", "list").stdout
    assert "declared in" in command(place, "tenants", "suspend", "filed", status=1).output
