"""A million usage rows on PostgreSQL: how fast they get in, how much room they take, how fast sums come out.

    python -m benchmarks.usage_rows --rows 1000000 --days 90

Starts PostgreSQL from the wheel with its own defaults of durability (fsync on), writes through the server's
own writer in groups as the server does (COPY, roll-ups in the same transaction), times reports with
`SqlUsageQuery.totals` and the same sums over single rows, compares parts by month with parts by day, and
drops a month.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from adapters.sql.partitions import ensure_partitions, partitions_of
from adapters.sql.postgres import PostgresDatabase
from adapters.sql.upgrade import upgrade
from adapters.sql.usage_inserts import group_rows_max
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_retention import UsageRetention
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageDimension, UsageFilter
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from tests.contract.postgres_server import PostgresServer

DURABLE: Final = "shared_buffers = 512MB\nmax_wal_size = 4GB\n"
END: Final = datetime(2026, 3, 31, tzinfo=UTC)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US: Final = 86_400_000_000
TENANTS, KEYS_EACH, MODELS_EACH, AGENTS_EACH = 20, 3, 2, 50
RAW_SUMS: Final = "count(*), sum(cost_nano_usd), sum(input_tokens), sum(output_tokens)"


def us(moment: datetime) -> int:
    """Unix microseconds."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def events(rows: int, days: int) -> Iterator[RequestEvent]:
    """Requests spread evenly over the days before `END`, oldest first, one attempt each; always the same."""
    draw = random.Random(7)
    first_us, step_us = us(END) - days * DAY_US, days * DAY_US // rows
    for number in range(rows):
        at_us = first_us + number * step_us
        tenant, cost = draw.randrange(TENANTS), draw.randrange(1_000_000)
        model = (tenant + draw.randrange(MODELS_EACH)) % 20
        request_id = f"req_{at_us // 1000:012x}{number:016x}"
        yield usage_event(
            number,
            request_id=request_id,
            tenant_id=f"tenant-{tenant}",
            key_id=f"key-{tenant}-{draw.randrange(KEYS_EACH)}",
            agent_id=f"agent-{tenant}-{draw.randrange(AGENTS_EACH)}",
            session_id=f"session-{number // 20}",
            model=f"model-{model}",
            route="assistant",
            dialect="openai.chat",
            started_at_us=at_us,
            duration_us=draw.randrange(5_000_000),
            cost_nano_usd=cost,
            input_tokens=draw.randrange(8000),
            output_tokens=draw.randrange(1000),
            attempts=(attempt(request_id, 0, started_at_us=at_us, cost_nano_usd=cost),),
        )


async def write(database: PostgresDatabase, rows: int, days: int) -> None:
    """Writes them and prints the rate; making the events is not counted."""
    writer = SqlUsageWriter(database)
    group_rows = group_rows_max(database.dialect)
    group: list[RequestEvent] = []
    spent_s = cpu_s = 0.0
    for number, event in enumerate(events(rows, days), 1):
        group.append(event)
        if len(group) == group_rows or number == rows:
            started, cpu_started = time.perf_counter(), time.process_time()
            await writer.insert(group)
            spent_s += time.perf_counter() - started
            cpu_s += time.process_time() - cpu_started
            group = []
    print(
        f"written: {rows:,} requests and as many attempts in {spent_s:.1f} s: "
        f"{rows / spent_s:,.0f} requests/s, {cpu_s / rows * 1e6:.0f} µs of this process's CPU each"
    )


async def sizes(database: PostgresDatabase, rows: int) -> None:
    """Room on the disk, indexes included."""

    def look(connection: Connection) -> dict[str, int]:
        found = {
            name: sum(part.size_bytes for part in partitions_of(connection, name))
            for name in ("usage_requests", "usage_attempts")
        }
        rolled = connection.execute(text("SELECT pg_total_relation_size('usage_rollups')")).scalar_one()
        return {**found, "usage_rollups": int(rolled)}

    for name, size_bytes in (await database.read(look)).items():
        print(f"size of {name}: {size_bytes / 2**20:,.0f} MiB, {size_bytes / rows:,.0f} bytes per request")


async def timed(what: str, ask: Callable[[], Awaitable[Any]], rounds: int = 3) -> float:
    """The median of some rounds, printed."""
    seen = []
    for _ in range(rounds):
        started = time.perf_counter()
        await ask()
        seen.append(time.perf_counter() - started)
    median_s = sorted(seen)[len(seen) // 2]
    print(f"{what}: {median_s * 1000:,.1f} ms")
    return median_s


async def reports(database: PostgresDatabase) -> None:
    """Sums by tenant, model and day, over everything and over one tenant's last week."""
    query = SqlUsageQuery(database)
    week_us = us(END) - 7 * DAY_US
    everything, narrow = UsageFilter(), UsageFilter(tenant_id="tenant-7", from_us=week_us)
    for dimension in (UsageDimension.TENANT, UsageDimension.MODEL, UsageDimension.DAY):
        await timed(f"totals by {dimension.value}, all", lambda by=dimension: query.totals(everything, (by,)))  # type: ignore[misc]
        await timed(
            f"totals by {dimension.value}, one tenant's week",
            lambda by=dimension: query.totals(narrow, (by,)),  # type: ignore[misc]
        )
    await timed(
        "totals by agent (single rows), one tenant's week",
        lambda: query.totals(narrow, (UsageDimension.AGENT,)),
    )
    for column in ("tenant_id", "model", f"started_at_us / {DAY_US}"):
        whole = f"SELECT {column}, {RAW_SUMS} FROM usage_requests"
        week = f"{whole} WHERE tenant_id = 'tenant-7' AND started_at_us >= {week_us}"
        await timed(f"single rows by {column}, all", lambda sql=whole: run(database, f"{sql} GROUP BY 1"))  # type: ignore[misc]
        await timed(
            f"single rows by {column}, one tenant's week",
            lambda sql=week: run(database, f"{sql} GROUP BY 1"),  # type: ignore[misc]
        )


async def run(database: PostgresDatabase, sql: str) -> Any:
    """Every row of one statement."""
    return await database.read(lambda connection: connection.execute(text(sql)).all())


async def one_request(database: PostgresDatabase, parts: str) -> None:
    """Finding one request by its id alone looks into every part."""
    ids = await run(database, "SELECT request_id FROM usage_requests ORDER BY started_at_us LIMIT 1")
    statement = f"SELECT * FROM usage_requests WHERE request_id = '{ids[0][0]}'"
    await timed(f"one request by its id, {parts}", lambda: run(database, statement), rounds=9)
    newest = "SELECT request_id FROM usage_requests ORDER BY started_at_us + duration_us DESC LIMIT 20"
    await timed(f"the 20 newest requests, {parts}", lambda: run(database, newest), rounds=9)


async def by_day(database: PostgresDatabase, days: int) -> None:
    """What a year of parts by day would cost every statement that names no time."""

    def split(connection: Connection) -> None:
        connection.execute(text("DROP TABLE usage_requests_default"))
        for day in range(-days - 365, -days):
            name, from_us = f"usage_requests_day{-day}", us(END) + (day - 2 * 365) * DAY_US
            bounds = f"FROM ({from_us}) TO ({from_us + DAY_US})"
            connection.execute(text(f"CREATE TABLE {name} PARTITION OF usage_requests FOR VALUES {bounds}"))

    await database.write(split)
    await one_request(database, "365 parts by day more")


async def drop_a_month(database: PostgresDatabase) -> None:
    """The oldest month goes, as retention does it."""
    started = time.perf_counter()
    changed = await UsageRetention(database, retention_days=60).run(END)
    print(f"dropped {', '.join(changed)}: {(time.perf_counter() - started) * 1000:,.0f} ms")


async def measure(url: str, rows: int, days: int) -> None:
    """Everything, in the order in which it is printed."""
    database = PostgresDatabase(url, timeout_s=120)
    for back in range(days, -1, -28):
        moment = END - timedelta(days=back)
        await database.write(lambda connection, at=moment: ensure_partitions(connection, at, 1))  # type: ignore[misc]
    await write(database, rows, days)
    await run_alone(url, "VACUUM ANALYZE")
    await sizes(database, rows)
    await reports(database)
    await one_request(database, f"{days // 30 + 2} parts by month")
    await drop_a_month(database)
    await by_day(database, days)
    await database.aclose()


async def run_alone(url: str, sql: str) -> None:
    """A statement that must not be in a transaction."""
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    given = parser.parse_args()
    server = PostgresServer(DURABLE)
    url = server.url(server.new_database())
    upgrade(url)
    asyncio.run(measure(url, given.rows, given.days))


if __name__ == "__main__":
    main()
