"""Which files of the machine integrations may open as databases, and what they may do inside."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.databases.configuration import read_configuration
from adapters.databases.kind import DatabaseKind
from application.ports.connector import Connector, Surroundings
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
)
from domain.tenancy.role import OPERATOR_TENANT

WRITING: dict[str, Any] = {
    "queries": {
        "add": {
            "sql": "INSERT INTO people (id, name) VALUES (:id, :name) RETURNING id",
            "parameters": {"id": {"type": "integer"}, "name": {"type": "string"}},
            "read_only": False,
            "returns": "affected",
        },
        "wreck": {"sql": "DROP TABLE people", "read_only": False, "returns": "affected"},
    }
}


async def _nowhere(host: str, port: int) -> tuple[str, ...]:
    raise AssertionError(f"a file needs no connection to {host}:{port}")


SURROUNDINGS = Surroundings(transport=None, guard=_nowhere, secrets={})  # type: ignore[arg-type]


def people(folder: Path, scheme: str) -> Path:
    path = folder / f"people.{scheme}"
    made: Any = sqlite3.connect(path) if scheme == "sqlite" else duckdb.connect(str(path))
    made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR)")
    made.execute("INSERT INTO people VALUES (1, 'Ada')")
    made.commit()
    made.close()
    return path


def listed(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def integration(path: str, scheme: str, **more: Any) -> Integration:
    configuration = {"endpoint": f"{scheme}://{path}", "free_sql": {"enabled": True}, **more}
    return Integration(
        tenant_id=OPERATOR_TENANT,
        integration_id="files",
        kind=IntegrationKind.DATABASE,
        configuration=configuration,
    )


def opened(asked: Integration, *folders: Path) -> Connector:
    return DatabaseKind(folders=lambda: folders).open(asked, SURROUNDINGS)


async def call(connector: Connector, name: str, /, **parameters: Any) -> Any:
    tool = next(tool for tool in connector.tools if tool.name == name)
    asked = ToolCall(
        tenant_id=OPERATOR_TENANT,
        integration_id="files",
        tool=tool,
        parameters=parameters,
        timeout_s=10.0,
        request_id="req_1",
    )
    return (await connector.execute(asked)).value


@pytest.fixture(params=["sqlite", "duckdb"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connector(tmp_path: Path, scheme: str) -> AsyncIterator[Connector]:
    made = opened(integration(str(people(tmp_path, scheme)), scheme), tmp_path)
    yield made
    await made.aclose()


@pytest.fixture
async def writer(tmp_path: Path, scheme: str) -> AsyncIterator[Connector]:
    made = opened(integration(str(people(tmp_path, scheme)), scheme, **WRITING), tmp_path)
    yield made
    await made.aclose()


async def test_a_file_is_asked_with_free_sql(connector: Connector) -> None:
    found = await call(connector, "query", sql="SELECT name FROM people WHERE id = 1")

    assert found["rows"] == [["Ada"]]


async def test_what_there_is_can_be_looked_at(connector: Connector) -> None:
    assert "people" in str(await call(connector, "list_tables"))
    assert (await connector.check())["writable"] is False


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM people", "SELECT * FROM sqlite_master", "PRAGMA table_list", "ATTACH 'x' AS y", "COMMIT"],
)
async def test_what_free_sql_may_not_do_is_refused(connector: Connector, sql: str) -> None:
    with pytest.raises(ToolRefused):
        await call(connector, "query", sql=sql)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM people",
        "CREATE TABLE loot (a INTEGER)",
        "COPY people TO 'loot.csv'",
        "ATTACH 'loot.db' AS loot",
        "PRAGMA user_version = 7",
    ],
)
async def test_a_template_that_says_it_only_reads_only_reads(tmp_path: Path, scheme: str, sql: str) -> None:
    path = people(tmp_path, scheme)
    before = listed(tmp_path)
    made = opened(integration(str(path), scheme, queries={"sly": {"sql": sql}}), tmp_path)

    with pytest.raises(InterchangeError):
        await call(made, "sly")

    await made.aclose()
    assert listed(tmp_path) == before


async def test_writing_templates_change_rows_and_nothing_else(writer: Connector) -> None:
    added = await call(writer, "add", id=2, name="Grace")
    with pytest.raises((ToolRefused, ToolFailed)):
        await call(writer, "wreck")
    found = await call(writer, "query", sql="SELECT count(*) FROM people")

    assert added["rows_affected"] == 1
    assert found["rows"] == [[2]]


@pytest.mark.parametrize("value", [1 << 70, "\ud800"])
async def test_a_value_no_column_takes_is_told_by_its_name(tmp_path: Path, value: Any) -> None:
    queries = {"one": {"sql": "SELECT :value AS v", "parameters": {"value": {}}}}
    made = opened(integration(str(people(tmp_path, "sqlite")), "sqlite", queries=queries), tmp_path)

    with pytest.raises(InvalidParameters) as refusal:
        await call(made, "one", value=value)

    await made.aclose()
    assert refusal.value.param == "parameters.value"


@pytest.mark.parametrize(
    "endpoint",
    [
        "{scheme}:///etc/passwd",
        "{scheme}://{folder}/../outside.db",
        "{scheme}://{folder}/%2e%2e/outside.db",
        "{scheme}://host{folder}/people",
        "{scheme}:people.db",
        "{scheme}://{folder}x/people",
        "{scheme}:///",
        "{scheme}://{folder}/people?mode=rwc",
    ],
)
def test_other_files_cannot_be_configured(tmp_path: Path, scheme: str, endpoint: str) -> None:
    kind = DatabaseKind(folders=lambda: [tmp_path])

    with pytest.raises(InvalidConfiguration) as refusal:
        kind.validate({"endpoint": endpoint.format(scheme=scheme, folder=tmp_path)})

    assert refusal.value.param == "endpoint"


def test_no_file_can_be_configured_where_no_folder_is_open(tmp_path: Path, scheme: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"connectors\.folders"):
        DatabaseKind().validate({"endpoint": f"{scheme}://{people(tmp_path, scheme)}"})


def test_files_are_for_the_operator_and_what_the_file_declares(tmp_path: Path, scheme: str) -> None:
    path = str(people(tmp_path, scheme))
    configuration = integration(path, scheme).configuration
    theirs = Integration(
        tenant_id="acme", integration_id="files", kind=IntegrationKind.DATABASE, configuration=configuration
    )
    declared = Integration(
        tenant_id="acme",
        integration_id="files",
        kind=IntegrationKind.DATABASE,
        configuration=configuration,
        declared=True,
    )

    with pytest.raises(InvalidConfiguration):
        opened(theirs, tmp_path)
    assert opened(declared, tmp_path).tools


async def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, scheme: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(people(outside, scheme))
    made = opened(integration(f"{inside}/link", scheme), inside)

    with pytest.raises(IntegrationUnavailable) as refusal:
        await made.check()

    await made.aclose()
    assert str(outside) not in refusal.value.message


@pytest.mark.parametrize("content", [b"", b"no database at all, only some text that is long enough" * 100])
async def test_what_is_no_database_or_no_file_is_told(tmp_path: Path, scheme: str, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder", "missing"):
        made = opened(integration(f"{tmp_path}/{name}", scheme), tmp_path)
        with pytest.raises(InterchangeError) as refusal:
            await call(made, "query", sql="SELECT count(*) FROM people")
        await made.aclose()
        assert isinstance(refusal.value, IntegrationUnavailable | ToolFailed)
        assert str(tmp_path) not in refusal.value.message


async def test_a_database_that_is_being_written_is_told_to_be_busy(tmp_path: Path) -> None:
    path = people(tmp_path, "sqlite")
    made = opened(integration(str(path), "sqlite", **WRITING), tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(IntegrationUnavailable):
        await call(made, "add", id=2, name="Grace")

    other.execute("ROLLBACK")
    other.close()
    assert (await call(made, "add", id=2, name="Grace"))["rows_affected"] == 1
    await made.aclose()


def test_a_file_asks_nobody_who_he_is(tmp_path: Path, scheme: str) -> None:
    kind = DatabaseKind(folders=lambda: [tmp_path])
    login = {"type": "password", "username": "agent"}

    with pytest.raises(InvalidConfiguration) as refusal:
        kind.validate({"endpoint": f"{scheme}://{people(tmp_path, scheme)}", "authentication": login})

    assert refusal.value.param == "authentication.type"
    assert read_configuration({"endpoint": f"{scheme}:///x"}).username == ""
