"""What recommendations for one tenant rest on: sums, a sample, and what there is to choose from."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from application.budget_facts import budget_periods
from application.learned_quality import learned_quality
from application.ports.ledger import LedgerBooks
from application.ports.quality import QualityStore
from application.ports.system import Clock
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery
from application.report_times import last_days, us
from application.runtime import Runtime
from application.usage_groups import GROUPED, group_of
from application.usage_sample import SampleUsage
from application.use_cases.report_usage import GROUPS_MAX
from domain.analytics.baseline import Group
from domain.analytics.facts import (
    OBSERVED_DAYS,
    BudgetPeriod,
    DaySpend,
    Facts,
    HourUse,
    QualityAt,
    QualityOf,
    SpenderFact,
    Wishes,
)
from domain.analytics.rollup import DAY_US
from domain.analytics.token_ratios import ObservedTokens
from domain.routing.table import RoutingTable
from domain.routing.target import Route
from domain.tenancy.role import OPERATOR_TENANT

_DAYS: Final = (UsageDimension.DAY, UsageDimension.ROUTE, UsageDimension.PROVIDER, UsageDimension.MODEL)
_HOURS: Final = (UsageDimension.HOUR, UsageDimension.PROVIDER, UsageDimension.MODEL)
AGENT_DAYS: Final = 7
"""Sums by agent are made from single rows, so they are of a week only."""

IntegrationsOf = Callable[[str], Sequence[str]]
"""Names of a tenant's own integrations that are no providers of models."""


class GatherFacts:
    """Of any tenant: whoever calls it has checked that it may be seen."""

    def __init__(
        self,
        usage: UsageQuery,
        sample: SampleUsage,
        runtime: Runtime,
        clock: Clock,
        wishes: Callable[[], Wishes],
        *,
        integrations_of: IntegrationsOf = lambda _tenant_id: (),
        quality: QualityStore | None = None,
        books: LedgerBooks | None = None,
    ) -> None:
        self._usage = usage
        self._sample = sample
        self._runtime = runtime
        self._clock = clock
        self._wishes = wishes
        self._integrations_of = integrations_of
        self._quality = quality
        self._books = books

    async def __call__(self, tenant_id: str) -> Facts:
        """Of the last 30 days, or since the first day with use. Raises StoreUnavailable."""
        from_us, to_us = last_days(self._clock.utc_now(), None, None, OBSERVED_DAYS)
        where = UsageFilter(tenant_id=tenant_id, from_us=from_us, to_us=to_us)
        days = await self._usage.totals(where, _DAYS, limit=GROUPS_MAX, order=UsageOrder.KEY)
        if days:
            from_us = max(from_us, _start_of(days[0].key[0]))
            where = UsageFilter(tenant_id=tenant_id, from_us=from_us, to_us=to_us)
        sample = await self._sample(tenant_id, where, from_us=from_us, to_us=to_us, attempts=True)
        table, _ = self._runtime.snapshot
        wishes, observed = self._wishes(), ObservedTokens(sample.requests)
        quality_of, quality_at = await self._learned(tenant_id, from_us, to_us)
        by_group: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        by_day: dict[tuple[str, str], int] = defaultdict(int)
        for row in days:
            day, route, provider, model = row.key
            by_group[route, provider, model].append(row.cost_nano_usd)
            by_day[day, provider] += row.cost_nano_usd
        return Facts(
            tenant_id=tenant_id,
            from_us=from_us,
            to_us=to_us,
            groups=await self._groups(where),
            task_groups=await self._task_groups(where),
            group_days=by_group,
            provider_days=[DaySpend(*place, cost) for place, cost in sorted(by_day.items())],
            hours=await self._hours(where),
            spenders=[
                *await self._spenders(where, UsageDimension.KEY, round(max(1, (to_us - from_us) / DAY_US))),
                *await self._agents(where, to_us),
            ],
            budget_periods=await self._budgets(tenant_id, to_us),
            sample=sample.requests,
            sample_complete=sample.complete,
            targets=[one for one in table.targets if one.tenant_id in ("", tenant_id)],
            routes=routes_of(table, tenant_id),
            routes_used=await self._routes_used(tenant_id, from_us, to_us),
            integrations=await self._integrations(tenant_id, where),
            ratio_of=lambda route, this, other: observed.ratio(route, this, other, wishes.token_uncertainty),
            quality_of=quality_of,
            quality_at=quality_at,
            wishes=wishes,
        )

    async def _budgets(self, tenant_id: str, now_us: int) -> Sequence[BudgetPeriod]:
        return () if self._books is None else await budget_periods(self._books, tenant_id, now_us)

    async def _learned(self, tenant_id: str, from_us: int, to_us: int) -> tuple[QualityOf, QualityAt]:
        if self._quality is None:
            return (lambda _route, _provider, _model: None), (lambda _task, _provider, _model: None)
        return await learned_quality(self._quality, tenant_id, from_us, to_us)

    async def _groups(self, where: UsageFilter) -> list[Group]:
        rows = await self._usage.totals(where, GROUPED, limit=GROUPS_MAX)
        return [group_of(row) for row in rows]

    async def _task_groups(self, where: UsageFilter) -> dict[str, list[Group]]:
        rows = await self._usage.totals(where, (*GROUPED, UsageDimension.TASK), limit=GROUPS_MAX)
        groups: dict[str, list[Group]] = defaultdict(list)
        for row in rows:
            groups[row.key[-1]].append(group_of(row._replace(key=row.key[:-1])))
        return groups

    async def _hours(self, where: UsageFilter) -> list[HourUse]:
        rows = await self._usage.totals(where, _HOURS, limit=GROUPS_MAX)
        if len(rows) == GROUPS_MAX:
            return []
        return [
            HourUse(row.key[1], row.key[2], row.cost_nano_usd, row.input_tokens + row.output_tokens)
            for row in rows
            if row.key[1]
        ]

    async def _spenders(self, where: UsageFilter, by: UsageDimension, days: int) -> list[SpenderFact]:
        rows = await self._usage.totals(where, (by,), limit=1000)
        return [SpenderFact(by.value, row.key[0], row.requests, row.cost_nano_usd, days) for row in rows]

    async def _agents(self, where: UsageFilter, to_us: int) -> list[SpenderFact]:
        assert where.from_us is not None, "it was set"
        from_us = max(where.from_us, to_us - AGENT_DAYS * DAY_US)
        lately = UsageFilter(tenant_id=where.tenant_id, from_us=from_us, to_us=to_us)
        return await self._spenders(lately, UsageDimension.AGENT, round(max(1, (to_us - from_us) / DAY_US)))

    async def _routes_used(self, tenant_id: str, from_us: int, to_us: int) -> frozenset[str] | None:
        """By anybody: routes are for all tenants, so only the one that runs them is told of unused ones."""
        if tenant_id != OPERATOR_TENANT:
            return None
        where = UsageFilter(from_us=from_us, to_us=to_us)
        rows = await self._usage.totals(where, (UsageDimension.ROUTE,), limit=GROUPS_MAX)
        return frozenset(row.key[0] for row in rows)

    async def _integrations(self, tenant_id: str, where: UsageFilter) -> Mapping[str, int]:
        known = dict.fromkeys(self._integrations_of(tenant_id), 0)
        if not known:
            return known
        only = ((UsageDimension.OPERATION, ("tool",)),)
        asked = UsageFilter(tenant_id=tenant_id, from_us=where.from_us, to_us=where.to_us, only=only)
        rows = await self._usage.totals(asked, (UsageDimension.ROUTE,), limit=GROUPS_MAX)
        for row in rows:
            if row.key[0] in known:
                known[row.key[0]] = row.requests
        return known


def routes_of(table: RoutingTable, tenant_id: str) -> dict[str, Route]:
    """Those somebody declared that have a target this tenant may use."""
    return {
        name: route
        for name, route in table.routes.items()
        if not route.implicit and any(member.target.tenant_id in ("", tenant_id) for member in route.targets)
    }


def _start_of(day: str) -> int:
    return us(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC))
