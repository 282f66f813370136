"""`/api/v1/usage` and what is made of it: sums, costs, both as files, and the outlook."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from application.ports.usage_query import UsageDimension, UsageTotals
from application.use_cases.export_usage import FOCUS, ExportUsage, UsageLevel, Wish
from application.use_cases.read_usage import UsageUseCases
from application.use_cases.report_costs import BUCKETS, Costs
from domain.analytics.costs import UsageAnalytics
from domain.analytics.savings import hit_ratio
from domain.errors import InterchangeError, InvalidRequest
from domain.money import format_usd
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import AnswerCutOff, Receive, Scope, Send
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.guard import Door, guarded_routes
from entrypoints.http.outlook import Outlook
from entrypoints.http.savings import savings_object
from entrypoints.http.usage_questions import (
    iso,
    read_choice,
    read_dimensions,
    read_filter,
    read_order,
    read_whole,
    refuse_unknown,
)

LIMIT_DEFAULT: Final = 1000
SEND_TIMEOUT_S: Final = 60.0
"""How long a reader of an export may leave one piece unread."""
JSON: Final = "json"
FORMATS: Final = (JSON, "csv", "jsonl", "parquet", FOCUS)
LEVELS: Final = tuple(level.value for level in UsageLevel)


def usage_routes(door: Door, use_cases: UsageUseCases) -> list[Route]:
    """The routes; everyone sees what is of the own tenant."""
    usage, outlook = _Usage(use_cases), Outlook(use_cases)
    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/usage"): usage.usage,
            ("GET", "/api/v1/analytics/costs"): usage.costs,
            ("GET", "/api/v1/analytics/forecast"): outlook.forecast,
            ("GET", "/api/v1/analytics/anomalies"): outlook.anomalies,
        },
    )


class _Usage:
    def __init__(self, use_cases: UsageUseCases) -> None:
        self._use = use_cases

    async def usage(self, request: Request, by: Principal) -> Any:
        query = request.query_params
        wish = read_wish(query)
        if wish.format != JSON:
            return await download(self._use.export, by, wish)
        if wish.level is not UsageLevel.SUMMARY:
            raise InvalidRequest(
                "format json is for the summary; single rows come as csv, jsonl or parquet", param="format"
            )
        rows = await self._use.report(by, wish.where, wish.group_by, wish.limit, wish.order)
        return {
            "group_by": [dimension.value for dimension in wish.group_by],
            "rows": [totals_object(row, wish.group_by) for row in rows],
        }

    async def costs(self, request: Request, by: Principal) -> Any:
        query = request.query_params
        refuse_unknown(query, ("by", "bucket"))
        bucket = read_choice(query, "bucket", list(BUCKETS))
        group_by = read_dimensions(query, "by")
        costs = await self._use.costs(by, read_filter(query), bucket=bucket, group_by=group_by)
        return costs_object(costs, bucket, group_by)


def read_wish(query: QueryParams) -> Wish:
    """What a query string of `/api/v1/usage` asks for. Raises InvalidRequest."""
    refuse_unknown(query, ("group_by", "by", "limit", "order", "format", "level", "bucket"))
    return Wish(
        where=read_filter(query),
        format=read_choice(query, "format", list(FORMATS)),
        level=UsageLevel(read_choice(query, "level", list(LEVELS))),
        group_by=read_dimensions(query, "group_by", "by"),
        limit=read_whole(query, "limit", LIMIT_DEFAULT),
        order=read_order(query),
        bucket=read_choice(query, "bucket", list(BUCKETS)),
    )


def totals_object(row: UsageTotals, group_by: tuple[UsageDimension, ...]) -> dict[str, Any]:
    """A group with its sums; money exact, in nano-dollars and as decimal text."""
    return {
        **{dimension.value: value for dimension, value in zip(group_by, row.key, strict=True)},
        **{name: value for name, value in row._asdict().items() if name != "key"},
        "cost_usd": format_usd(row.cost_nano_usd),
        "cache_hit_ratio": hit_ratio(row.cache_hits, row.cache_lookups),
        "saved_usd": format_usd(row.saved_nano_usd),
        "prompt_cache_saved_usd": format_usd(row.prompt_cache_saved_nano_usd),
    }


def costs_object(costs: Costs, bucket: str, group_by: tuple[UsageDimension, ...]) -> dict[str, Any]:
    """Analytics, totals and groups."""
    time = BUCKETS[bucket]
    return {
        "from": iso(costs.from_us),
        "to": iso(costs.to_us),
        "bucket": bucket,
        "analytics": [analytics_object(one) for one in costs.analytics],
        "totals": totals_object(costs.totals, ()),
        "savings": savings_object(costs.savings),
        "by": [dimension.value for dimension in group_by],
        "groups": [totals_object(row, (time, *group_by)) for row in costs.groups],
    }


def analytics_object(one: UsageAnalytics) -> dict[str, Any]:
    """The published entity, with its published names."""
    return {
        "analytics_id": one.analytics_id,
        "tenant_id": one.tenant_id,
        "integration_id": one.integration_id,
        "time_period_start": iso(one.start_us),
        "time_period_end": iso(one.end_us),
        "total_requests": one.total_requests,
        "total_cost": format_usd(one.total_cost_nano_usd),
        "average_latency": one.average_latency_ms,
        "success_rate": one.success_rate,
        "provider_breakdown": {
            name: {
                "requests": cost.requests,
                "ok_requests": cost.ok_requests,
                "input_tokens": cost.input_tokens,
                "output_tokens": cost.output_tokens,
                "cost": format_usd(cost.cost_nano_usd),
                "unpriced_requests": cost.unpriced_requests,
            }
            for name, cost in one.provider_breakdown.items()
        },
    }


async def download(export_usage: ExportUsage, by: Principal, wish: Wish) -> Response:
    """A file as an answer. Raises what opening it raises, and StoreUnavailable."""
    stack = AsyncExitStack()
    try:
        export = await stack.enter_async_context(export_usage.open(by, wish))
        # The first piece is read before the answer begins, so that an error is still an answer.
        first = await anext(export.chunks, b"")
    except BaseException:
        await stack.aclose()
        raise
    return _Download(stack, first, export.chunks, export.media_type, export.file_name)


class _Download(Response):
    """A file that is made while it is sent. Ends the export when it is over, or its reader is gone."""

    def __init__(
        self, stack: AsyncExitStack, first: bytes, chunks: AsyncIterator[bytes], media_type: str, name: str
    ) -> None:
        super().__init__(
            None,
            headers={
                "cache-control": "no-store",
                "content-disposition": f'attachment; filename="{name}"',
                "x-content-type-options": "nosniff",
            },
            media_type=media_type,
        )
        del self.headers["content-length"]
        self._stack = stack
        self._first = first
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = DisconnectWatch(receive)
        async with self._stack:
            try:
                await self._send(send)
            except asyncio.CancelledError:
                if not watch.forgive():
                    raise
            except TimeoutError:
                raise AnswerCutOff("the reader of a usage export took too long") from None
            except InterchangeError as error:
                raise AnswerCutOff(f"a usage export: {error.message}") from error
            finally:
                watch.stop()

    async def _send(self, send: Send) -> None:
        async def say(**message: Any) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(message)

        await say(type="http.response.start", status=self.status_code, headers=self.raw_headers)
        await say(type="http.response.body", body=self._first, more_body=True)
        async for chunk in self._chunks:
            await say(type="http.response.body", body=chunk, more_body=True)
        await say(type="http.response.body", body=b"", more_body=False)
