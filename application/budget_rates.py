"""What the subjects of a budget spent lately, from the usage rows: for people, never for a decision."""

import asyncio
from typing import Final, NamedTuple

from application.ports.usage_query import UNROLLED, UsageDimension, UsageFilter, UsageQuery
from domain.budgets.budget import Budget
from domain.budgets.forecast import DAY_US, HOUR_US
from domain.budgets.scope import EACH, Dimension
from domain.errors import StoreUnavailable

SUBJECTS_MAX: Final = 1_000
TIMEOUT_S: Final = 2.0
"""How long the sums may take; figures are shown without them then."""


class Lately(NamedTuple):
    """Nano-dollars of the last hour and day; None: not known."""

    hour: int | None
    day: int | None


NOT_KNOWN: Final = Lately(None, None)


class RecentSpending:
    """Bounded in time; never raises for a usage store that is away."""

    def __init__(self, usage: UsageQuery) -> None:
        self._usage = usage

    async def of(self, budget: Budget, since_us: int, now_us: int) -> dict[str, Lately]:
        """By subject, not counting from before `since_us`. A subject that is missing spent nothing, unless
        nothing is known at all (`""` alone, NOT_KNOWN)."""
        hours = days = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                hours = await self._sums(budget, max(since_us, now_us - HOUR_US), now_us)
                if UNROLLED.isdisjoint(_usage(dimension) for dimension, _ in budget.scope.parts):
                    days = await self._sums(budget, max(since_us, now_us - DAY_US), now_us)
        except (TimeoutError, StoreUnavailable):
            if hours is None:
                return {"": NOT_KNOWN}
        return {
            subject: Lately(hours.get(subject, 0), None if days is None else days.get(subject, 0))
            for subject in {*hours, *(days or {}), ""}
        }

    async def _sums(self, budget: Budget, from_us: int, to_us: int) -> dict[str, int]:
        parts = budget.scope.parts
        each = [dimension for dimension, value in parts if value == EACH]
        where = UsageFilter(
            tenant_id=budget.scope.tenant,
            from_us=from_us,
            to_us=to_us + 1,
            only=tuple(
                (_usage(dimension), _values(dimension, value))
                for dimension, value in parts
                if value != EACH and dimension is not Dimension.TENANT
            ),
        )
        rows = await self._usage.totals(where, tuple(map(_usage, each)), limit=SUBJECTS_MAX)
        sums: dict[str, int] = {}
        for row in rows:
            if all(row.key):  # what was not said is counted by no budget
                subject = "&".join(
                    f"{dimension.value}={value}" for dimension, value in zip(each, row.key, strict=True)
                )
                sums[subject] = sums.get(subject, 0) + row.attempt_cost_nano_usd
        return sums


def lately(of: dict[str, Lately], subject: str) -> Lately:
    """One subject's."""
    found = of.get(subject)
    if found is not None:
        return found
    known = of.get("", NOT_KNOWN)
    return Lately(None if known.hour is None else 0, None if known.day is None else 0)


def _usage(dimension: Dimension) -> UsageDimension:
    return UsageDimension(dimension.value)


def _values(dimension: Dimension, value: str) -> tuple[str, ...]:
    # A model may be named with its provider; rows name both apart.
    if dimension is Dimension.MODEL and "/" in value:
        return value, value.partition("/")[2]
    return (value,)
