"""The connector of databases on MariaDB: from a configuration to results, with free SQL."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from adapters.databases.connector import DatabaseConnector
from adapters.databases.kind import DatabaseKind
from adapters.databases.row_formats import CSV
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.errors import InvalidConfiguration, ToolFailed, ToolRefused, ToolTimeout
from domain.vault.secret import SecretBytes
from tests.contract.mariadb_server import mariadb_server
from tests.contract.mysql_world import PASSWORD, AnyAddress, MySqlWorld

QUERIES: Mapping[str, Any] = {
    "person": {
        "sql": "SELECT id, name FROM people WHERE id = :id",
        "parameters": {"id": {"type": "integer"}},
        "returns": "row",
    },
    "rename": {
        "sql": "UPDATE people SET name = :name WHERE id = :id",
        "parameters": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "returns": "affected",
        "read_only": False,
    },
    "odd": {
        "sql": "SELECT 1.10 AS exact, 0.5e0 AS half, CAST('2026-11-21 10:00:00' AS DATETIME) AS at, "
        "CAST('-10:00:01' AS TIME) AS t, X'00ff' AS data, NULL AS nothing, "
        "18446744073709551615 AS big, 1 AS id, 2 AS id, '100%s :x' AS text",
        "returns": "row",
    },
    "slow": {"sql": "SELECT SLEEP(40) AS s", "limits": {"timeout_s": 0.3}},
    "many": {"sql": "SELECT seq AS n FROM seq_1_to_100000"},
}


class Opened:
    def __init__(self, world: MySqlWorld, **more: Any) -> None:
        configuration = {
            "endpoint": f"mariadb://localhost:{world.server.port}/{world.database}",
            "authentication": {"type": "password", "username": world.user},
            "queries": QUERIES,
            "schemas": [world.database],
            **more,
        }
        kind, nothing = DatabaseKind(), Any
        kind.validate(configuration)
        integration = Integration(
            tenant_id="acme", integration_id="crm", kind=IntegrationKind.DATABASE, configuration=configuration
        )
        secrets = {"password": SecretBytes(PASSWORD.encode())}
        self.connector: DatabaseConnector = kind.open(
            integration,
            Surroundings(nothing, AnyAddress(), secrets),  # type: ignore[arg-type]
        )

    def call(self, name: str, /, **parameters: Any) -> ToolCall:
        tool = next(tool for tool in self.connector.tools if tool.name == name)
        return ToolCall(
            tenant_id="acme",
            integration_id="crm",
            tool=tool,
            parameters=parameters,
            timeout_s=20.0,
            request_id="req_1",
        )

    async def ask(self, name: str, /, **parameters: Any) -> Mapping[str, Any]:
        return (await self.connector.execute(self.call(name, **parameters))).value


@pytest.fixture
async def world() -> AsyncIterator[MySqlWorld]:
    made = MySqlWorld(mariadb_server())
    yield made
    await made.aclose()


@pytest.fixture
async def opened(world: MySqlWorld) -> AsyncIterator[Opened]:
    made = Opened(world, free_sql={"enabled": True, "tables": ["people"]})
    yield made
    await made.connector.aclose()


async def test_templates_read_and_write(opened: Opened) -> None:
    assert (await opened.ask("person", id=3))["row"] == {"id": 3, "name": "Zoë 🧾"}
    assert await opened.ask("rename", id=1, name="O'Ada \\") == {"rows_affected": 1}
    assert (await opened.ask("person", id=1))["row"] == {"id": 1, "name": "O'Ada \\"}


async def test_values_are_json(opened: Opened) -> None:
    assert (await opened.ask("odd"))["row"] == {
        "exact": "1.10",
        "half": 0.5,
        "at": "2026-11-21T10:00:00",
        "t": "-10:00:01",
        "data": "AP8=",
        "nothing": None,
        "big": 18446744073709551615,
        "id": 1,
        "id_2": 2,
        "text": "100%s :x",
    }


async def test_time_that_is_over_stops_the_query(opened: Opened) -> None:
    with pytest.raises((ToolTimeout, ToolFailed)):
        await opened.ask("slow")


async def test_many_rows_are_streamed(opened: Opened) -> None:
    stream = await opened.connector.stream(opened.call("many"), CSV)
    text = b""
    while chunk := await stream.next_chunk():
        text += chunk
    await stream.aclose()

    rows = list(csv.reader(io.StringIO(text.decode())))
    assert rows[0] == ["n"] and len(rows) == 100_001 and rows[-1] == ["100000"]


async def test_free_sql_is_written_anew_and_run(opened: Opened) -> None:
    found = await opened.ask("query", sql="select name from people where id in (1, 2) order by id -- x")

    assert found["rows"] == [["Ada"], ["Grace"]]
    backslash = await opened.ask("query", sql="SELECT 'a\\\\b', 'it''s', \"q\" FROM people LIMIT 1")
    assert backslash["rows"] == [["a\\b", "it's", "q"]]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM people",
        "SELECT * FROM mysql.user",
        "SELECT LOAD_FILE('/etc/passwd')",
        "SELECT SLEEP(1)",
        "SELECT GET_LOCK('x', 1)",
        "SELECT 1 INTO/**/OUTFILE '/tmp/x'",
        "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
        "SELECT @@version",
        "SELECT @a := 1",
        "CALL loot()",
        "SELECT loot()",
        "HANDLER people OPEN",
        "BEGIN NOT ATOMIC DELETE FROM people; END",
        "SELECT * FROM people PROCEDURE ANALYSE()",
        "SELECT 1; DELETE FROM people",
        "SELECT * FROM people FOR UPDATE",
        "SELECT NEXTVAL(numbers)",
        "SELECT 'a\\' OR 1=1 -- '",
    ],
)
async def test_what_free_sql_may_not_say_is_refused_or_harmless(
    opened: Opened, world: MySqlWorld, sql: str
) -> None:
    try:
        await opened.ask("query", sql=sql)
    except (ToolRefused, ToolFailed):
        pass
    else:
        assert "OR 1=1" in sql

    assert world.server.run("SELECT COUNT(*) FROM people", database=world.database)[0][0] == 3


async def test_tables_and_plans_are_told(opened: Opened) -> None:
    listed = await opened.ask("list_tables")
    described = await opened.ask("describe_table", table="people")
    plan = await opened.ask("explain", query="person", parameters={"id": 1})

    assert "people" in str(listed) and "varchar(200)" in str(described)
    assert plan["format"] == "json" and "query_block" in plan["plan"]
    assert (await opened.connector.check())["product"] == "MariaDB"


def test_a_service_without_a_user_is_refused(world: MySqlWorld) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        Opened(world, authentication={"type": "none"})

    assert refused.value.param == "authentication.username"
