"""A monitor over stores in memory, on a clock that is moved by hand."""

import json
from dataclasses import replace
from typing import Any

from adapters.memory.alerts import InMemoryAlertStore, InMemoryMeasureStore
from adapters.memory.event_cursors import InMemoryEventCursors
from adapters.memory.system import CountingIds, SteppingClock
from application.events.writing import epoch_us
from application.ports.alerts import Finding
from application.sla.terms import AlertTerms
from application.sla.watch import LOOK_EVERY_S, AlertStores, WatchAlerts
from domain.sla.measure import DURATION_MS, MINUTE_US, Measure, provider_scope
from domain.sla.rules import RULES


def requests(
    number: int, *, failed: int = 0, cost_nano_usd: int = 1_000_000, slow: int = 0, hits: int | None = None
) -> Measure:
    """So many a minute, at so much each; `slow` ones took 10 s, the others less than 50 ms."""
    durations = [0] * (len(DURATION_MS) + 1)
    durations[0], durations[DURATION_MS.index(10_000)] = number - slow, slow
    good = number - failed
    return Measure(
        requests=number,
        counted=number,
        failed=failed,
        errors=failed,
        lookups=0 if hits is None else number,
        hits=hits or 0,
        priced=good,
        cost_nano_usd=good * cost_nano_usd,
        durations=tuple(durations),
    )


class World:
    """One installation with any number of instances."""

    def __init__(self) -> None:
        self.clock = SteppingClock()
        self.ids = CountingIds()
        self.measures = InMemoryMeasureStore()
        self.alerts = InMemoryAlertStore()
        self.cursors = InMemoryEventCursors()
        self.terms = AlertTerms()
        self.local: list[Finding] = []
        self.shared: list[Finding] = []
        self.first = self.instance()

    def instance(self) -> WatchAlerts:
        stores = AlertStores(measures=self.measures, alerts=self.alerts, cursors=self.cursors)

        async def shared() -> list[Finding]:
            return list(self.shared)

        return WatchAlerts(
            stores, self.clock, self.ids, lambda: self.terms, [lambda: list(self.local)], [shared]
        )

    @property
    def now_us(self) -> int:
        return epoch_us(self.clock.utc_now())

    def change(self, rule: str, **changes: Any) -> None:
        self.terms = replace(self.terms, rules={**self.terms.rules, rule: replace(RULES[rule], **changes)})

    async def minutes(
        self, number: int, measure: Measure | None = None, *, providers: dict[str, Measure] | None = None
    ) -> None:
        """Time passes; in each minute there is that much, and looks as often as there are."""
        for _ in range(number):
            minute_us = self.now_us - self.now_us % MINUTE_US
            some = {} if measure is None else {(minute_us, ""): measure}
            some |= {(minute_us, provider_scope(name)): each for name, each in (providers or {}).items()}
            await self.measures.add(some)
            for _ in range(round(60 / LOOK_EVERY_S)):
                await self.first.look()
                self.clock.advance(LOOK_EVERY_S)

    def told(self) -> list[tuple[str, str, str]]:
        """Name of the event, rule and subject."""
        found = []
        for event in self.alerts.events:
            data = json.loads(event.payload)
            found.append((event.topic, data["rule"], data["subject"]))
        return found
