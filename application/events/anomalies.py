"""Telling of spending that is out of the ordinary, when it begins."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from application.events.writing import epoch_us, event_of, moment_text
from application.hourly_usage import hourly_sums
from application.ports.outbox import OutboxEvent
from application.ports.period_marks import PeriodMarks
from application.ports.system import Clock
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery
from domain.analytics.rollup import DAY_US, HOUR_US
from domain.anomalies.detector import MERGE_S, SCALE_DAYS
from domain.anomalies.metrics import Found, Metric, find_anomalies
from domain.anomalies.telling import sentence
from domain.anomalies.usual import WEEKS
from domain.events import COST_ANOMALY
from domain.money import NANO_PER_USD, format_usd
from domain.tenancy.role import OPERATOR_TENANT

LOOK_EVERY_S: Final = 300.0
"""An hour is looked at once, when it is over; more often only to begin soon after."""
SETTLED_AFTER_US: Final = 60_000_000
"""Usage rows of an hour are written by then."""
TENANTS_MAX: Final = 500
"""Tenants that are looked at: those that spent most in the last hours."""
SPENT_MIN_NANO_USD: Final = NANO_PER_USD // 20
"""Who spent less in the newest hours is not looked at: nothing that is worth telling can have begun."""
REST_FOR_WORK: Final = 9.0
"""How long it rests for each second of looking at a tenant: requests want the same processor, and 500 tenants
are more than a minute of it. The hour has room for that."""
REST_MAX_S: Final = 5.0
NEW_HOURS: Final = 3
"""A window that ended before is not told of: nobody could act on it."""
LOOKED: Final = "cost.anomaly looked"
"""The mark of an hour that a process looks at."""
_SAME_US: Final = MERGE_S * 1_000_000
"""An hour that follows a window within this is of the same window, as the detector has it."""
_HISTORY_DAYS: Final = 7 * WEEKS + SCALE_DAYS


class TellAnomalies:
    """Of several processes one looks at an hour, whichever comes first; should it die before it is through,
    the next hour's look finds what began. A window of a tenant is one event, whoever notices it and whenever.

    A later look judges from a history that begins a day later, and may then see a window begin at another
    hour. So the newest hour of each window that was told is marked, and a window that touches a marked hour
    is the one that was told.
    """

    def __init__(
        self,
        usage: UsageQuery,
        marks: PeriodMarks,
        clock: Clock,
        *,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rest = rest
        self._usage = usage
        self._marks = marks
        self._clock = clock
        self._looked_us: int | None = None
        self._mine_us: int | None = None
        """The hour that this process took upon itself."""

    async def look(self) -> None:
        """Looks at the hours that are over, if there is a new one. Raises StoreUnavailable; it is looked
        again then."""
        now_us = epoch_us(self._clock.utc_now())
        to_us = (now_us - SETTLED_AFTER_US) // HOUR_US * HOUR_US
        if to_us == self._looked_us:
            return
        if to_us != self._mine_us:
            if not await self._marks.mark(OPERATOR_TENANT, LOOKED, to_us, at_us=now_us):
                self._looked_us = to_us  # by another
                return
            self._mine_us = to_us
        recent = UsageFilter(from_us=to_us - NEW_HOURS * HOUR_US, to_us=to_us)
        spenders = await self._usage.totals(
            recent, (UsageDimension.TENANT,), limit=TENANTS_MAX, order=UsageOrder.COST
        )
        for spender in spenders:
            if spender.cost_nano_usd < SPENT_MIN_NANO_USD:
                break
            began_s = self._clock.monotonic()
            await self._look_at(spender.key[0], to_us, now_us)
            took_s = self._clock.monotonic() - began_s
            await self._rest(min(REST_MAX_S, REST_FOR_WORK * took_s))
        self._looked_us = to_us

    async def _look_at(self, tenant_id: str, to_us: int, now_us: int) -> None:
        # From a midnight on, so that all looks of a day judge from the same history and agree on a beginning.
        first_us = to_us // DAY_US * DAY_US - _HISTORY_DAYS * DAY_US
        hours = await hourly_sums(
            self._usage, UsageFilter(tenant_id=tenant_id, from_us=first_us, to_us=to_us), first_us, to_us
        )
        for found in await asyncio.to_thread(find_anomalies, Metric.COST, hours):
            if len(hours) - 1 - found.window.last >= NEW_HOURS:
                continue
            await self._tell(cost_anomaly(tenant_id, found, first_us, now_us), found, first_us, now_us)

    async def _tell(self, event: OutboxEvent, found: Found, first_us: int, now_us: int) -> None:
        start_us, newest_us = (first_us + hour * HOUR_US for hour in (found.window.first, found.window.last))
        marked_us = await self._marks.newest(event.tenant_id, COST_ANOMALY)
        told = marked_us is not None and start_us - marked_us <= _SAME_US
        # The event and its mark are one transaction: of instances that look at once, one tells.
        await self._marks.mark(
            event.tenant_id, COST_ANOMALY, newest_us, at_us=now_us, event=None if told else event
        )


def cost_anomaly(tenant_id: str, found: Found, first_us: int, now_us: int) -> OutboxEvent:
    """Spending of a tenant left what was usual; `first_us` is the hour that windows are counted from."""
    window = found.window
    start_us = first_us + window.first * HOUR_US
    data = {
        "tenant_id": tenant_id,
        "start": moment_text(start_us),
        "until": moment_text(first_us + (window.last + 1) * HOUR_US),
        "kind": window.kind.value,
        "severity": window.severity.value,
        "observed_usd_per_hour": format_usd(round(window.observed)),
        "expected_usd_per_hour": format_usd(round(window.expected)),
        "strays_usd_per_hour": format_usd(round(window.strays)),
        "excess_usd": format_usd(round(found.change)),
        "requests": found.requests,
        "text": sentence(Metric.COST, window),
    }
    return event_of(COST_ANOMALY, tenant_id, f"{COST_ANOMALY}:{tenant_id}:{start_us}", data, now_us)
