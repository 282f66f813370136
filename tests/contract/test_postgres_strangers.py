"""PostgreSQL servers as they are outside: other names, other certificates, rows without end, no answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.databases.configuration import read_configuration
from adapters.databases.postgres import PostgresEngine, open_engine
from application.ports.database_engine import Limits, Statement
from domain.errors import EgressRefused, IntegrationUnavailable, InvalidConfiguration, ToolFailed
from tests.contract.postgres_network import (
    PASSWORD,
    TLS_NAME,
    WRONG,
    Loopback,
    NetworkPostgres,
    TlsFront,
    configuration,
    engine,
    network_postgres,
    surroundings,
)

LIMITS = Limits(rows=1000, bytes=4 * 1024 * 1024, timeout_s=20.0)
ONE = Statement("SELECT 1 AS one", {})


@pytest.fixture
async def server() -> NetworkPostgres:
    return await asyncio.to_thread(network_postgres)


@pytest.fixture
async def database(server: NetworkPostgres) -> str:
    return await asyncio.to_thread(server.new_people)


@pytest.fixture
async def front(server: NetworkPostgres) -> AsyncIterator[TlsFront]:
    async with TlsFront(server.port, TLS_NAME) as started:
        yield started


async def refusal(one: PostgresEngine) -> str:
    try:
        with pytest.raises(IntegrationUnavailable) as refused:
            await one.read(ONE, LIMITS)
        return refused.value.message
    finally:
        await one.aclose()


def named(front: TlsFront, database: str, name: str = TLS_NAME) -> str:
    return f"postgresql://{name}:{front.port}/{database}"


async def test_tls_is_for_the_name_though_connections_go_to_its_judged_address(
    server: NetworkPostgres, database: str, front: TlsFront
) -> None:
    guard = Loopback()
    one = engine(server, database, guard=guard, endpoint=named(front, database), tls={"ca_pem": front.ca_pem})

    assert (await one.read(ONE, LIMITS)).rows == [[1]]

    assert guard.asked == [(TLS_NAME, front.port)]
    assert front.names == [TLS_NAME]
    await one.aclose()


async def test_a_cancelled_query_is_cancelled_through_tls_as_well(
    server: NetworkPostgres, database: str, front: TlsFront
) -> None:
    one = engine(server, database, endpoint=named(front, database), tls={"ca_pem": front.ca_pem})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await one.read(Statement("SELECT pg_sleep(30), 'through tls'", {}), LIMITS)

    for _ in range(50):
        if not (still := await server.running("''through tls''")):
            break
        await asyncio.sleep(0.1)
    assert still == 0
    await one.aclose()


async def test_a_certificate_for_another_name_or_of_a_stranger_is_not_accepted(
    server: NetworkPostgres, database: str, front: TlsFront
) -> None:
    other_name = engine(
        server,
        database,
        endpoint=named(front, database, "other.example.com"),
        tls={"ca_pem": front.ca_pem},
    )
    stranger = engine(server, database, endpoint=named(front, database))

    assert "certificate" in await refusal(other_name)
    assert "certificate" in await refusal(stranger)


async def test_require_takes_any_certificate_but_no_plain_connection(
    server: NetworkPostgres, database: str, front: TlsFront
) -> None:
    one = engine(server, database, endpoint=named(front, database), tls={"mode": "require"})
    plain = engine(server, database, tls={"mode": "require"})

    assert (await one.read(ONE, LIMITS)).rows == [[1]]
    assert "no TLS" in await refusal(plain)
    await one.aclose()


async def test_without_a_word_about_it_only_this_machine_is_reached_without_tls(
    server: NetworkPostgres, database: str
) -> None:
    elsewhere = engine(server, database, endpoint=f"postgresql://{TLS_NAME}:{server.port}/{database}")

    assert "no TLS" in await refusal(elsewhere)


async def test_nothing_of_the_operators_own_environment_is_told_to_a_server(
    server: NetworkPostgres, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:*:{PASSWORD}\n")
    passfile.chmod(0o600)
    for name, value in {
        "PGPASSWORD": PASSWORD,
        "PGPASSFILE": str(passfile),
        "PGUSER": "boss",
        "PGHOST": "/nowhere",
        "PGSSLMODE": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGSERVICE": "production",
    }.items():
        monkeypatch.setenv(name, value)
    without = configuration(server, database, authentication={"type": "none", "username": "agent"})

    one = open_engine(without, surroundings()._replace(secrets={}))
    with_password = engine(server, database)

    assert "password" in (await refusal(one)).lower()
    assert (await with_password.read(Statement("SELECT current_user AS me", {}), LIMITS)).rows == [["agent"]]
    await with_password.aclose()


async def test_a_guard_that_refuses_is_not_gone_round(server: NetworkPostgres, database: str) -> None:
    class Refusing(Loopback):
        async def __call__(self, host: str, port: int) -> tuple[str, ...]:
            raise EgressRefused("not there")

    one = engine(server, database, guard=Refusing())

    with pytest.raises(EgressRefused):
        await one.read(ONE, LIMITS)
    await one.aclose()


async def test_the_next_address_is_tried_where_one_does_not_answer(
    server: NetworkPostgres, database: str
) -> None:
    one = engine(server, database, guard=Loopback("127.0.0.2", "127.0.0.1"))

    assert (await one.read(ONE, LIMITS)).rows == [[1]]
    await one.aclose()


async def test_a_wrong_password_is_not_tried_at_every_address(server: NetworkPostgres, database: str) -> None:
    message = await refusal(engine(server, database, password=WRONG))

    assert "password authentication failed" in message
    assert WRONG not in message


async def test_a_database_that_is_not_there_is_told(server: NetworkPostgres) -> None:
    assert "does not exist" in await refusal(engine(server, "nothing_here"))


async def test_a_host_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    said = {
        "endpoint": f"postgresql://127.0.0.1:{port}/x",
        "authentication": {"type": "none", "username": "x"},
    }
    one = open_engine(read_configuration(said), surroundings())
    with pytest.raises((IntegrationUnavailable, TimeoutError)):
        async with asyncio.timeout(0.3):
            await one.read(ONE, LIMITS)
    assert one.figures().busy == 0
    await one.aclose()
    listener.close()


async def test_a_row_of_gigabytes_is_hung_up_on_before_it_fills_the_memory(
    server: NetworkPostgres, database: str
) -> None:
    one = engine(server, database)

    with pytest.raises(ToolFailed, match="bytes"):
        await one.read(Statement("SELECT repeat('x', 200000000) AS wide", {}), LIMITS)

    assert (await one.read(ONE, LIMITS)).rows == [[1]]
    await one.aclose()


@pytest.mark.parametrize(
    "wide",
    ["jsonb_build_object('a', repeat('x', 1000))", "ARRAY[repeat('x', 1000)]", "repeat('x', 1000)::bytea"],
)
async def test_json_and_arrays_count_as_what_is_in_them(
    server: NetworkPostgres, database: str, wide: str
) -> None:
    one = engine(server, database)
    query = Statement(f"SELECT {wide} AS wide FROM generate_series(1, 100)", {})

    rows = await one.read(query, LIMITS._replace(bytes=20_000))

    assert 15 <= len(rows.rows) <= 20
    assert rows.truncated is True
    await one.aclose()


async def test_statements_that_are_no_queries_leave_no_session_behind(
    server: NetworkPostgres, database: str
) -> None:
    one = engine(server, database)

    for text in ("PREPARE loot AS SELECT 1", "SET statement_timeout = 0", "LISTEN loot", "COMMIT"):
        await one.write(Statement(text, {}), LIMITS)
        left = await one.read(
            Statement("SELECT count(*) AS n FROM pg_prepared_statements WHERE name = 'loot'", {}), LIMITS
        )
        assert left.rows == [[0]], text
    await one.aclose()


async def test_returned_rows_beyond_the_limit_undo_a_write(server: NetworkPostgres, database: str) -> None:
    one = engine(server, database)
    update = Statement("UPDATE people SET name = 'x' RETURNING id", {})

    with pytest.raises(ToolFailed):
        await one.write(update, LIMITS._replace(rows=2))

    kept = await one.read(Statement("SELECT count(*) AS n FROM people WHERE name = 'x'", {}), LIMITS)
    assert kept.rows == [[0]]
    await one.aclose()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"endpoint": "postgresql://127.0.0.1"}, "endpoint"),
        ({"endpoint": "postgresql:///people"}, "endpoint"),
        ({"authentication": {"type": "none"}}, "authentication"),
        ({"tls": {"mode": "verify-full", "ca_pem": "no certificate"}}, "tls"),
    ],
)
async def test_what_can_never_work_is_told_before_anything_is_connected_to(
    server: NetworkPostgres, database: str, more: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidConfiguration) as wrong:
        engine(server, database, **more)

    assert (wrong.value.param or "").startswith(param)
