"""Objectives' measures and alerts in memory: for tests and simulations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from application.ports.alerts import AlertStore, Finding, HistoryEntry, MeasureStore, Saved
from application.ports.outbox import OutboxEvent
from domain.errors import StoreUnavailable
from domain.sla.alert import Alert
from domain.sla.measure import DAY_US, HOUR_US, MINUTE_US, NOTHING, Measure

_MINUTES_KEPT_US = 7 * HOUR_US
_HOURS_KEPT_US = 36 * DAY_US


class InMemoryMeasureStore(MeasureStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._kept: dict[tuple[int, int, str], Measure] = {}

    async def sums(self, windows: Sequence[tuple[int, int]]) -> list[Mapping[str, Measure]]:
        self._check()
        found: list[Mapping[str, Measure]] = []
        for since_us, until_us in windows:
            step_us = HOUR_US if until_us - since_us > _MINUTES_KEPT_US else MINUTE_US
            sums: dict[str, Measure] = {}
            for (span_us, start_us, scope), measure in self._kept.items():
                if span_us == step_us and since_us - since_us % step_us <= start_us < until_us:
                    sums[scope] = sums.get(scope, NOTHING).plus(measure)
            found.append(sums)
        return found

    async def add(self, measures: Mapping[tuple[int, str], Measure]) -> None:
        self._check()
        for (start_us, scope), measure in measures.items():
            for span_us in (MINUTE_US, HOUR_US):
                key = (span_us, start_us - start_us % span_us, scope)
                self._kept[key] = self._kept.get(key, NOTHING).plus(measure)

    async def forget(self, now_us: int) -> int:
        self._check()
        kept_us = {MINUTE_US: _MINUTES_KEPT_US, HOUR_US: _HOURS_KEPT_US}
        old = [key for key in self._kept if key[1] < now_us - kept_us[key[0]]]
        for key in old:
            del self._kept[key]
        return len(old)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store was taken away")


class InMemoryAlertStore(AlertStore):
    """Set `reachable` to False to take it away. `events` are those told, in their order."""

    def __init__(self) -> None:
        self.reachable = True
        self.events: list[OutboxEvent] = []
        self._alerts: dict[str, Alert] = {}
        self._history: dict[str, HistoryEntry] = {}
        self._findings: dict[str, tuple[int, list[Finding]]] = {}

    async def all(self, tenant_id: str | None = None) -> list[Alert]:
        self._check()
        found = [each for each in self._alerts.values() if tenant_id in (None, each.tenant_id)]
        return sorted(found, key=lambda each: (each.rule, each.subject, each.tenant_id))

    async def save(self, changes: Sequence[Saved]) -> int:
        self._check()
        done = 0
        for change in changes:
            alert, known = change.alert, self._alerts.get(change.alert.alert_id)
            if (known.revision if known is not None else 0) != alert.revision:
                continue
            done += 1
            self._alerts[alert.alert_id] = replace(alert, revision=alert.revision + 1)
            for entry in change.history:
                self._history.setdefault(entry.key, entry)
            told = {event.key for event in self.events}
            self.events += [event for event in change.events if event.key not in told]
        return done

    async def drop(self, alerts: Sequence[Alert]) -> None:
        self._check()
        for alert in alerts:
            if alert == self._alerts.get(alert.alert_id):
                del self._alerts[alert.alert_id]

    async def history(
        self, tenant_id: str | None, alert_id: str | None, *, before_us: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        self._check()
        found = [
            each
            for each in self._history.values()
            if tenant_id in (None, each.tenant_id)
            and alert_id in (None, each.alert_id)
            and (before_us is None or each.at_us < before_us)
        ]
        return sorted(found, key=lambda each: (each.at_us, each.key), reverse=True)[:limit]

    async def report(self, instance: str, findings: Iterable[Finding], until_us: int) -> None:
        self._check()
        unique = {(each.rule, each.subject, each.tenant_id): each for each in findings}
        self._findings[instance] = (until_us, list(unique.values()))

    async def reported(self, now_us: int) -> list[Finding]:
        self._check()
        found = [
            (each, instance)
            for instance, (until_us, findings) in self._findings.items()
            if until_us > now_us
            for each in findings
        ]
        return [each for each, _ in sorted(found, key=lambda pair: (pair[0][:3], pair[1]))]

    async def forget(self, now_us: int, before_us: int) -> int:
        self._check()
        old = [key for key, each in self._history.items() if each.at_us < before_us]
        over = [name for name, (until_us, _) in self._findings.items() if until_us <= now_us]
        for key in old:
            del self._history[key]
        return len(old) + sum(len(self._findings.pop(name)[1]) for name in over)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store was taken away")
