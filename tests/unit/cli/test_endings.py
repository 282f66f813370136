"""How the program ends, and what the doctor says of a machine in a bad state."""

import json
import os
import resource
import shutil
import sqlite3
from collections import namedtuple
from pathlib import Path

import click
import pytest

from domain.errors import StoreUnavailable
from entrypoints.cli import main as program
from entrypoints.cli.doctor import examine
from entrypoints.cli.findings import Finding
from entrypoints.version import version

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and none of the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("INTERCHANGE_") or name in ("HOST", "PORT"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PORT", "0")
    return tmp_path


def ending(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (click.Abort(), 130, "interrupted"),
        (StoreUnavailable("the key store is away"), 1, "Error: the key store is away"),
        (click.ClickException("that went wrong"), 1, "Error: that went wrong"),
        (click.UsageError("no such flag"), 2, "no such flag"),
    ],
)
def test_every_error_is_one_line_and_a_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
    said: str,
) -> None:
    def failing(**_: object) -> None:
        raise error

    monkeypatch.setattr(program.interchange, "main", failing)
    assert ending("doctor") == status
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_a_reader_who_left_is_no_error_worth_words(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []

    class Stderr:
        def close(self) -> None:
            closed.append(True)

    def failing(**_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(program.interchange, "main", failing)
    monkeypatch.setattr("sys.stderr", Stderr())
    assert ending("doctor") == 1
    assert closed == [True]


def test_the_version_is_printed_by_flag_and_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("--version") == 0
    assert ending("version") == 0
    assert capsys.readouterr().out.splitlines() == [f"interchange, version {version()}", version()]


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("serv") == 2
    assert "'serv'" in capsys.readouterr().err


def found(name: str) -> Finding:
    return next(finding for finding in examine(None) if finding.what == name)


def test_a_full_disk_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10, 9, 1))
    finding = found("data directory")
    assert (finding.verdict, finding.advice) == ("fail", "free some disk: the journal needs room")


def test_a_directory_of_somebody_else_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    finding = found("data directory")
    assert finding.verdict == "fail"
    assert finding.text.endswith("cannot be written")


def test_a_key_in_a_place_that_is_no_folder_is_a_failure(
    quiet_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (quiet_place / "file").write_text("")
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(quiet_place / "file"))
    assert found("first key").verdict == "fail"


def test_a_private_key_is_fine(quiet_place: Path) -> None:
    (quiet_place / ".interchange").mkdir()
    key = quiet_place / ".interchange/admin.key"
    key.touch(mode=0o600)
    assert found("first key") == Finding("first key", "ok", str(key))


def test_a_damaged_database_is_a_failure(quiet_place: Path) -> None:
    (quiet_place / ".interchange").mkdir()
    (quiet_place / ".interchange/interchange.db").write_bytes(b"no database " * 1000)
    finding = found("database")
    assert finding.verdict == "fail"
    assert finding.advice == "restore a backup, or move the file away"


def test_a_database_of_a_later_version_is_a_failure(quiet_place: Path) -> None:
    (quiet_place / ".interchange").mkdir()
    path = quiet_place / ".interchange/interchange.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.close()
    assert found("database").verdict == "fail"


def test_too_few_open_files_are_noted_with_the_number_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (100, 100))
    finding = found("open files")
    assert finding.verdict == "note"
    assert "limit 100" in finding.text
    assert "MAX_CONCURRENT_REQUESTS" in finding.advice


@pytest.mark.parametrize(("node", "said"), [("/usr/bin/node", "Node at"), (None, "one is fetched")])
def test_a_gateway_that_is_not_up_says_what_of_it_is_here(
    monkeypatch: pytest.MonkeyPatch, node: str | None, said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: node)
    finding = found("portkey")
    assert finding.verdict == "note"
    assert said in finding.text


def test_gateways_of_the_operator_are_named(quiet_place: Path) -> None:
    (quiet_place / "interchange.yaml").write_text(
        "portkey: {managed: false, gateways: ['http://gateway.internal:8787']}\n"
    )
    assert found("portkey") == Finding("portkey", "ok", "http://gateway.internal:8787")


def test_a_host_that_is_not_this_machines_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "192.0.2.1")
    monkeypatch.setenv("PORT", "8080")
    finding = found("server")
    assert finding.verdict == "fail"
    assert "cannot listen on 192.0.2.1:8080" in finding.text


def test_findings_are_printed_as_a_table_or_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("doctor") == 0
    assert "data directory" in capsys.readouterr().out
    assert ending("doctor", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {"python", "configuration", "data directory"} <= {one["what"] for one in told}
