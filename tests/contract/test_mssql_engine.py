"""The engine of SQL Server against a strict stand-in for its driver; a real one: `MSSQL_DSN`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlglot

from adapters.databases.destination import Destination, TlsMode
from adapters.databases.mssql import MsSqlEngine
from adapters.databases.mssql_catalogue import COLUMNS, DATABASE_WIDE, SERVER_WIDE, TABLES, only_of
from adapters.databases.sessions import PoolSettings
from application.ports.database_engine import Statement
from contracts.ports.database_engine import (
    ALL_PEOPLE,
    PEOPLE,
    PLENTY,
    EngineReadingContract,
    EngineSubject,
    EngineWritingContract,
    becomes,
)
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract
from domain.errors import InvalidConfiguration, ToolRefused
from domain.vault.secret import SecretBytes
from tests.contract.fake_mssql import SERIES, SLOW, FakeMsSql
from tests.contract.fake_sql import FakeServer
from tests.contract.mysql_world import WRONG, AnyAddress

FORBIDDEN = (
    "SELECT 1 DELETE FROM people",
    "SELECT 1; COMMIT; DELETE FROM people; COMMIT",
    "EXEC('DELETE FROM people')",
    "EXECUTE sp_executesql N'DELETE FROM people'",
    "sp_executesql N'DELETE FROM people'",
    "SELECT 1 EXEC('DELETE FROM people')",
    "SELECT * INTO loot FROM people",
    "WITH gone AS (SELECT * FROM people) DELETE FROM gone",
    "SELECT 1 COMMIT TRANSACTION DELETE FROM people",
    "SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'DELETE FROM people')",
    "SELECT NEXT VALUE FOR numbers",
    "SELECT * FROM people WITH (TABLOCKX)",
    "SELECT 1 WAITFOR DELAY '1:00'",
    "SELECT 1 SET ROWCOUNT 0",
    "DECLARE @x int; SELECT @x",
)


def wide(rows: int, size: int) -> str:
    return f"SELECT REPLICATE(CAST('x' AS varchar(max)), {size}) AS w FROM GENERATE_SERIES(1, {rows})"


class MsSqlWorld:
    def __init__(self, folder: Path) -> None:
        self.server = FakeServer(folder, slow=SLOW, series=SERIES)
        self.driver = FakeMsSql(self.server, "right")
        self.engines: list[MsSqlEngine] = []

    def engine(
        self,
        *,
        password: str = "right",
        port: int = 1433,
        tls: TlsMode = TlsMode.VERIFY_FULL,
        driver: FakeMsSql | None = None,
        ca_pem: str = "",
        reads_only: bool = False,
    ) -> MsSqlEngine:
        made = MsSqlEngine(
            Destination(
                host="db.example.com",
                port=port,
                database="shop",
                username="agent",
                password=SecretBytes(password.encode()),
                tls=tls,
                ca_pem=ca_pem,
                guard=AnyAddress("192.0.2.7"),
            ),
            PoolSettings(places=2),
            driver or self.driver,
            reads_only=reads_only,
        )
        self.engines.append(made)
        return made

    async def running(self) -> int:
        return self.server.running

    async def lose(self) -> None:
        self.server.lose_all()

    async def aclose(self) -> None:
        for engine in self.engines:
            await engine.aclose()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MsSqlWorld]:
    made = MsSqlWorld(tmp_path)
    yield made
    await made.aclose()

    async def all_closed() -> bool:
        return not made.server.sessions

    assert await becomes(all_closed)


class _OnSqlServer:
    @pytest.fixture
    def subject(self, world: MsSqlWorld) -> EngineSubject:
        return EngineSubject(
            engine=world.engine(),
            numbers=lambda count: f"SELECT n FROM GENERATE_SERIES(1, {count})",
            wide=wide,
            slow=SLOW,
            running=world.running,
            forbidden_reads=FORBIDDEN,
            powerful=world.engine(driver=FakeMsSql(world.server, "right", ("CONTROL SERVER",))),
            unreachable=world.engine(port=1),
            wrong_password=world.engine(password=WRONG),
            secret=WRONG,
            lose=world.lose,
        )


class TestReadingFromSqlServer(_OnSqlServer, EngineReadingContract):
    pass


class TestWritingToSqlServer(_OnSqlServer, EngineWritingContract):
    pass


class TestStoppingSqlServer(_OnSqlServer, EngineStoppingContract):
    pass


class TestKnowingSqlServer(_OnSqlServer, EngineKnowingContract):
    pass


@pytest.mark.parametrize("text", FORBIDDEN)
async def test_what_has_no_place_in_a_read_is_refused_before_it_is_sent(world: MsSqlWorld, text: str) -> None:
    with pytest.raises(ToolRefused):
        await world.engine().read(Statement(text, {}), PLENTY)

    assert text not in world.server.said


@pytest.mark.parametrize(
    "text",
    [
        "SELECT [delete], \"update\", 'exec' FROM people -- drop\n",
        "SELECT id FROM people ORDER BY id OFFSET 0 ROWS FETCH NEXT 1 ROWS ONLY",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a",
    ],
)
async def test_names_and_texts_that_look_like_statements_are_let_through(
    world: MsSqlWorld, text: str
) -> None:
    try:
        await world.engine().read(Statement(text, {}), PLENTY)
    except ToolRefused:
        pytest.fail("refused")
    except Exception as error:  # noqa: BLE001
        assert "Invalid column name" in str(error)


async def test_the_judged_address_is_connected_to_and_the_name_is_checked(world: MsSqlWorld) -> None:
    await world.engine(reads_only=True).read(ALL_PEOPLE, PLENTY)

    told = world.driver.options[0]
    assert told["Server"] == "tcp:192.0.2.7,1433"
    assert told["HostnameInCertificate"] == "db.example.com"
    assert (told["Encrypt"], told["TrustServerCertificate"]) == ("yes", "no")
    assert told["ApplicationIntent"] == "ReadOnly"
    assert not world.driver.pooled


async def test_who_writes_is_not_sent_to_a_replica(world: MsSqlWorld) -> None:
    await world.engine(tls=TlsMode.REQUIRE).read(ALL_PEOPLE, PLENTY)

    told = world.driver.options[0]
    assert "ApplicationIntent" not in told and "HostnameInCertificate" not in told
    assert told["TrustServerCertificate"] == "yes"


def test_an_authority_of_its_own_is_refused_where_the_driver_knows_none(world: MsSqlWorld) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        world.engine(ca_pem="-----BEGIN CERTIFICATE-----")

    assert refused.value.param == "tls.ca_pem"


async def test_sessions_that_read_are_kept_and_those_that_wrote_are_closed(world: MsSqlWorld) -> None:
    engine = world.engine()

    async def idle() -> bool:
        return engine.figures().busy == 0

    for _ in range(3):
        await engine.read(ALL_PEOPLE, PLENTY)
        assert await becomes(idle)
    assert len(world.driver.options) == 1

    await engine.write(Statement("DELETE FROM people WHERE id = :id", {"id": 77}), PLENTY)
    assert await becomes(idle)
    assert engine.figures().open == 0


async def test_a_plan_is_asked_with_variables_in_the_place_of_values(world: MsSqlWorld) -> None:
    engine = world.engine()
    asked = Statement(
        "SELECT id FROM people WHERE id = :id AND name = :name OR id = :id AND 1 = :yes",
        {"id": 1, "name": "x", "yes": True},
    )

    plan = await engine.explain(asked, PLENTY)

    assert "DECLARE @p0 bigint, @p1 nvarchar(4000), @p2 bit; SELECT id" in plan["plan"]
    assert "id =  @p0  AND name =  @p1  OR id =  @p0  AND 1 =  @p2 " in plan["plan"]
    with pytest.raises(ToolRefused):
        await engine.explain(Statement("SET SHOWPLAN_XML OFF; DELETE FROM people", {}), PLENTY)


async def test_a_unique_identifier_is_text(world: MsSqlWorld) -> None:
    rows = await world.engine().read(Statement("SELECT NEWID()", {}), PLENTY)

    assert rows.rows[0][0] == "00000000-0000-0000-0000-000000000007"


async def test_a_driver_that_cannot_cancel_keeps_its_place_until_its_time_is_over(
    world: MsSqlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.databases.mssql_session.cancelling", lambda cursor: None)
    engine = world.engine()
    task = asyncio.create_task(engine.read(Statement(SLOW, {}), PLENTY._replace(timeout_s=1.0)))

    async def works() -> bool:
        return world.server.running == 1

    assert await becomes(works)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async def over() -> bool:
        return world.server.running == 0

    assert await becomes(over)
    assert [tuple(row) for row in (await engine.read(ALL_PEOPLE, PLENTY)).rows] == list(PEOPLE)


def test_questions_about_the_catalogue_are_sql_servers_sql() -> None:
    only, _ = only_of(["dbo", "other"])
    tables = TABLES.format(only=only, count=10)
    for text in (tables, COLUMNS.format(tables=tables), SERVER_WIDE, DATABASE_WIDE):
        assert sqlglot.parse_one(text, read="tsql") is not None
