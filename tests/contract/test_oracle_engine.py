"""The engine of Oracle against a strict stand-in for its driver; a real one: `ORACLE_DSN`."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlglot

from adapters.databases.destination import Destination, TlsMode
from adapters.databases.named_tls import NamedContext
from adapters.databases.oracle import OracleEngine
from adapters.databases.oracle_catalogue import COLUMNS, TABLES, only_of
from adapters.databases.sessions import PoolSettings
from application.ports.database_engine import Statement
from contracts.ports.database_engine import (
    ALL_PEOPLE,
    PLENTY,
    EngineReadingContract,
    EngineSubject,
    EngineWritingContract,
    becomes,
)
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract
from domain.errors import InvalidConfiguration, InvalidParameters, ToolFailed, ToolRefused
from domain.vault.secret import SecretBytes
from tests.contract.fake_oracle import SERIES, SLOW, FakeOracle, oracle_error
from tests.contract.fake_sql import FakeServer
from tests.contract.mysql_world import WRONG, AnyAddress

FORBIDDEN = (
    "BEGIN DELETE FROM people; COMMIT; END;",
    "DECLARE PRAGMA AUTONOMOUS_TRANSACTION; BEGIN DELETE FROM people; COMMIT; END;",
    "WITH FUNCTION f RETURN NUMBER IS PRAGMA AUTONOMOUS_TRANSACTION; BEGIN RETURN 1; END; SELECT f FROM dual",
    "CALL spoil()",
    "SET TRANSACTION READ WRITE",
    "ALTER SESSION SET CURRENT_SCHEMA = SYS",
    "LOCK TABLE people IN EXCLUSIVE MODE",
    "TRUNCATE TABLE people",
)


class OracleWorld:
    def __init__(self, folder: Path) -> None:
        self.server = FakeServer(folder, slow=SLOW, series=SERIES)
        self.driver = FakeOracle(self.server, "right")
        self.engines: list[OracleEngine] = []

    def engine(
        self,
        *,
        password: str = "right",
        port: int = 1521,
        tls: TlsMode = TlsMode.OFF,
        driver: FakeOracle | None = None,
        service: str = "FREEPDB1",
    ) -> OracleEngine:
        made = OracleEngine(
            Destination(
                host="db.example.com",
                port=port,
                database=service,
                username="agent",
                password=SecretBytes(password.encode()),
                tls=tls,
                ca_pem="",
                guard=AnyAddress("192.0.2.7"),
            ),
            PoolSettings(places=2),
            driver or self.driver,
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
async def world(tmp_path: Path) -> AsyncIterator[OracleWorld]:
    made = OracleWorld(tmp_path)
    yield made
    await made.aclose()
    assert made.server.sessions == []


class _OnOracle:
    @pytest.fixture
    def subject(self, world: OracleWorld) -> EngineSubject:
        return EngineSubject(
            engine=world.engine(),
            numbers=lambda count: f"SELECT n FROM dual CONNECT BY level <= {count}",
            wide=lambda rows, size: f"SELECT RPAD('x', {size}, 'x') FROM dual CONNECT BY level <= {rows}",
            slow=SLOW,
            running=world.running,
            forbidden_reads=FORBIDDEN,
            powerful=world.engine(
                driver=FakeOracle(world.server, "right", ("CREATE SESSION", "ALTER SYSTEM"))
            ),
            unreachable=world.engine(port=1),
            wrong_password=world.engine(password=WRONG),
            secret=WRONG,
            lose=world.lose,
        )


class TestReadingFromOracle(_OnOracle, EngineReadingContract):
    pass


class TestWritingToOracle(_OnOracle, EngineWritingContract):
    pass


class TestStoppingOracle(_OnOracle, EngineStoppingContract):
    pass


class TestKnowingOracle(_OnOracle, EngineKnowingContract):
    pass


async def test_the_judged_address_is_connected_to_and_the_name_is_checked(world: OracleWorld) -> None:
    await world.engine(tls=TlsMode.VERIFY_FULL).read(ALL_PEOPLE, PLENTY)

    told = world.driver.options[0]
    assert (told["host"], told["protocol"], told["service_name"]) == ("192.0.2.7", "tcps", "FREEPDB1")
    assert isinstance(told["ssl_context"], NamedContext)
    told["ssl_context"].check_hostname = False  # as the driver does
    assert told["ssl_context"].check_hostname and told["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert {told[name] for name in ("machine", "osuser", "terminal", "program")} == {"interchange"}


@pytest.mark.parametrize("service", ["", "a)(ADDRESS=(HOST=10.0.0.1)", "a/b", "a b"])
def test_a_service_cannot_write_a_description_of_its_own(world: OracleWorld, service: str) -> None:
    with pytest.raises(InvalidConfiguration):
        world.engine(service=service)


async def test_sessions_that_read_are_reset_and_those_that_wrote_are_closed(world: OracleWorld) -> None:
    engine = world.engine()

    async def idle() -> bool:
        return engine.figures().busy == 0

    for _ in range(3):
        await engine.read(ALL_PEOPLE, PLENTY)
        assert await becomes(idle)
    assert len(world.driver.options) == 1
    assert sum("RESET_PACKAGE" in text for text in world.server.said) == 3

    await engine.write(Statement("INSERT INTO people VALUES (:id, 'x')", {"id": 50}), PLENTY)
    assert await becomes(idle)
    assert engine.figures().open == 0


async def test_values_are_bound_as_the_driver_takes_them(world: OracleWorld) -> None:
    engine = world.engine()
    asked = Statement("SELECT :a, :b, :a FROM people WHERE id = 1", {"a": True, "b": "x"})

    found = await engine.read(asked, PLENTY)

    assert [tuple(row) for row in found.rows] == [(1, "x", 1)]
    with pytest.raises(InvalidParameters):
        await engine.read(Statement("SELECT :a FROM people", {"a": [1]}), PLENTY)


async def test_only_what_reads_is_explained(world: OracleWorld) -> None:
    engine = world.engine()

    plan = await engine.explain(Statement("SELECT * FROM people WHERE id = :id", {"id": 1}), PLENTY)

    assert plan["format"] == "text" and "SELECT STATEMENT" in plan["plan"]
    with pytest.raises(ToolRefused):
        await engine.explain(Statement("BEGIN NULL; END;", {}), PLENTY)


async def test_the_servers_words_come_without_the_drivers_advice(world: OracleWorld) -> None:
    error = oracle_error("ORA-00942: table or view does not exist", 942)
    assert "Help:" in str(error)

    with pytest.raises(ToolFailed) as failed:
        await world.engine().read(Statement("SELECT nothing FROM people", {}), PLENTY)

    assert failed.value.message.startswith("ORA-00904:")
    assert "Help" not in failed.value.message


def test_questions_about_the_catalogue_are_oracles_sql() -> None:
    only, _ = only_of(["shop", "other"])
    for text in (TABLES.format(only=only), COLUMNS.format(tables=TABLES.format(only=""))):
        assert sqlglot.parse_one(text, read="oracle") is not None
