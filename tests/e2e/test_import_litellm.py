"""From LiteLLM's files to a running server: the configuration passes the check, old keys open the door."""

import hashlib
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange
from tests.e2e.stack import Stack
from tests.e2e.test_admin import with_key

TOKENS = "LiteLLM_VerificationToken"
OLD, BLOCKED, SHARED = "sk-old-and-trusted", "sk-blocked-before", "sk-old-and-trusted-too"
CHAT = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(autouse=True)
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("INTERCHANGE_CONFIG", "INTERCHANGE_DATA_DIR", "INTERCHANGE_API_KEY", "INTERCHANGE_URL"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(interchange, arguments, catch_exceptions=False)


def token_row(token: str, **more: object) -> dict[str, object]:
    return {"token": hashlib.sha256(token.encode()).hexdigest(), "key_alias": token[3:], **more}


def write_sources(place: Path, api_base: str) -> None:
    account = f"api_base: '{api_base}', api_key: os.environ/UPSTREAM_KEY"
    (place / "config.yaml").write_text(
        "model_list:\n"
        "  - model_name: assistant\n"
        f"    litellm_params: {{model: openai/small, {account}}}\n"
        "  - model_name: other\n"
        f"    litellm_params: {{model: openai/large, {account}}}\n"
    )
    rows = [
        token_row(OLD, models=["assistant"], spend=2.5),
        token_row(SHARED, models=[]),
        token_row(BLOCKED, models=[], blocked=True),
    ]
    (place / "dump.json").write_text(json.dumps({TOKENS: rows}))


def test_old_keys_open_the_door_of_the_imported_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sources(tmp_path, "http://upstream.invalid/up/v1")
    data_dir = tmp_path / "data"
    arguments = ("import", "litellm", "config.yaml", "--database", "dump.json", "--data-dir", str(data_dir))

    first = run(*arguments, "-o", "interchange.yaml", "--json")
    report = json.loads(first.stdout)
    assert report["keys"] == {"read": 3, "new": 3, "known": 0}
    assert report["variables"] == ["UPSTREAM_KEY"]
    assert stat.S_IMODE((tmp_path / "interchange.yaml").stat().st_mode) == 0o600
    assert OLD not in first.stdout
    again = json.loads(run(*arguments, "-o", "interchange.yaml", "--force", "--json").stdout)
    assert again["keys"] == {"read": 3, "new": 0, "known": 3}

    config = (tmp_path / "interchange.yaml").read_text().replace("http://upstream.invalid", "{sim}")
    with Stack(data_dir, config, environ={"UPSTREAM_KEY": "upstream-secret"}) as stack:
        with with_key(stack, OLD) as http:
            for _ in range(2):
                answer = http.post("/v1/chat/completions", json={"model": "assistant", **CHAT})
                assert answer.status_code == 200, answer.text
            assert http.post("/v1/chat/completions", json={"model": "other", **CHAT}).status_code == 403
        with with_key(stack, SHARED) as http:
            assert http.post("/v1/chat/completions", json={"model": "other", **CHAT}).status_code == 200
        for token in (BLOCKED, "sk-unknown", OLD[:-1], OLD + "x", hashlib.sha256(OLD.encode()).hexdigest()):
            with with_key(stack, token) as http:
                assert http.get("/v1/models").status_code == 401, token
        with stack.client() as client:
            listed = {key["name"]: key for key in client.get("/api/v1/keys").json()["keys"]}
            assert listed[OLD[3:]]["imported"] is True
            assert "2.5" in listed[OLD[3:]]["note"]
            client.delete(f"/api/v1/keys/{listed[OLD[3:]]['key_id']}")
        with with_key(stack, OLD) as http:
            assert http.get("/v1/models").status_code == 401


def test_the_written_file_passes_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sources(tmp_path, "http://127.0.0.1:9/v1")
    assert run("import", "litellm", "config.yaml", "-o", "ours.yaml").exit_code == 0
    monkeypatch.setenv("UPSTREAM_KEY", "x")

    checked = run("config", "check", "--config", "ours.yaml")

    assert checked.exit_code == 0, checked.output
    assert "1 providers, 2 routes" in checked.output


def test_nothing_is_written_without_being_asked_for(tmp_path: Path) -> None:
    write_sources(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "ours.yaml").write_text("mine")

    dry = run("import", "litellm", "config.yaml", "--database", "dump.json", "-o", "ours.yaml", "--dry-run")
    refused = run("import", "litellm", "config.yaml", "-o", "ours.yaml")

    assert dry.exit_code == 0, dry.output
    assert refused.exit_code == 1
    assert "exists" in refused.output
    assert (tmp_path / "ours.yaml").read_text() == "mine"
    assert not (tmp_path / ".interchange").exists()


def test_the_report_for_people_names_lines_outcomes_and_what_is_next(tmp_path: Path) -> None:
    write_sources(tmp_path, "http://127.0.0.1:9/v1")

    shown = run("import", "litellm", "config.yaml")

    assert "model_list[0].litellm_params.model" in shown.output
    assert "UPSTREAM_KEY" in shown.output
    assert "no file was written; give -o" in shown.output


def test_a_file_that_is_no_configuration_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: [")

    refused = run("import", "litellm", "config.yaml")

    assert refused.exit_code == 1
    assert "config.yaml:" in refused.output
