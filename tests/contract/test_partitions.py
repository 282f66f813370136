"""Usage by the month: parts made ahead, rows that came early, and what is too old."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text

from adapters.sql.partitions import PARTITIONED, month_bounds, months, partitions_of
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_retention import UsageRetention
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageFilter
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from tests.contract.sql_world import AnySqlWorld

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event(number: int, at: datetime) -> RequestEvent:
    at_us = (at - EPOCH) // timedelta(microseconds=1)
    made = usage_event(number, started_at_us=at_us)
    return made._replace(attempts=(attempt(made.request_id, 0, started_at_us=at_us),))


async def write(sql: AnySqlWorld, *moments: datetime) -> None:
    writer = SqlUsageWriter(sql.database)
    await writer.insert([event(number, at) for number, at in enumerate(moments)])


async def rows_in(sql: AnySqlWorld, table: str = "usage_requests") -> dict[str, int]:
    """Rows by the part they lie in, parts without rows left out."""

    def look(connection: Connection) -> dict[str, int]:
        kind = "tableoid::regclass::text" if connection.dialect.name == "postgresql" else f"'{table}'"
        found = connection.execute(text(f"SELECT {kind}, count(*) FROM {table} GROUP BY 1"))
        return {str(name): int(rows) for name, rows in found}

    return await sql.database.read(look)


async def parts(sql: AnySqlWorld) -> list[str]:
    return await sql.database.read(lambda c: [part.name for part in partitions_of(c, "usage_requests")])


def test_months_cover_the_last_one_and_those_to_come() -> None:
    assert months(datetime(2026, 1, 31, tzinfo=UTC), 2) == [(2025, 11), (2026, 0), (2026, 1), (2026, 2)]
    for year, month in months(NOW, 24):
        start, end = month_bounds(year, month)
        assert 28 * 86_400 <= (end - start) / 1e6 <= 31 * 86_400
    bounds = [month_bounds(year, month) for year, month in months(NOW, 24)]
    assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]


@pytest.fixture
def retention(sql: AnySqlWorld) -> UsageRetention:
    return UsageRetention(sql.database, retention_days=30)


async def test_parts_are_made_once_and_rows_go_where_they_belong(sql: AnySqlWorld) -> None:
    keeper = UsageRetention(sql.database, retention_days=None)
    made = await keeper.run(NOW)
    assert await keeper.run(NOW) == []
    await write(sql, NOW, NOW - timedelta(days=20), NOW + timedelta(days=30), NOW + timedelta(days=400))

    if sql.url.startswith("sqlite"):
        assert made == []
        return
    assert len(made) == 5 * len(PARTITIONED)
    expected = {
        "usage_requests_2026_02": 1,
        "usage_requests_2026_03": 1,
        "usage_requests_2026_04": 1,
        "usage_requests_default": 1,
    }
    assert await rows_in(sql) == expected
    assert set(await rows_in(sql, "usage_attempts")) == {
        name.replace("requests", "attempts") for name in expected
    }
    assert await parts(sql) == [
        *(f"usage_requests_2026_{month:02d}" for month in range(2, 7)),
        "usage_requests_default",
    ]


async def test_rows_that_came_before_their_part_move_into_it(sql: AnySqlWorld) -> None:
    await write(sql, NOW, NOW + timedelta(days=60))

    await UsageRetention(sql.database, retention_days=None).run(NOW)

    if not sql.url.startswith("sqlite"):
        assert await rows_in(sql) == {"usage_requests_2026_03": 1, "usage_requests_2026_05": 1}
    (row,) = await SqlUsageQuery(sql.database).totals(UsageFilter())
    assert row.requests == 2


async def test_old_rows_go_and_their_sums_stay(sql: AnySqlWorld, retention: UsageRetention) -> None:
    old = datetime(2026, 1, 10, tzinfo=UTC)
    await UsageRetention(sql.database, retention_days=None).run(old)
    await write(sql, old, NOW - timedelta(days=1), datetime(2019, 1, 1, tzinfo=UTC))

    await retention.run(NOW)

    assert sum((await rows_in(sql)).values()) == 1
    assert sum((await rows_in(sql, "usage_attempts")).values()) == 1
    assert "usage_requests_2026_01" not in await parts(sql)
    (row,) = await SqlUsageQuery(sql.database).totals(UsageFilter())
    assert row.requests == 3
    await retention.run(NOW)
    assert sum((await rows_in(sql)).values()) == 1


async def test_a_part_with_a_day_that_is_still_kept_stays(
    sql: AnySqlWorld, retention: UsageRetention
) -> None:
    await UsageRetention(sql.database, retention_days=None).run(NOW)
    await write(sql, datetime(2026, 2, 27, tzinfo=UTC))

    await retention.run(NOW)

    assert sum((await rows_in(sql)).values()) == 1


async def test_instances_that_keep_house_together_make_every_part_once(sql: AnySqlWorld) -> None:
    another = sql.another()
    keepers = [UsageRetention(one, retention_days=30) for one in (sql.database, another) * 3]

    made = await asyncio.gather(*(keeper.run(NOW) for keeper in keepers))

    names = [name for one in made for name in one]
    assert len(names) == len(set(names))
    assert {name for name in names if "requests" in name} == set(await parts(sql)) - {
        "usage_requests_default"
    }
    await another.aclose()
