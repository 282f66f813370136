"""How good the answers of each model are, which of two is better, and what routing learns of it."""

import logging
from dataclasses import dataclass
from typing import Final

from application.ports.quality import CellFilter, QualityStore
from application.ports.system import Clock
from application.runtime import Runtime
from domain.analytics.rollup import DAY_US
from domain.errors import InvalidRequest, StoreUnavailable
from domain.quality.cells import (
    DIMENSIONS,
    CellCounts,
    CellKey,
    Comparison,
    compared,
    fair_qualities,
    grouped,
    learned_qualities,
    with_any_provider,
)
from domain.quality.scores import Interval, quality_of
from domain.quality.tasks import TASKS
from domain.routing.table import RoutingTable
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

DAYS_DEFAULT: Final = 30
DAYS_MAX: Final = 365
ROWS_MAX: Final = 1000
GAUGED_MAX: Final = 200
"""Series of the metric, of the busiest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """One row of the quality table: what was counted, what was declared, and what to expect."""

    counts: CellCounts
    declared: float | None
    quality: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuality:
    """Over the last `days`, today included, by these of DIMENSIONS. None: any."""

    tenant_id: str | None = None
    provider: str | None = None
    model: str | None = None
    task: str | None = None
    route: str | None = None
    days: int = DAYS_DEFAULT
    by: tuple[str, ...] = DIMENSIONS
    limit: int = 200


class ReportQuality:
    """Reads sums; what it costs does not grow with the number of requests."""

    def __init__(self, store: QualityStore, runtime: Runtime, clock: Clock) -> None:
        self._store = store
        self._declared = DeclaredQualities(runtime)
        self._clock = clock

    async def rows(self, by: Principal, asked: AskedQuality) -> list[QualityRow]:
        """The busiest first. Raises Forbidden, InvalidRequest, StoreUnavailable."""
        unknown = [name for name in asked.by if name not in DIMENSIONS]
        if unknown or not asked.by:
            raise InvalidRequest(f"by must be some of {', '.join(DIMENSIONS)}", param="by")
        if not 1 <= asked.limit <= ROWS_MAX:
            raise InvalidRequest(f"limit must be 1-{ROWS_MAX}", param="limit")
        cells = await self._store.cells(self._where(by, asked))
        declared = self._declared.now()
        return [
            quality_row(cell, declared.get((cell.key.provider, cell.key.model)))
            for cell in grouped(cells, asked.by)[: asked.limit]
        ]

    async def compare(self, by: Principal, one: str, other: str, asked: AskedQuality) -> list[Comparison]:
        """Two models at every task both were asked. Raises Forbidden, InvalidRequest, StoreUnavailable."""
        if not one or not other or one == other:
            raise InvalidRequest("models must name two different models, such as small,large", param="models")
        return compared(one, other, await self._store.cells(self._where(by, asked)))

    def _where(self, by: Principal, asked: AskedQuality) -> CellFilter:
        check_tenant(by, asked.tenant_id or by.tenant_id, "usage.read")
        if not 1 <= asked.days <= DAYS_MAX:
            raise InvalidRequest(f"days must be 1-{DAYS_MAX}", param="days")
        if asked.task is not None and asked.task not in TASKS:
            raise InvalidRequest(f"task must be one of {', '.join(TASKS)}", param="task")
        tenant_id = asked.tenant_id
        if tenant_id is None and not by.may("tenants.manage"):
            tenant_id = by.tenant_id
        return CellFilter(
            tenant_id=tenant_id,
            provider=asked.provider,
            models=() if asked.model is None else (asked.model,),
            task=asked.task,
            route=asked.route,
            from_us=first_day_us(self._clock, asked.days),
        )


class FollowQuality:
    """Keeps what routing and metrics know of quality, from all tenants' answers."""

    def __init__(
        self, store: QualityStore, runtime: Runtime, clock: Clock, *, window_days: int, retention_days: int
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._declared = DeclaredQualities(runtime)
        self._clock = clock
        self._window_days = window_days
        self._retention_days = retention_days
        self.scores: tuple[tuple[CellKey, float], ...] = ()
        """By provider, model and task; of what somebody looked at, the busiest GAUGED_MAX. Weighed as what
        routing learns: no tenant decides alone what all see."""

    async def refresh(self) -> None:
        """Takes what is known now into use. Raises StoreUnavailable; what was known stays then."""
        where = CellFilter(from_us=first_day_us(self._clock, self._window_days))
        cells = await self._store.cells(where, tenants=True)
        declared = self._declared.now()
        scores = fair_qualities(cells, declared, ("provider", "model", "task"))
        self.scores = tuple(scores[:GAUGED_MAX])
        self._runtime.learn(learned_qualities(cells, declared))

    async def look(self) -> None:
        """The same, for whoever has nobody to tell."""
        try:
            await self.refresh()
        except StoreUnavailable as error:
            log.warning("quality cannot be read: %s", error.message)

    async def purge(self) -> None:
        """Removes what is older than is kept. Raises StoreUnavailable."""
        await self._store.purge(first_day_us(self._clock, self._retention_days))


class DeclaredQualities:
    """What targets are declared to be worth, read once for each table."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._of: RoutingTable | None = None
        self._known: dict[tuple[str, str], float] = {}

    def now(self) -> dict[tuple[str, str], float]:
        """By (provider, model), and by (ANY, model) on average."""
        table = self._runtime.snapshot[0]
        if table is not self._of:
            declared = {
                (target.provider, target.model): target.offering.quality
                for target in table.targets
                if target.offering.quality is not None
            }
            self._of, self._known = table, with_any_provider(declared)
        return self._known


def quality_row(cell: CellCounts, declared: float | None) -> QualityRow:
    """What a cell says beside what is declared."""
    return QualityRow(counts=cell, declared=declared, quality=quality_of(cell.evidence, declared))


def first_day_us(clock: Clock, days: int) -> int:
    """The start of the first of the last `days`, today included, UTC."""
    today = int(clock.utc_now().timestamp() * 1e6) // DAY_US
    return (today - days + 1) * DAY_US
