"""`interchange`: what it prints, where it prints it, and how it ends."""

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoints.cli.main import COMMANDS, main
from entrypoints.cli.serve import _say, flags_of
from tests.unit.cli.fake_server import fake_server

REPOSITORY = Path(__file__).parents[3]
STATUS = {
    "providers": [
        {
            "provider": "acme",
            "state": "degraded",
            "success_rate": 0.91,
            "latency_ms": None,
            "consecutive_failures": 2,
            "availability": 99.5,
            "samples": 11,
            "usable": True,
            "simulated": False,
            "breaker": "closed",
            "targets": [{"id": "acme/small"}, {"id": "acme/large"}],
        }
    ]
}
CANDIDATE = {
    "target": "acme/small",
    "kept": True,
    "rank": 0,
    "reason": None,
    "explanation": "first choice",
    "estimated_cost_usd": "0.00001",
    "price_bound_usd": "0.02",
    "predicted_p95_ms": None,
    "health": "healthy",
    "breaker": "closed",
}
EXPLANATION = {
    "route": "assistant",
    "strategy": "cost",
    "attempts_max": 2,
    "cache": "off",
    "refusal": None,
    "candidates_total": 2,
    "candidates": [
        {
            **CANDIDATE,
            "target": "acme/large",
            "kept": False,
            "rank": None,
            "reason": "capability",
            "explanation": "dropped: cannot see",
        },
        CANDIDATE,
    ],
}


class Ran:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


@pytest.fixture(autouse=True)
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and none of the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("INTERCHANGE_") or name in ("HOST", "PORT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> "type[Runner]":
    Runner.capsys = capsys
    return Runner


class Runner:
    """Calls the program in this process."""

    capsys: pytest.CaptureFixture[str]

    def __new__(cls, *arguments: str) -> Ran:  # type: ignore[misc]
        with pytest.raises(SystemExit) as ending:
            main(arguments)
        printed = cls.capsys.readouterr()
        return Ran(int(ending.value.code or 0), printed.out, printed.err)


def test_help_lists_every_command(run: type[Runner]) -> None:
    result = run("--help")

    assert result.status == 0
    assert all(name in result.out for name in COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom entrypoints.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('pydantic', 'granian', 'rich', 'ruamel', 'sqlalchemy', 'asyncio') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_can_be_loaded(run: type[Runner], name: str) -> None:
    assert run(name, "--help").status == 0


def test_what_cannot_be_understood_ends_with_2(run: type[Runner]) -> None:
    assert run("sevre").status == 2
    assert run("serve", "--port", "many").status == 2
    assert "No such command" in run("config", "chekc").err


def test_check_prints_every_problem_on_stderr_and_fails(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "interchange.yaml").write_text("server:\n  prot: 1\nroutes: {r: {}}\n")

    result = run("config", "check")

    assert result.status == 1
    assert result.err.splitlines()[0].startswith("error: interchange.yaml:2:3: server.prot: unknown key")
    assert result.err.splitlines()[-1] == "Error: the configuration has 2 errors"
    assert result.out == ""


def test_check_says_ok_and_warns(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(
        "routes: {r: {targets: [p/m], cache: {mode: threshold}}}\n"
        "providers: {p: {kind: openai, base_url: 'http://127.0.0.1:9/v1', models: {m: {}}}}\n"
    )

    relaxed = run("config", "check", "--config", "i.yaml")
    strict = run("config", "check", "--config", "i.yaml", "--strict")

    assert relaxed.status == 0 and "1 providers, 1 routes" in relaxed.out
    assert "warning: i.yaml:1:44: " in relaxed.err
    assert strict.status == 1


def test_check_warns_of_an_embedder_that_no_provider_is_there_for(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text("cache: {mode: observe, embedder: acme/embed, embedder_dimensions: 8}\n")

    plain = run("config", "check", "--config", "i.yaml")
    strict = run("config", "check", "--config", "i.yaml", "--strict")
    told = run("config", "check", "--config", "i.yaml", "--json")

    assert plain.status == 0 and "warning: cache.embedder: provider 'acme' is neither" in plain.err
    assert strict.status == 1 and "1 warnings" in strict.err
    assert json.loads(told.out)["warnings"][0]["message"].startswith("cache.embedder: provider 'acme'")


def test_check_speaks_json(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text("a: 1")

    good, bad = run("config", "check", "--json"), run("config", "check", "--json", "--config", "i.yaml")

    assert (good.status, json.loads(good.out)["ok"]) == (0, True)
    assert (bad.status, json.loads(bad.out)["errors"][0]["line"]) == (1, 1)


def test_export_masks_secrets_and_can_be_read_again(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(
        "providers: {p: {kind: openai, base_url: 'http://127.0.0.1:9/v1', api_key: s3cr3t, "
        "models: {m: {input_usd_per_mtok: 0.1}}}}"
    )

    as_yaml, as_json = (
        run("config", "export", "--config", "i.yaml"),
        run("config", "export", "--config", "i.yaml", "--json", "--all"),
    )

    assert "s3cr3t" not in as_yaml.out + as_json.out
    assert json.loads(as_json.out)["server"]["port"] == 8080
    (tmp_path / "again.yaml").write_text(as_yaml.out)
    assert run("config", "check", "--config", "again.yaml").status == 0


def test_the_schema_is_printed(run: type[Runner]) -> None:
    assert json.loads(run("config", "schema").out)["title"] == "Interchange configuration"


def test_provider_status_asks_the_server_with_the_first_key(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / ".interchange").mkdir()
    (tmp_path / ".interchange" / "admin.key").write_text("ik_test\n")
    with fake_server({"/api/v1/providers/status": (200, STATUS)}) as server:
        table = run("providers", "status", "--url", server.url)
        listed = run("providers", "list", "--url", server.url)
        raw = run("providers", "status", "--url", server.url, "--json")

    assert server.asked[0].headers["authorization"] == "Bearer ik_test"
    assert table.out.splitlines()[1].split() == [
        "acme",
        "degraded",
        "0.91",
        "-",
        "99.5",
        "2",
        "11",
        "closed",
    ]
    assert listed.out.splitlines()[1].split() == ["acme", "2", "degraded", "yes", "no"]
    assert json.loads(raw.out) == STATUS


def test_the_running_server_is_found_through_the_data_directory(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / ".interchange").mkdir()
    with fake_server({"/api/v1/providers/status": (200, STATUS)}) as server:
        (tmp_path / ".interchange" / "server.json").write_text(json.dumps({"url": server.url}))

        result = run("providers", "list", "--key", "k")

    assert result.status == 0 and len(server.asked) == 1


def test_explain_sends_the_demands_as_headers_and_shows_the_ranking_first(run: type[Runner]) -> None:
    with fake_server({"/api/v1/routing/explain": (200, EXPLANATION)}) as server:
        result = run(
            *("route", "explain", "assistant", "--url", server.url, "--key", "k"),
            *("--capability", "text", "--capability", "vision", "--max-cost-usd", "0.01"),
            *("--residency", "eu-west", "--max-tokens", "64", "--prompt", "Hi", "--stream"),
        )

    asked = server.asked[0]
    assert asked.body == {
        "model": "assistant",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "max_tokens": 64,
    }
    demands = {k: v for k, v in asked.headers.items() if k.startswith("x-interchange-")}
    assert demands == {
        "x-interchange-capabilities": "text,vision",
        "x-interchange-max-cost-usd": "0.01",
        "x-interchange-residency": "eu-west",
    }
    lines = result.out.splitlines()
    assert lines[0] == (
        "route assistant, strategy cost: 1 of 2 candidates kept, the first 2 would be tried; cache off"
    )
    assert lines[2].split()[:2] == ["1", "acme/small"]
    assert "dropped: cannot see" in lines[3]


def test_explain_shows_a_refusal_and_raw_json(run: type[Runner]) -> None:
    refused = {**EXPLANATION, "refusal": {"code": "forbidden", "message": "not yours"}}
    with fake_server({"/api/v1/routing/explain": (200, refused)}) as server:
        table = run("route", "explain", "m", "--url", server.url, "--key", "k")
        raw = run("route", "explain", "m", "--url", server.url, "--key", "k", "--json")

    assert "refused: not yours (forbidden)" in table.out
    assert json.loads(raw.out) == refused


def test_a_server_error_is_one_clear_line(run: type[Runner]) -> None:
    error = {"error": {"code": "invalid_api_key", "message": "unknown key"}}
    with fake_server({"/api/v1/providers/status": (401, error)}) as server:
        result = run("providers", "status", "--url", server.url, "--key", "k")

    assert result.status == 1
    assert result.err == "Error: the server answered 401: unknown key (invalid_api_key)\n"


def test_an_answer_that_is_no_json_is_an_error(run: type[Runner]) -> None:
    with fake_server({"/api/v1/providers/status": (200, "<html>")}) as server:
        assert "not with JSON" in run("providers", "list", "--url", server.url, "--key", "k").err


def test_no_server_and_no_key_are_told_apart(run: type[Runner]) -> None:
    assert "no key:" in run("providers", "list", "--url", "http://127.0.0.1:1").err
    assert "start one with" in run("providers", "list", "--url", "http://127.0.0.1:1", "--key", "k").err


def findings(result: Ran) -> dict[str, tuple[str, str]]:
    return {finding["what"]: (finding["verdict"], finding["text"]) for finding in json.loads(result.out)}


def test_doctor_finds_nothing_wrong_in_an_empty_directory(
    run: type[Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "0")

    result = run("doctor", "--json")

    assert result.status == 0
    assert findings(result)["data directory"][0] == "ok"
    assert run("doctor").status == 0


def test_doctor_reports_a_readable_key_and_a_dead_server(run: type[Runner], tmp_path: Path) -> None:
    folder = tmp_path / ".interchange"
    folder.mkdir()
    (folder / "admin.key").write_text("x")
    (folder / "admin.key").chmod(stat.S_IRUSR | stat.S_IRGRP)
    (folder / "server.json").write_text('{"url": "http://127.0.0.1:1"}')
    (folder / "gateway.json").write_text('{"url": "http://127.0.0.1:2"}')

    result = run("doctor", "--json")

    found = findings(result)
    assert result.status == 1
    assert found["first key"] == ("fail", f"others can read {folder / 'admin.key'}")
    assert found["server"][0] == "fail"
    assert found["portkey"] == ("ok", "up at http://127.0.0.1:2")


def test_doctor_names_who_holds_the_port_and_asks_a_running_server(
    run: type[Runner], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    health = {"status": "degraded", "redis": {"status": "down"}, "cache": "degraded", "ledger": "unused"}
    with fake_server({"/health": (200, health)}) as server:
        monkeypatch.setenv("PORT", server.url.rpartition(":")[2])
        held = findings(run("doctor", "--json"))["server"]
        (tmp_path / ".interchange").mkdir()
        (tmp_path / ".interchange" / "server.json").write_text(json.dumps({"url": server.url}))
        asked = findings(run("doctor", "--json"))["server"]

    assert held[0] == "fail" and f"process {os.getpid()}" in held[1]
    assert asked == ("note", f"{server.url}: degraded (cache degraded, redis down)")


def test_doctor_stops_at_a_broken_configuration(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "interchange.yaml").write_text("a: 1")

    result = run("doctor", "--json")

    assert result.status == 1
    assert "unknown key" in findings(result)["configuration"][1]


def test_flags_say_only_what_was_given() -> None:
    nothing = flags_of(host=None, port=None, workers=None, no_simulator=False, no_portkey=False)
    everything = flags_of(host="h", port=0, workers=2, no_simulator=True, no_portkey=True)

    assert nothing == {}
    assert everything == {
        "server": {"host": "h", "port": 0, "workers": 2},
        "simulator": {"enabled": False},
        "portkey": {"managed": False},
    }


def test_a_server_whose_output_nobody_reads_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stdout", broken)

        _say("is anybody there?")

        monkeypatch.undo()
        with contextlib.suppress(OSError):
            broken.close()


def test_serve_refuses_a_bad_configuration_before_anything_starts(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "interchange.yaml").write_text("routes: 5")

    result = run("serve")

    assert result.status == 1
    assert "error: interchange.yaml:1:9: routes: must be a mapping" in result.err
    assert not (tmp_path / ".interchange").exists()


def test_check_finds_what_would_keep_the_server_from_starting(run: type[Runner], tmp_path: Path) -> None:
    (tmp_path / "i.yaml").write_text(
        "providers: {p: {kind: opnai}, q: {kind: openai, api_key: k}}\nroutes: {r: {targets: [q/nosuch]}}\n"
    )

    checked = run("config", "check", "--config", "i.yaml")

    assert checked.status == 1
    assert "'opnai' is neither a wire" in checked.err
    assert "no provider offers 'q/nosuch'" in checked.err
    assert "2 errors" in checked.err
    assert not (tmp_path / ".interchange").exists(), "a check leaves nothing behind"
