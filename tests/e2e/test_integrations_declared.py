"""Integrations of the configuration file: read again while requests run, and from the command line."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from adapters.memory.connector import MemorySide
from entrypoints.cli.integrations import integrations
from entrypoints.cli.main import interchange
from entrypoints.cli.tools import tools
from entrypoints.config.export import effective
from entrypoints.config.loading import load_settings
from entrypoints.integrating import declared_integrations
from entrypoints.lifespan import open_faces
from entrypoints.provisioning import ProvisioningError
from tests.e2e.memory_integrations import kinds_with, memory_integrations
from tests.e2e.stack import Stack

TOKEN = "a-token-nobody-may-see"
CONFIG = """
simulator: {enabled: false}
integrations:
  shelf:
    type: storage
    configuration:
      endpoint: memory://guarded
      authentication: {type: token, token: "${SIDE_TOKEN}"}
      max_concurrency: 3
      greeting: "7"
"""
ROOT = "/api/v1/integrations"
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def sides() -> dict[str, MemorySide]:
    return {"guarded": MemorySide(token=TOKEN), "open": MemorySide()}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, sides: dict[str, MemorySide]) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("data")
    with (
        memory_integrations(sides),
        Stack(directory / "data", CONFIG, environ={"SIDE_TOKEN": TOKEN}) as running,
    ):
        yield running


def until(client: httpx.Client, wanted: dict[str, str]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while True:
        listed = client.get(ROOT).json()["integrations"]
        found = {each["integration_id"]: each["status"] for each in listed}
        if found == wanted or time.monotonic() > give_up:
            break
        time.sleep(0.05)
    assert found == wanted


def test_the_file_is_taken_over_while_requests_run(stack: Stack) -> None:
    file = stack.data_dir / "interchange.yaml"
    with stack.client() as api:
        until(api, {"shelf": "active"})
        changed = CONFIG.replace("type: storage", "type: storage\n    state: maintenance")
        added = "  box:\n    type: storage\n    configuration:\n      endpoint: memory://open\n"
        file.write_text(changed + added + "      authentication: {type: none}\n")
        until(api, {"shelf": "maintenance", "box": "active"})
        asked = {"integration_id": "box", "tool_name": "put", "parameters": {"key": "a", "value": 1}}
        assert api.post("/api/v1/tools/execute", json=asked).status_code == 200
        file.write_text(CONFIG)
        until(api, {"shelf": "active"})
        assert api.post("/api/v1/tools/execute", json=asked).status_code == 404


def test_a_file_that_names_what_the_api_made_is_not_taken_over(stack: Stack) -> None:
    file = stack.data_dir / "interchange.yaml"
    body = {"endpoint": "memory://open", "authentication": {"type": "none"}}
    with stack.client() as api:
        new = {"integration_id": "mine", "type": "storage", "configuration": body}
        assert api.post(ROOT, json=new).status_code == 201
        file.write_text(CONFIG.replace("shelf:", "mine:"))
        give_up = time.monotonic() + PATIENCE_S
        while "integrations.mine" not in (told := api.get("/health").text) and time.monotonic() < give_up:
            time.sleep(0.05)
        assert "integrations.mine" in told
        until(api, {"mine": "active", "shelf": "active"})
        file.write_text(CONFIG)
        api.delete(f"{ROOT}/mine")


def loaded(directory: Path, text: str) -> Any:
    file = directory / "interchange.yaml"
    file.write_text(text)
    environ = {"SIDE_TOKEN": TOKEN, "INTERCHANGE_DATA_DIR": str(directory / "data")}
    return load_settings(environ, config_path=file)


def test_numbers_are_numbers_and_secrets_stay_text(tmp_path: Path, sides: dict[str, MemorySide]) -> None:
    found = loaded(tmp_path, CONFIG.replace("${SIDE_TOKEN}", "12345"))

    declared = declared_integrations(found.settings, kinds_with(found.settings, sides))

    [integration] = declared.integrations
    assert integration.configuration["max_concurrency"] == 3
    assert integration.configuration["greeting"] == "7"
    assert declared.secrets["default", "shelf"]["token"].reveal() == b"12345"
    shown = json.dumps(effective(found.settings, found.references))
    assert "12345" not in shown
    assert "12345" not in repr(found.settings)


def test_the_same_file_gives_the_same_versions(tmp_path: Path, sides: dict[str, MemorySide]) -> None:
    def versions(text: str) -> list[int]:
        found = loaded(tmp_path, text)
        declared = declared_integrations(found.settings, kinds_with(found.settings, sides))
        return [each.version for each in declared.integrations]

    assert versions(CONFIG) == versions(CONFIG)
    assert versions(CONFIG) != versions(CONFIG.replace("memory://guarded", "memory://open"))


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("memory://guarded", "ftp://guarded", "integrations.shelf.configuration.endpoint"),
        ("max_concurrency: 3", "max_concurrency: many", "integrations.shelf.configuration.max_concurrency"),
        ("type: token,", "type: magic,", "integrations.shelf.configuration.authentication.type"),
        ("greeting:", "greetings:", "integrations.shelf.configuration.greetings"),
        ("max_concurrency: 3", "privacy: strictest", "integrations.shelf.configuration.privacy"),
    ],
)
def test_what_cannot_work_keeps_a_server_from_starting(
    tmp_path: Path, sides: dict[str, MemorySide], old: str, new: str, path: str
) -> None:
    found = loaded(tmp_path, CONFIG.replace(old, new))

    with pytest.raises(ProvisioningError) as refused:
        declared_integrations(found.settings, kinds_with(found.settings, sides))

    [problem] = refused.value.problems
    assert problem.startswith(f"{path}: ")
    assert TOKEN not in problem


async def test_a_name_that_both_have_keeps_a_server_from_starting(
    tmp_path: Path, sides: dict[str, MemorySide]
) -> None:
    file = loaded(tmp_path, CONFIG)
    with memory_integrations(sides):
        first = CONFIG.replace("shelf:", "other:")
        with (
            Stack(tmp_path / "data", first, environ={"SIDE_TOKEN": TOKEN}) as running,
            running.client() as api,
        ):
            body = {"endpoint": "memory://open", "authentication": {"type": "none"}}
            new = {"integration_id": "shelf", "type": "storage", "configuration": body}
            assert api.post(ROOT, json=new).status_code == 201

        with pytest.raises(ProvisioningError, match=r"integrations\.shelf"):
            async with open_faces(file):
                pass


def command(stack: Stack, *words: str, text: str | None = None) -> tuple[int, str]:
    server = ("--url", stack.url, "--key", stack.key)
    result = CliRunner().invoke(interchange, [*words, *server], input=text)
    return result.exit_code, result.output


def test_commands_make_try_pause_and_remove(stack: Stack) -> None:
    assert {"list", "add", "test", "health", "remove"} <= set(integrations.commands)
    assert {"list", "show", "call", "pins", "accept"} <= set(tools.commands)
    how = ("--type", "storage", "--endpoint", "memory://guarded", "--auth", "type=token")

    made = command(stack, "integrations", "add", "box", *how, "--secret", "token", text=f"{TOKEN}\n")
    tested = command(stack, "integrations", "test", "box")
    listed = command(stack, "integrations", "list")
    called = command(stack, "tools", "call", "box", "put", "key=colour", 'value={"name": "green"}')
    read = command(stack, "tools", "call", "box", "get", "key=colour", "--json")
    paused = command(stack, "integrations", "disable", "box")
    refused = command(stack, "tools", "call", "box", "get", "key=colour")
    shown = command(stack, "integrations", "show", "box")
    health = command(stack, "integrations", "health", "box")
    gone = command(stack, "integrations", "remove", "box")
    missing = command(stack, "integrations", "show", "box")

    assert made == (0, "box is active; its health: /api/v1/integrations/box/health\n")
    assert tested[0] == 0
    assert "answered in" in tested[1]
    assert "memory://guarded" in listed[1]
    assert '"stored": true' in called[1]
    assert json.loads(read[1])["result"]["value"] == {"name": "green"}
    assert paused == (0, "box is disabled\n")
    assert (refused[0], "disabled" in refused[1]) == (1, True)
    assert '"credential": "box.token"' in shown[1]
    assert health[0] == 0
    assert gone == (0, "box is gone\n")
    assert missing[0] == 1
    assert not any(TOKEN in output for _, output in (made, tested, listed, called, shown, health))
