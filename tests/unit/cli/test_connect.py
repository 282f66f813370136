"""`interchange connect`: the diff first, a backup always, the way back exactly, never a key on screen."""

import json
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange
from tests.unit.cli.fake_server import FakeServer, fake_server

KEY = "ik_live_secretsecret"
THEIRS = "sk-ant-the-users-own"
SETTINGS = '{\n  "env": {\n    "ANTHROPIC_AUTH_TOKEN": "' + THEIRS + '"\n  },\n  "theme": "dark"\n}\n'
CONFIG = '# mine\nmodel = "gpt-5"\n\n[profiles.x]\nmodel = "y"\n'
MADE = {"key_id": "Key000000001", "key": "ik_live_made"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "CLAUDE_CONFIG_DIR",
        "CODEX_HOME",
        "INTERCHANGE_CONFIG",
        "INTERCHANGE_API_KEY",
        "INTERCHANGE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[FakeServer]:
    """A server on this machine, as its data directory tells."""
    answers = {"/api/v1/keys": (201, MADE)}
    with fake_server(answers) as running:
        data = home / ".interchange"
        data.mkdir()
        (data / "server.json").write_text(json.dumps({"url": running.url}))
        (data / "admin.key").write_text("ik_live_owner\n")
        yield running


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(interchange, ["connect", *arguments], input=answer, catch_exceptions=False)


def write(file: Path, text: str, mode: int = 0o644) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


def settings_of(home: Path) -> Path:
    return home / ".claude" / "settings.json"


def test_claude_code_is_pointed_here_and_back(home: Path, server: FakeServer) -> None:
    file = write(settings_of(home), SETTINGS)

    done = run("claude-code", "--key", KEY, "--model", "assistant", answer="y\n")

    assert done.exit_code == 0, done.output
    written = json.loads(file.read_text())
    assert written == {
        "env": {
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_BASE_URL": server.url,
            "ANTHROPIC_MODEL": "assistant",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "assistant",
        },
        "theme": "dark",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY not in done.output
    assert THEIRS not in done.output
    assert '-    "ANTHROPIC_AUTH_TOKEN": "<hidden>"' in done.output
    assert '+    "ANTHROPIC_AUTH_TOKEN": "<the key>"' in done.output

    back = run("claude-code", "--undo", "--yes")

    assert back.exit_code == 0, back.output
    assert KEY not in back.output
    assert file.read_text() == SETTINGS
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(path.name for path in file.parent.iterdir()) == ["settings.json"]


def test_codex_gets_a_provider_and_a_command_that_tells_the_key(home: Path, server: FakeServer) -> None:
    file = write(home / ".codex" / "config.toml", CONFIG)

    done = run("codex", "--key", KEY, "--model", "assistant", "--yes")

    assert done.exit_code == 0, done.output
    assert KEY not in done.output
    assert KEY not in file.read_text()
    read = tomllib.loads(file.read_text())
    provider = read["model_providers"]["interchange"]
    assert (read["model_provider"], read["model"]) == ("interchange", "assistant")
    assert (provider["base_url"], provider["wire_api"]) == (f"{server.url}/v1", "responses")
    key_file = Path(provider["auth"]["args"][0])
    assert provider["auth"]["command"] == "cat"
    assert key_file.read_text() == KEY + "\n"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600

    assert run("codex", "--undo", "--yes").exit_code == 0
    assert file.read_text() == CONFIG
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_what_was_not_there_is_not_there_again(home: Path, server: FakeServer) -> None:
    for client, file in (("claude-code", settings_of(home)), ("codex", home / ".codex" / "config.toml")):
        assert run(client, "--key", KEY, "--yes").exit_code == 0
        assert file.exists()
        assert run(client, "--undo", "--yes").exit_code == 0
        assert not list(file.parent.iterdir())


@pytest.mark.parametrize("client", ["claude-code", "codex"])
def test_twice_is_once(home: Path, server: FakeServer, client: str) -> None:
    run(client, "--yes")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    again = run(client, "--yes")

    assert "connected already" in again.output
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert len(server.asked) == 1, "and no second key is made"


def test_a_key_is_made_for_it_and_revoked_afterwards(home: Path, server: FakeServer) -> None:
    run("claude-code", "--yes")

    (asked,) = server.asked
    assert (asked.method, asked.body["role"]) == ("POST", "agent")
    assert asked.headers["authorization"] == "Bearer ik_live_owner"
    assert json.loads(settings_of(home).read_text())["env"]["ANTHROPIC_AUTH_TOKEN"] == MADE["key"]

    back = run("claude-code", "--undo", "--yes")
    assert "interchange keys revoke Key000000001" in back.output or "is revoked" in back.output


@pytest.mark.parametrize(
    ("arguments", "answer"), [(("--dry-run",), None), ((), "n\n")], ids=["dry run", "said no"]
)
def test_nothing_changes_and_no_key_is_made_without_consent(
    home: Path, server: FakeServer, arguments: tuple[str, ...], answer: str | None
) -> None:
    file = write(settings_of(home), SETTINGS)

    shown = CliRunner().invoke(interchange, ["connect", "claude-code", *arguments], input=answer)

    assert "+++" in shown.output
    assert file.read_text() == SETTINGS
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]
    assert server.asked == []


def edited(text: str, change: Callable[[Any], None]) -> str:
    data = json.loads(text)
    change(data)
    return json.dumps(data, indent=4)


def test_an_edit_in_between_stays_and_only_ours_goes(home: Path, server: FakeServer) -> None:
    file = write(settings_of(home), SETTINGS)
    run("claude-code", "--key", KEY, "--model", "assistant", "--yes")

    def by_user(data: Any) -> None:
        data["theme"] = "light"
        data["env"]["ANTHROPIC_MODEL"] = "their choice"

    file.write_text(edited(file.read_text(), by_user))
    back = run("claude-code", "--undo", "--yes")

    assert json.loads(file.read_text()) == {
        "env": {"ANTHROPIC_AUTH_TOKEN": THEIRS, "ANTHROPIC_MODEL": "their choice"},
        "theme": "light",
    }
    assert "env.ANTHROPIC_MODEL was changed since" in back.output
    assert THEIRS not in back.output


def test_connecting_elsewhere_keeps_the_first_backup(home: Path, server: FakeServer) -> None:
    file = write(settings_of(home), SETTINGS)
    run("claude-code", "--key", KEY, "--yes")

    assert run("claude-code", "--key", "ik_other", "--url", "https://gateway.example", "--yes").exit_code == 0
    assert json.loads(file.read_text())["env"]["ANTHROPIC_BASE_URL"] == "https://gateway.example"

    run("claude-code", "--undo", "--yes")
    assert file.read_text() == SETTINGS


def test_a_file_that_cannot_be_edited_is_left_alone(home: Path, server: FakeServer) -> None:
    file = write(settings_of(home), "{ not json")

    refused = run("claude-code", "--key", KEY, "--yes")

    assert refused.exit_code == 1
    assert "not valid JSON" in refused.output
    assert file.read_text() == "{ not json"
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_a_linked_file_stays_a_link(home: Path, server: FakeServer) -> None:
    real = write(home / "dotfiles" / "settings.json", SETTINGS)
    settings_of(home).parent.mkdir()
    settings_of(home).symlink_to(real)

    run("claude-code", "--key", KEY, "--yes")

    assert settings_of(home).is_symlink()
    assert KEY in real.read_text()


def test_the_owners_key_never_goes_to_another_address(home: Path, server: FakeServer) -> None:
    refused = run("claude-code", "--url", "https://elsewhere.example", "--yes")

    assert refused.exit_code == 2
    assert "--key" in refused.output
    assert server.asked == []


def test_plain_http_elsewhere_is_warned_about(home: Path) -> None:
    shown = run("claude-code", "--url", "http://gateway.example", "--key", KEY, "--dry-run")

    assert "not https" in shown.output


def test_undo_without_a_connection_says_so(home: Path) -> None:
    refused = run("codex", "--undo", "--yes")

    assert refused.exit_code == 1
    assert "nothing to undo" in refused.output


def test_cursor_is_told_in_steps(home: Path, server: FakeServer) -> None:
    shown = run("cursor", "--model", "assistant")

    assert shown.exit_code == 0
    assert f"{server.url}/v1" in shown.output
    assert "assistant" in shown.output
    assert json.loads(run("cursor", "--undo", "--json").output)["steps"]


def test_json_tells_what_was_done_without_a_key(home: Path, server: FakeServer) -> None:
    assert run("codex", "--json").exit_code == 2

    told = json.loads(run("codex", "--json", "--yes").output)

    assert told["outcome"] == "connected"
    assert told["key_id"] == MADE["key_id"]
    assert len(told["files"]) == 2
    assert MADE["key"] not in json.dumps(told)


def test_an_environment_variable_can_hold_the_key_instead(home: Path, server: FakeServer) -> None:
    done = run("codex", "--auth", "env", "--yes")

    assert done.exit_code == 0, done.output
    assert "INTERCHANGE_API_KEY" in done.output
    provider = tomllib.loads((home / ".codex" / "config.toml").read_text())["model_providers"]["interchange"]
    assert provider["env_key"] == "INTERCHANGE_API_KEY"
    assert "auth" not in provider
    assert server.asked == []


def test_a_helper_tells_claude_code_its_key(home: Path, server: FakeServer) -> None:
    run("claude-code", "--auth", "helper", "--key", KEY, "--yes")

    written = json.loads(settings_of(home).read_text())
    assert written["apiKeyHelper"] == f"cat {home / '.claude' / 'interchange.key'}"
    assert KEY not in settings_of(home).read_text()
    assert run("claude-code", "--auth", "command", "--key", KEY).exit_code == 2


@pytest.mark.parametrize("proof", ["command", "env"])
def test_codex_gets_the_tools_where_somebody_wants_them(home: Path, server: FakeServer, proof: str) -> None:
    file = write(home / ".codex" / "config.toml", CONFIG)
    run("codex", "--key", KEY, "--auth", proof, "--yes")
    without = tomllib.loads(file.read_text())

    done = run("codex", "--key", KEY, "--auth", proof, "--tools", "--yes")
    again = run("codex", "--auth", proof, "--key", KEY, "--tools", "--yes")
    given = tomllib.loads(file.read_text())["mcp_servers"]["interchange"]

    assert "mcp_servers" not in without
    assert KEY not in done.output
    assert "already" in again.output
    assert given["url"] == f"{server.url}/mcp"
    if proof == "env":
        assert given == {"url": f"{server.url}/mcp", "bearer_token_env_var": "INTERCHANGE_API_KEY"}
    else:
        assert given["http_headers"] == {"Authorization": f"Bearer {KEY}"}
    undone = run("codex", "--undo", "--yes")
    assert KEY not in undone.output
    assert file.read_text() == CONFIG


@pytest.mark.parametrize(
    ("client", "said"), [("claude-code", "claude mcp add"), ("cursor", '"mcpServers": {"interchange"')]
)
def test_others_are_told_how_to_get_the_tools(home: Path, server: FakeServer, client: str, said: str) -> None:
    plain = run(client, "--key", KEY, "--yes")
    run(client, "--undo", "--yes")
    tools = run(client, "--key", KEY, "--tools", "--yes")

    assert said not in plain.output
    assert said in tools.output
    assert f"{server.url}/mcp" in tools.output
    assert KEY not in tools.output
