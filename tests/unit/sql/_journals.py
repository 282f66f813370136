"""Usage logs over a real database and a real journal, and what they have written."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageFilter
from contracts.ports.usage import usage_event
from tests.contract.sql_world import SqlWorld


def log_of(sql: SqlWorld, **options: object) -> JournaledUsageLog:
    return JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, sql.path.parent / "journal", **options)  # type: ignore[arg-type]


async def rows_of(sql: SqlWorld) -> tuple[int, int]:
    (row,) = await SqlUsageQuery(sql.database).totals(UsageFilter())
    return row.requests, row.attempts


async def abandoned_segment(sql: SqlWorld, count: int) -> Path:
    """A journal whose owner let go of it without writing a row, as death does."""
    log = log_of(sql)
    await log.start()
    for number in range(count):
        log.record(usage_event(number))
    (path,) = [segment.path for segment in log._journal.segments]
    log._journal.close()
    return path


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the log tells nobody when it is done)
            await asyncio.sleep(0.005)
