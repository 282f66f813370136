"""Usage as a file: sums, single requests, their attempts, or a FOCUS data set. In pages, never as a whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from application.ports.tables import TableFormats, TableWriter
from application.ports.usage_query import (
    UNROLLED,
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
)
from application.ports.usage_rows import RequestPlace, RollupPlace, UsageRows
from application.use_cases.report_usage import GROUPS_MAX, within_border
from domain.analytics.event import RequestEvent
from domain.analytics.focus import FOCUS_COLUMNS, Charges, period_of
from domain.analytics.rollup import HOUR_US, Rollup, RollupSums, group_id
from domain.analytics.table import (
    ATTEMPT_COLUMNS,
    REQUEST_COLUMNS,
    Column,
    attempt_rows,
    request_row,
    sum_columns,
    sum_row,
)
from domain.errors import InvalidRequest, Overloaded
from domain.tenancy.principal import Principal

PAGE_ROWS: Final = 500
EXPORTS_MAX: Final = 4
"""Exports that run at once in this process; each holds one page in memory."""
FOCUS: Final = "focus"

Row = Sequence[object]
Pages = AsyncGenerator[Sequence[Row], None]


class UsageLevel(Enum):
    """One line of an export is this."""

    SUMMARY = "summary"
    """A group of requests."""
    REQUESTS = "requests"
    ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for. `format` is one of the tables' formats, or `focus`, which is a CSV of its own.

    `group_by`, `limit` and `order` are for a summary. `bucket` is the length of FOCUS's charge periods.
    """

    where: UsageFilter
    format: str
    level: UsageLevel = UsageLevel.SUMMARY
    group_by: tuple[UsageDimension, ...] = ()
    limit: int = GROUPS_MAX
    order: UsageOrder = UsageOrder.COST
    bucket: str = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file to come. `chunks` raises StoreUnavailable where the store is lost on the way."""

    media_type: str
    file_name: str
    chunks: AsyncIterator[bytes]


class ExportUsage:
    """Never shows a row across the border of a tenant unless the caller runs the installation."""

    def __init__(self, query: UsageQuery, rows: UsageRows, formats: TableFormats) -> None:
        self._query = query
        self._rows = rows
        self._formats = formats
        self._running = 0

    @asynccontextmanager
    async def open(self, by: Principal, wish: Wish) -> AsyncIterator[Export]:
        """The file. Leaving the block ends the export wherever it is.

        Raises Forbidden, InvalidRequest, Overloaded; StoreUnavailable only while it is read.
        """
        where = within_border(by, wish.where)
        columns, pages = self._table(wish, where)
        writer = self._formats.writer("csv" if wish.format == FOCUS else wish.format, columns)
        if self._running >= EXPORTS_MAX:
            raise Overloaded(f"{EXPORTS_MAX} exports are running already", retry_after_s=5.0)
        chunks = _written(writer, pages)
        self._running += 1
        try:
            yield Export(media_type=writer.media_type, file_name=_file_name(wish), chunks=chunks)
        finally:
            self._running -= 1
            await chunks.aclose()
            await pages.aclose()

    def _table(self, wish: Wish, where: UsageFilter) -> tuple[Sequence[Column], Pages]:
        if wish.format == FOCUS:
            _check_focus(wish, where)
            return FOCUS_COLUMNS, self._charges(where, wish.bucket)
        if wish.level is UsageLevel.REQUESTS:
            return REQUEST_COLUMNS, self._requests(where, attempts=False)
        if wish.level is UsageLevel.ATTEMPTS:
            return ATTEMPT_COLUMNS, self._requests(where, attempts=True)
        if len(set(wish.group_by)) != len(wish.group_by):
            raise InvalidRequest("group_by names a dimension twice", param="group_by")
        if not 1 <= wish.limit <= GROUPS_MAX:
            raise InvalidRequest(f"limit must be 1-{GROUPS_MAX}", param="limit")
        return sum_columns(tuple(one.value for one in wish.group_by)), self._sums(wish, where)

    async def _sums(self, wish: Wish, where: UsageFilter) -> Pages:
        rows = await self._query.totals(where, wish.group_by, limit=wish.limit, order=wish.order)
        for start in range(0, len(rows), PAGE_ROWS):
            yield [sum_row(row.key, RollupSums(*row[1:])) for row in rows[start : start + PAGE_ROWS]]

    async def _requests(self, where: UsageFilter, *, attempts: bool) -> Pages:
        for tenant_id in await self._rows.tenants(where):
            after: RequestPlace | None = None
            while True:
                page = await self._rows.requests(
                    tenant_id, where, after=after, limit=PAGE_ROWS, attempts=attempts
                )
                yield _rows_of(page, attempts=attempts)
                if len(page) < PAGE_ROWS:
                    break
                after = RequestPlace(page[-1].started_at_us, page[-1].request_id)

    async def _charges(self, where: UsageFilter, bucket: str) -> Pages:
        for tenant_id in await self._rows.tenants(where):
            charges = Charges(tenant_id, bucket)
            after: RollupPlace | None = None
            while True:
                page = await self._rows.rollups(tenant_id, where, after=after, limit=PAGE_ROWS)
                yield charges.add(page)
                if len(page) < PAGE_ROWS:
                    break
                after = _place(page[-1])
            yield charges.rest()


def _rows_of(page: Sequence[RequestEvent], *, attempts: bool) -> list[Row]:
    if not attempts:
        return [request_row(event) for event in page]
    return [row for event in page for row in attempt_rows(event)]


def _place(rollup: Rollup) -> RollupPlace:
    return RollupPlace(rollup.key.hour_us, group_id(rollup.key))


async def _written(writer: TableWriter, pages: Pages) -> AsyncGenerator[bytes, None]:
    async for page in pages:
        if chunk := writer.rows(page):
            yield chunk
    if chunk := writer.end():
        yield chunk


def _file_name(wish: Wish) -> str:
    if wish.format == FOCUS:
        return "focus.csv"
    return f"usage-{wish.level.value}.{wish.format}"


def _check_focus(wish: Wish, where: UsageFilter) -> None:
    try:
        period_of(0, wish.bucket)
    except ValueError as error:
        raise InvalidRequest(str(error), param="bucket") from None
    for dimension, _ in where.demands():
        if dimension in UNROLLED:
            raise InvalidRequest(
                f"a FOCUS export is made from sums, which do not know {dimension.value}",
                param=dimension.value,
            )
    for name, at in (("from", where.from_us), ("to", where.to_us)):
        if at is not None and at % HOUR_US:
            raise InvalidRequest(f"{name} must be a full hour for a FOCUS export", param=name)
