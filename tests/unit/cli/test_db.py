"""`interchange db` and what `interchange doctor` says of a database."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.sql.schema import SCHEMA_HEAD
from entrypoints.cli import offline
from entrypoints.cli.doctor import examine
from entrypoints.cli.findings import Finding
from tests.contract.postgres_server import PostgresServer, postgres_server

Command = Callable[..., Result]


@pytest.fixture
def server() -> PostgresServer:
    return postgres_server()


@pytest.fixture
def postgres(server: PostgresServer) -> Iterator[str]:
    name = server.new_database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'x.db'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(url: str, *arguments: str, answer: str = "") -> Result:
        monkeypatch.setenv("DATABASE_URL", url)
        return CliRunner().invoke(offline.db(), list(arguments), input=answer)

    return run


def test_a_database_goes_up_and_back_and_says_where_it_is(db: Command, url: str) -> None:
    assert db(url, "current").output == "empty\n"
    assert db(url, "status").exit_code == 1

    assert f"upgraded to {SCHEMA_HEAD}" in db(url, "upgrade").output
    assert f"is already at {SCHEMA_HEAD}" in db(url, "upgrade").output

    status = db(url, "status", "--json")
    assert status.exit_code == 0
    found = json.loads(status.output)
    assert (found["revision"], found["newest_revision"]) == (SCHEMA_HEAD, SCHEMA_HEAD)
    assert found["size_bytes"] > 0
    assert "size" in db(url, "status").output

    assert db(url, "downgrade", "0007", answer="n\n").exit_code == 1
    assert db(url, "current").output == f"{SCHEMA_HEAD}\n"
    assert db(url, "downgrade", "0007", answer="y\n").exit_code == 0
    assert "is already at 0007" in db(url, "downgrade", "0007", "--yes").output
    assert db(url, "current").output == "0007\n"


def test_parts_are_listed_and_made(db: Command, url: str) -> None:
    db(url, "upgrade")

    rows = json.loads(db(url, "partitions", "--json").output)
    text = db(url, "partitions", "--tidy").output

    if url.startswith("sqlite"):
        assert rows == []
        assert "keeps tables whole" in text
        return
    requests = [row for row in rows if row["table"] == "usage_requests"]
    assert len(requests) == 6
    assert requests[-1]["name"] == "usage_requests_default"
    assert requests[0]["to"] == requests[1]["from"]
    assert "everything else" in text


def examined(monkeypatch: pytest.MonkeyPatch, folder: Path, **environ: str) -> list[Finding]:
    monkeypatch.chdir(folder)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return [one for one in examine(None) if one.what in ("database", "key pepper")]


def test_doctor_knows_what_a_start_on_postgres_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, db: Command, postgres: str
) -> None:
    monkeypatch.delenv("INTERCHANGE_KEY_PEPPER", raising=False)
    first = examined(monkeypatch, tmp_path, DATABASE_URL=postgres, PORT="0")
    db(postgres, "upgrade")
    (tmp_path / "interchange.yaml").write_text(
        "server: {workers: 30}\nstorage: {database_connections_max: 10}\n"
    )
    second = examined(monkeypatch, tmp_path, INTERCHANGE_KEY_PEPPER=f"1:{'ab' * 32}")

    assert [one.verdict for one in first] == ["note"] * 4
    assert "revision none" in first[0].text and "fsync" in "".join(one.text for one in first[1:])
    assert [one.verdict for one in second] == ["ok", "note", "note", "fail"]
    assert "300 connections are configured and the server has 200" in second[3].text


def test_doctor_says_that_a_database_cannot_be_reached_and_keeps_the_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = "postgresql://somebody:secret@127.0.0.1:1/x"

    (found,) = examined(monkeypatch, tmp_path, DATABASE_URL=url, PORT="0")

    assert (found.verdict, found.text.partition(":")[0]) == ("fail", "127.0.0.1")
    assert "secret" not in found.text and "somebody" not in found.text
