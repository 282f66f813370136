"""Exports: within the tenant's border, in pages, and never more at once than are allowed."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from adapters.tables.formats import KnownTableFormats
from application.ports.usage_query import UsageDimension, UsageFilter
from application.use_cases.export_usage import EXPORTS_MAX, PAGE_ROWS, ExportUsage, UsageLevel, Wish
from contracts.ports.usage import STARTED_AT_US, usage_event
from domain.errors import Forbidden, InvalidRequest, Overloaded, StoreUnavailable
from domain.tenancy.role import local_operator
from tests.unit.application.test_report_usage import principal

ROWS = 2 * PAGE_ROWS + 3


@pytest.fixture
def log() -> InMemoryUsageLog:
    """Rows of two tenants, all of the same moment."""
    log = InMemoryUsageLog()
    for number in range(ROWS):
        log.record(usage_event(number, tenant_id="acme" if number % 5 else "other"))
    return log


@pytest.fixture
def export(log: InMemoryUsageLog) -> ExportUsage:
    return ExportUsage(log, InMemoryUsageRows(log), KnownTableFormats())


def wish(level: UsageLevel = UsageLevel.REQUESTS, **more: Any) -> Wish:
    values: dict[str, Any] = {"where": UsageFilter(), "format": "jsonl", "level": level, **more}
    return Wish(**values)


async def read(chunks: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join([chunk async for chunk in chunks]).splitlines()]


@pytest.mark.parametrize("level", [UsageLevel.REQUESTS, UsageLevel.ATTEMPTS])
async def test_every_row_is_exported_once(export: ExportUsage, level: UsageLevel) -> None:
    async with export.open(local_operator(), wish(level)) as found:
        rows = await read(found.chunks)

    assert sorted(row["request_id"] for row in rows) == [f"req_{number:012d}" for number in range(ROWS)]


async def test_rows_leave_page_by_page(export: ExportUsage) -> None:
    async with export.open(principal("viewer"), wish()) as found:
        first = await anext(found.chunks)

    assert len(first.splitlines()) == PAGE_ROWS


async def test_a_tenant_exports_its_own_rows_only(export: ExportUsage) -> None:
    for level in UsageLevel:
        asked = wish(level, group_by=(UsageDimension.TENANT,))
        async with export.open(principal("viewer", "other"), asked) as found:
            rows = await read(found.chunks)
        assert {row.get("tenant_id", row.get("tenant")) for row in rows} == {"other"}
    with pytest.raises(Forbidden):
        async with export.open(principal("viewer"), wish(where=UsageFilter(tenant_id="other"))):
            pass
    both = UsageFilter(only=((UsageDimension.TENANT, ("acme", "other")),))
    with pytest.raises(Forbidden):
        async with export.open(principal("viewer"), wish(where=both)):
            pass


async def test_more_exports_at_once_are_refused_until_one_ends(export: ExportUsage) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(EXPORTS_MAX):
            await stack.enter_async_context(export.open(local_operator(), wish()))
        with pytest.raises(Overloaded):
            async with export.open(local_operator(), wish()):
                pass

    async with export.open(local_operator(), wish()) as found:
        assert await anext(found.chunks)


async def test_a_lost_store_ends_the_export_with_its_error(
    export: ExportUsage, log: InMemoryUsageLog
) -> None:
    async with export.open(local_operator(), wish()) as found:
        await anext(found.chunks)
        log.reachable = False
        with pytest.raises(StoreUnavailable):
            await anext(found.chunks)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"format": "xls"}, "format"),
        ({"format": "focus", "bucket": "week"}, "bucket"),
        ({"format": "focus", "where": UsageFilter(from_us=STARTED_AT_US + 1)}, "from"),
        ({"format": "focus", "where": UsageFilter(only=((UsageDimension.AGENT, ("a",)),))}, "agent"),
        ({"where": UsageFilter(only=((UsageDimension.DAY, ("2026-01-01",)),))}, "day"),
        ({"where": UsageFilter(from_us=2, to_us=1)}, "from"),
        ({"level": UsageLevel.SUMMARY, "limit": 0}, "limit"),
    ],
)
async def test_what_cannot_be_exported_is_refused_at_once(
    export: ExportUsage, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        async with export.open(local_operator(), wish(**changes)):
            pass

    assert refused.value.param == param
