"""Spending that leaves what is usual is told of once, when it begins."""

import json
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from adapters.memory.period_marks import InMemoryPeriodMarks
from adapters.memory.system import START, SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.events.anomalies import REST_FOR_WORK, REST_MAX_S, SPENT_MIN_NANO_USD, TellAnomalies
from application.ports.outbox import OutboxEvent
from application.ports.usage_query import UsageDimension, UsageFilter, UsageTotals
from contracts.ports.usage import usage_event
from domain.analytics.rollup import HOUR_US
from domain.errors import StoreUnavailable

EPOCH = datetime(1970, 1, 1, tzinfo=START.tzinfo)
NOW_US = (START - EPOCH) // timedelta(microseconds=1)
MIDNIGHT = START.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
MIDNIGHT_US = (MIDNIGHT - EPOCH) // timedelta(microseconds=1)
USD = 10**9
NUMBERS = count(1)


def spent(
    log: InMemoryUsageLog,
    tenant: str,
    hours_ago: range,
    usd: int,
    *,
    before_us: int = NOW_US // HOUR_US * HOUR_US,
) -> None:
    for ago in hours_ago:
        log.record(
            usage_event(
                next(NUMBERS),
                tenant_id=tenant,
                cost_nano_usd=usd * USD,
                started_at_us=before_us - ago * HOUR_US,
            )
        )


async def told(log: InMemoryUsageLog, looks: int = 1) -> list[OutboxEvent]:
    marks = InMemoryPeriodMarks()
    for _ in range(looks):
        # Each look is another instance: none knows what the others told.
        await look(log, marks, START + timedelta(minutes=5))
    return marks.told


async def look(log: InMemoryUsageLog, marks: InMemoryPeriodMarks, at: datetime) -> None:
    """By a process that has just started."""
    await TellAnomalies(log, marks, SteppingClock(utc=at)).look()


def over_midnight() -> InMemoryUsageLog:
    """A tenant that is used since 34 days, and spends far more from four hours before midnight on."""
    log = InMemoryUsageLog()
    spent(log, "acme", range(5, 34 * 24), 2, before_us=MIDNIGHT_US)
    spent(log, "acme", range(-1, 5), 400, before_us=MIDNIGHT_US)
    return log


async def test_a_window_that_is_open_is_told_of_once() -> None:
    log = InMemoryUsageLog()
    spent(log, "acme", range(3, 14 * 24), 2)
    spent(log, "acme", range(1, 3), 40)
    spent(log, "other", range(1, 14 * 24), 2)
    (event,) = await told(log, looks=2)
    assert (event.topic, event.tenant_id) == ("cost.anomaly", "acme")
    assert event.key == f"cost.anomaly:acme:{NOW_US // HOUR_US * HOUR_US - 2 * HOUR_US}"
    data = json.loads(event.payload)
    assert data["observed_usd_per_hour"] == "40"
    assert data["expected_usd_per_hour"] == "2"
    assert data["excess_usd"] == "76"


async def test_what_is_long_over_or_usual_is_not_told_of() -> None:
    log = InMemoryUsageLog()
    spent(log, "acme", range(1, 14 * 24), 2)
    spent(log, "acme", range(30, 34), 40)
    assert await told(log) == []
    assert await told(InMemoryUsageLog()) == []


async def test_midnight_does_not_make_a_second_event_of_a_window() -> None:
    log, marks = over_midnight(), InMemoryPeriodMarks()
    for minutes in (-118, -58):
        await look(log, marks, MIDNIGHT + timedelta(minutes=minutes))
    # Rows that come late: whoever looks now sees the window begin earlier.
    spent(log, "acme", range(5, 7), 300, before_us=MIDNIGHT_US)
    for minutes in (2, 62):
        await look(log, marks, MIDNIGHT + timedelta(minutes=minutes))
    starts = [json.loads(event.payload)["start"] for event in marks.told]
    assert starts == [f"{MIDNIGHT - timedelta(hours=4):%Y-%m-%dT%H:%M:%S.%fZ}"]

    # Whoever looks for the first time after midnight sees it begin earlier.
    anew = InMemoryPeriodMarks()
    await look(log, anew, MIDNIGHT + timedelta(minutes=2))
    (event,) = anew.told
    assert json.loads(event.payload)["start"] < starts[0]


async def test_another_window_of_the_same_day_is_told_of_as_well() -> None:
    log, marks = InMemoryUsageLog(), InMemoryPeriodMarks()
    spent(log, "acme", range(13, 14 * 24), 2)
    spent(log, "acme", range(11, 13), 40)
    spent(log, "acme", range(2, 11), 2)
    spent(log, "acme", range(1, 2), 40)
    await look(log, marks, START + timedelta(minutes=5) - timedelta(hours=10))
    await look(log, marks, START + timedelta(minutes=5))
    assert len(marks.told) == 2


async def test_an_hour_is_looked_at_once() -> None:
    log, marks = InMemoryUsageLog(), InMemoryPeriodMarks()
    spent(log, "acme", range(3, 14 * 24), 2)
    tell = TellAnomalies(log, marks, SteppingClock(utc=START + timedelta(minutes=5)))
    await tell.look()
    spent(log, "acme", range(1, 3), 40)
    await tell.look()
    assert marks.told == []


class Watched(InMemoryUsageLog):
    """Counts whose hours were asked for, and fails as often as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str | None] = []
        self.failures = 0

    async def totals(
        self, where: UsageFilter, by: tuple[UsageDimension, ...] = (), **said: Any
    ) -> list[UsageTotals]:
        if UsageDimension.HOUR in by:
            self.asked.append(where.tenant_id)
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("away")
        return await super().totals(where, by, **said)


async def test_of_several_processes_one_looks_at_an_hour() -> None:
    log, marks = Watched(), InMemoryPeriodMarks()
    spent(log, "acme", range(1, 50), 2)
    for _ in range(3):
        await look(log, marks, START + timedelta(minutes=5))
    assert log.asked == ["acme"]
    await look(log, marks, START + timedelta(minutes=65))
    assert log.asked == ["acme"] * 2


async def test_who_took_an_hour_and_met_a_store_that_was_away_looks_again() -> None:
    log, marks = Watched(), InMemoryPeriodMarks()
    spent(log, "acme", range(3, 14 * 24), 2)
    spent(log, "acme", range(1, 3), 40)
    tell = TellAnomalies(log, marks, SteppingClock(utc=START + timedelta(minutes=5)))
    log.failures = 1
    with pytest.raises(StoreUnavailable):
        await tell.look()
    await look(log, marks, START + timedelta(minutes=5))
    assert marks.told == []
    await tell.look()
    assert len(marks.told) == 1


async def test_who_spends_next_to_nothing_is_not_looked_at() -> None:
    log = Watched()
    spent(log, "acme", range(1, 20), 2)
    log.record(usage_event(next(NUMBERS), tenant_id="small", cost_nano_usd=SPENT_MIN_NANO_USD - 1,
                           started_at_us=NOW_US - HOUR_US))  # fmt: skip
    await told(log)
    assert log.asked == ["acme"]


async def test_it_rests_between_tenants_as_long_as_its_work_was_dear() -> None:
    clock, log, rests = SteppingClock(utc=START + timedelta(minutes=5)), Watched(), list[float]()
    for tenant in ("a", "b"):
        spent(log, tenant, range(1, 20), 2)
    whole, took_s = log.totals, iter((0.1, 100.0))

    async def slow(where: UsageFilter, by: tuple[UsageDimension, ...] = (), **said: Any) -> Any:
        if UsageDimension.HOUR in by:
            clock.advance(next(took_s))
        return await whole(where, by, **said)

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    log.totals = slow  # type: ignore[method-assign]
    await TellAnomalies(log, InMemoryPeriodMarks(), clock, rest=rest).look()
    assert rests == [pytest.approx(0.1 * REST_FOR_WORK), REST_MAX_S]
