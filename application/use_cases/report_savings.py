"""Savings against a declared baseline, from the sums by the hour and a sample of single requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from application.ports.system import Clock
from application.ports.usage_query import UNROLLED, UsageDimension, UsageFilter, UsageQuery
from application.report_times import last_days
from application.runtime import Runtime
from application.usage_groups import GROUPED, group_of
from application.usage_sample import SampleUsage
from application.use_cases.report_usage import GROUPS_MAX, within_border
from domain.analytics.baseline import AgainstBaseline, Baseline, against_baseline
from domain.analytics.rollup import RollupSums
from domain.analytics.token_ratios import UNCERTAINTY_DEFAULT, ObservedTokens
from domain.errors import InvalidRequest
from domain.routing.table import RoutingTable
from domain.routing.target import Passthrough, Target
from domain.tenancy.principal import Principal

OWN_CREDENTIAL = "caller"
"""What rows name the caller's own credential of a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredBaseline:
    """`provider/model` for every route, and for single ones; `uncertainty` is the share by which another
    model's tokens may differ where nothing was measured."""

    everywhere: str | None = None
    routes: Mapping[str, str] = field(default_factory=dict)
    uncertainty: float = UNCERTAINTY_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingsReport:
    """Times are UTC epoch microseconds, `to_us` exclusive. `baseline`: the general one; None: none.

    `complete` is false where there were more groups than are summed; `sampled` are the single requests that
    tokens were compared by.
    """

    from_us: int
    to_us: int
    baseline: str | None
    uncertainty: float
    savings: AgainstBaseline
    sampled: int
    sample_complete: bool
    complete: bool


class ReportSavings:
    """Never across the border of a tenant unless the caller runs the installation."""

    def __init__(
        self,
        usage: UsageQuery,
        sample: SampleUsage,
        runtime: Runtime,
        clock: Clock,
        declared: Callable[[], DeclaredBaseline],
    ) -> None:
        self._usage = usage
        self._sample = sample
        self._runtime = runtime
        self._clock = clock
        self._declared = declared

    async def __call__(
        self, by: Principal, where: UsageFilter, *, baseline: str | None = None
    ) -> SavingsReport:
        """Of the last 30 days, if `where` names no time. `baseline` in place of whatever is declared.

        Raises Forbidden, InvalidRequest (also for a baseline that this tenant has not), StoreUnavailable.
        """
        from_us, to_us = last_days(self._clock.utc_now(), where.from_us, where.to_us)
        where = within_border(by, replace(where, from_us=from_us, to_us=to_us))
        _refuse_unrolled(where)
        table, _ = self._runtime.snapshot
        declared = self._declared()
        if baseline is not None:
            if target_named(table, baseline, by.tenant_id) is None:
                raise InvalidRequest(
                    f"baseline {baseline[:100]!r} is no model here; allowed: provider/model as `GET "
                    "/v1/models` lists them",
                    param="baseline",
                )
            declared = DeclaredBaseline(everywhere=baseline, uncertainty=declared.uncertainty)
        rows = await self._usage.totals(where, GROUPED, limit=GROUPS_MAX + 1)
        groups = [group_of(row) for row in rows[:GROUPS_MAX]]
        sample = await self._sample.of_several(where, from_us=from_us, to_us=to_us)
        observed = ObservedTokens(sample.requests)
        savings = against_baseline(
            groups,
            _Baselines(table, declared, by.tenant_id).of,
            lambda route, this, other: observed.ratio(route, this, other, declared.uncertainty),
            own_credentials=await self._own_credentials(where, table),
        )
        return SavingsReport(
            from_us=from_us,
            to_us=to_us,
            baseline=declared.everywhere,
            uncertainty=declared.uncertainty,
            savings=savings,
            sampled=len(sample.requests),
            sample_complete=sample.complete,
            complete=len(rows) <= GROUPS_MAX,
        )

    async def _own_credentials(
        self, where: UsageFilter, table: RoutingTable
    ) -> dict[tuple[str, str, str, str, str], RollupSums]:
        """Asked only where a route allows them: sums by credential are made from single rows."""
        if all(route.passthrough is Passthrough.OFF for route in table.routes.values()):
            return {}
        only = (*where.only, (UsageDimension.CREDENTIAL, (OWN_CREDENTIAL,)))
        rows = await self._usage.totals(replace(where, only=only), GROUPED, limit=GROUPS_MAX)
        groups = map(group_of, rows)
        return {group[:5]: group.sums for group in groups}


class _Baselines:
    """Each route's, looked up once."""

    def __init__(self, table: RoutingTable, declared: DeclaredBaseline, tenant_id: str) -> None:
        self._table = table
        self._declared = declared
        self._tenant_id = tenant_id
        self._known: dict[str, Baseline | None] = {}

    def of(self, route: str) -> Baseline | None:
        name = self._declared.routes.get(route, self._declared.everywhere)
        if name is None:
            return None
        if name not in self._known:
            target = target_named(self._table, name, self._tenant_id)
            self._known[name] = None if target is None else _baseline(target)
        return self._known[name]


def target_named(table: RoutingTable, name: str, tenant_id: str) -> Target | None:
    """The target of this id, if this tenant may use it; its own comes first."""
    own = table.by_id.get(f"{tenant_id}:{name}")
    found = own if own is not None and own.tenant_id == tenant_id else table.by_id.get(name)
    return found if found is not None and found.tenant_id in ("", tenant_id) else None


def _baseline(target: Target) -> Baseline:
    return Baseline(target.own_id, target.provider, target.model, target.offering.prices)


def _refuse_unrolled(where: UsageFilter) -> None:
    for dimension, _ in where.demands():
        if dimension in UNROLLED or dimension is UsageDimension.CACHE:
            raise InvalidRequest(
                f"savings are not told by {dimension.value}: sums by the hour do not know it, or hits would "
                "be torn from what they saved",
                param=dimension.value,
            )
