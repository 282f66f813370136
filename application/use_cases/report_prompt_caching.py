"""What providers' prompt caches did for whom, and which routes could use them better."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery, UsageTotals
from application.runtime import Runtime
from application.use_cases.report_usage import within_border
from domain.analytics.prompt_caching import NO_SUMS, PromptCachingAdvice, PromptCachingSums, advice_for
from domain.errors import UnknownModel
from domain.routing.table import RoutingTable
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal

DEFAULT_DAYS: Final = 30
LINES_MAX: Final = 1_000
_BY: Final = (UsageDimension.PROVIDER, UsageDimension.MODEL, UsageDimension.ROUTE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PromptCachingLine(NamedTuple):
    """One model on one route.

    `tokens_min` is the shortest beginning its provider keeps and `caching` the route's mode; 0 and empty
    where the target is no longer there.
    """

    provider: str
    model: str
    route: str
    sums: PromptCachingSums
    caching: str
    tokens_min: int
    advice: PromptCachingAdvice | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCachingReport:
    """Lines with the most input first; times are UTC epoch microseconds, `to_us` exclusive.

    `totals` are over all lines; `complete` is false where there are more than are shown.
    """

    from_us: int
    to_us: int
    lines: tuple[PromptCachingLine, ...]
    totals: PromptCachingSums
    complete: bool


class ReportPromptCaching:
    """Never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery, runtime: Runtime, clock: Clock) -> None:
        self._usage = usage
        self._runtime = runtime
        self._clock = clock

    async def __call__(self, by: Principal, where: UsageFilter) -> PromptCachingReport:
        """Of the last 30 days, today included, if `where` names no time.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        now = self._clock.utc_now()
        first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DEFAULT_DAYS - 1)
        from_us = _us(first) if where.from_us is None else where.from_us
        to_us = _us(now) + 1 if where.to_us is None else where.to_us
        where = within_border(by, replace(where, from_us=from_us, to_us=to_us))
        rows = await self._usage.totals(where, _BY, limit=LINES_MAX + 1, order=UsageOrder.REQUESTS)
        table, _ = self._runtime.snapshot
        # What nobody answered had no prompt cache to use.
        lines = [_line(table, row) for row in rows[:LINES_MAX] if row.key[0]]
        lines.sort(key=lambda line: (-line.sums.input_tokens, line[:3]))
        totals = NO_SUMS
        for line in lines:
            totals = totals.plus(line.sums)
        return PromptCachingReport(
            from_us=from_us, to_us=to_us, lines=tuple(lines), totals=totals, complete=len(rows) <= LINES_MAX
        )


def _line(table: RoutingTable, row: UsageTotals) -> PromptCachingLine:
    provider, model, name = row.key
    sums = PromptCachingSums(
        row.requests,
        row.attempts,
        row.input_tokens,
        row.cached_read_tokens,
        row.cache_write_tokens,
        row.prompt_cache_saved_nano_usd,
        row.unpriced_prompt_cache_attempts,
    )
    found = _member(table, name, provider, model)
    if found is None:
        return PromptCachingLine(provider, model, name, sums, "", 0, None)
    route, target = found
    habit, policy = target.prompt_cache, route.prompt_caching
    advice = advice_for(sums, habit, policy)
    return PromptCachingLine(provider, model, name, sums, policy.mode.value, habit.tokens_min, advice)


def _member(table: RoutingTable, name: str, provider: str, model: str) -> tuple[Route, Target] | None:
    """The route and its target as they are now; None where either is gone."""
    try:
        route = table.resolve(name)
    except UnknownModel:
        return None
    targets = (member.target for member in route.targets)
    wanted = (target for target in targets if (target.provider, target.model) == (provider, model))
    target = next(wanted, None)
    return None if target is None else (route, target)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
