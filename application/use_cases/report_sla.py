"""How objectives stand: what was reached, what is left of error budgets, how fast they burn."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from application.events.writing import epoch_us
from application.ports.alerts import MeasureStore
from application.ports.system import Clock
from application.sla.terms import AlertTerms, owner_of
from domain.sla.measure import HOUR_US, NOTHING, Measure
from domain.sla.objective import BURN_WINDOWS, Objective, Tally, budget_left, burn_rate, can_burn
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT

READ: Final = "alerts.read"
REMEMBERED_S: Final = 5.0
"""How long sums are used again: a page may ask every second, and windows are of days."""
LATELY_US: Final = HOUR_US


class Burning(NamedTuple):
    """One pair of windows; None: nothing to judge."""

    name: str
    long_s: float
    short_s: float
    long_rate: float | None
    short_rate: float | None
    alarm_at: float
    watched: bool
    """Whether the rate could be reached at all."""


class Standing(NamedTuple):
    """How an objective stands: over its window, and over the last hour."""

    objective: Objective
    tally: Tally
    lately: Tally
    reached_ms: float | None
    reached_lately_ms: float | None
    budget_left: float | None
    burning: tuple[Burning, ...]

    @property
    def met(self) -> bool | None:
        """None: nothing to judge."""
        share = self.tally.good_share
        return None if share is None else share >= self.objective.target


class ReportSla:
    """Objectives of the caller's tenant; to those who run the installation, all of them."""

    def __init__(self, measures: MeasureStore, clock: Clock, terms: Callable[[], AlertTerms]) -> None:
        self._measures = measures
        self._clock = clock
        self._terms = terms
        self._known: Mapping[int, Mapping[str, Measure]] = {}
        self._asked_for: tuple[int, ...] = ()
        self._asked_at_s = float("-inf")

    async def __call__(self, by: Principal) -> list[Standing]:
        """Raises Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        mine = [
            each
            for each in self._terms().objectives
            if by.tenant_id in (OPERATOR_TENANT, owner_of(each.tenant_id))
        ]
        if not mine:
            return []
        lengths = {LATELY_US, *(each.window_us for each in mine)}
        for pair in BURN_WINDOWS:
            lengths |= {pair.long_us, pair.short_us}
        sums = await self._sums(tuple(sorted(lengths)))
        return [
            _standing(each, {length: found.get(each.scope, NOTHING) for length, found in sums.items()})
            for each in mine
        ]

    async def _sums(self, lengths: tuple[int, ...]) -> Mapping[int, Mapping[str, Measure]]:
        now_s, now_us = self._clock.monotonic(), epoch_us(self._clock.utc_now())
        if lengths != self._asked_for or now_s - self._asked_at_s >= REMEMBERED_S:
            found = await self._measures.sums([(now_us - length, now_us + 1) for length in lengths])
            self._known = dict(zip(lengths, found, strict=True))
            self._asked_for, self._asked_at_s = lengths, now_s
        return self._known


def _standing(objective: Objective, sums: Mapping[int, Measure]) -> Standing:
    whole, lately = sums[objective.window_us], sums[LATELY_US]
    tally = objective.tally(whole)
    burning = []
    for pair in BURN_WINDOWS:
        long, short = objective.tally(sums[pair.long_us]), objective.tally(sums[pair.short_us])
        burning.append(
            Burning(
                pair.name,
                pair.long_us / 1e6,
                pair.short_us / 1e6,
                burn_rate(objective, long),
                burn_rate(objective, short),
                pair.rate,
                can_burn(objective, pair),
            )
        )
    return Standing(
        objective,
        tally,
        objective.tally(lately),
        objective.reached_ms(whole),
        objective.reached_ms(lately),
        budget_left(objective, tally),
        tuple(burning),
    )
