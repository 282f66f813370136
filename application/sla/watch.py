"""The monitor: looks at measures and at what instances see, and takes every alert one step further.

Every instance reports what only it can see (its breakers, its journal). One of them, the one that holds the
cursor `alerts`, judges for the whole installation; when it dies, another one does within `LEASE_S`. How
alerts stand is in the store, so whoever goes on neither tells anything twice nor forgets it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.events.writing import epoch_us
from application.ports.alerts import AlertStore, Finding, MeasureStore, Saved
from application.ports.event_cursors import Cursor, EventCursors
from application.ports.system import Clock, IdFactory
from application.sla.findings import day_before, findings, lengths_us
from application.sla.telling import change_event, history_of
from application.sla.terms import AlertTerms
from domain.errors import StoreUnavailable
from domain.sla.alert import Alert, AlertState, Verdict, step
from domain.sla.rules import MEASURED, RULES, AlertRule
from domain.sla.words import note_of

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 15.0
LEASE_S: Final = 40.0
REPORT_FOR_S: Final = 45.0
FORGET_EVERY_S: Final = 600.0
HISTORY_KEPT_US: Final = 90 * 86_400_000_000
ALERTS_MAX: Final = 2_000
"""Alerts that are kept at once; what comes beyond them is only in the log."""
CURSOR: Final = "alerts"
_US: Final = 1_000_000

Local = Callable[[], Iterable[Finding]]
"""What this process sees of itself; answers at once."""
Shared = Callable[[], Awaitable[Iterable[Finding]]]
"""What the one that judges asks of stores. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStores:
    """What the monitor reads and writes; all of it reaches every tenant."""

    measures: MeasureStore
    alerts: AlertStore
    cursors: EventCursors


class WatchAlerts:
    """`run` is for the lifespan. What it found last is in `firing`, for metrics."""

    def __init__(
        self,
        stores: AlertStores,
        clock: Clock,
        ids: IdFactory,
        terms: Callable[[], AlertTerms],
        local: Sequence[Local] = (),
        shared: Sequence[Shared] = (),
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._instance = ids.next("instance")
        self._terms = terms
        self._local = local
        self._shared = shared
        self._cursor: Cursor | None = None
        self._reported: tuple[Finding, ...] = ()
        self._reported_at_s = float("-inf")
        self._forgot_at_s = float("-inf")
        self._over = False
        self.firing: tuple[Alert, ...] = ()
        """Alerts that fired at the last look of this process; empty where another one judges."""
        self.looked_at_us: int | None = None
        """When this process last judged; None: never."""

    @property
    def judges(self) -> bool:
        """Whether it is this process that does."""
        return self._cursor is not None

    async def run(self) -> None:
        """Until cancelled; then somebody else may go on at once."""
        told = False
        try:
            while True:
                try:
                    await self.look()
                    told = False
                except StoreUnavailable as error:
                    if not told:
                        log.warning("alerts are not judged: %s", error.message)
                    told = True
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._release()

    async def look(self) -> None:
        """Once. Raises StoreUnavailable; then the next look goes on from how alerts stood."""
        terms, now_us = self._terms(), epoch_us(self._clock.utc_now())
        if not terms.enabled:
            await self._release()
            return
        await self._report(now_us)
        until_us = now_us + round(LEASE_S * _US)
        self._cursor = await self._stores.cursors.take(CURSOR, self._instance, now_us, until_us, 0)
        if self._cursor is None:
            self.firing = ()
            return
        found = [*await self._measured(terms, now_us), *await self._stores.alerts.reported(now_us)]
        for source in self._shared:
            found.extend(await source())
        await self._judge(terms, found, now_us)
        self.looked_at_us = now_us
        await self._forget(now_us)

    async def _report(self, now_us: int) -> None:
        mine = tuple(finding for source in self._local for finding in source())
        now_s = self._clock.monotonic()
        # Who sees nothing and said so before has nothing to say.
        if mine == self._reported and (not mine or now_s - self._reported_at_s < REPORT_FOR_S / 3):
            return
        await self._stores.alerts.report(self._instance, mine, now_us + round(REPORT_FOR_S * _US))
        self._reported, self._reported_at_s = mine, now_s

    async def _measured(self, terms: AlertTerms, now_us: int) -> list[Finding]:
        lengths = lengths_us(terms)
        # Up to and with the present minute.
        spans = [(now_us - length, now_us + 1) for length in lengths]
        *sums, before = await self._stores.measures.sums([*spans, day_before(terms, now_us)])
        return list(findings(terms, dict(zip(lengths, sums, strict=True)), before))

    async def _judge(self, terms: AlertTerms, found: Iterable[Finding], now_us: int) -> None:
        known = {(each.rule, each.subject, each.tenant_id): each for each in await self._stores.alerts.all()}
        worst = _worst(terms, found)
        changes: list[Saved] = []
        firing, over = [], False
        for key in sorted(known.keys() | worst.keys()):
            alert, finding = known.get(key), worst.get(key)
            if alert is None and len(known) + len(changes) >= ALERTS_MAX:
                over = True
                continue
            before = alert or Alert(rule=key[0], subject=key[1], tenant_id=key[2], since_us=now_us)
            saved = self._step(terms, before, finding, now_us)
            if saved is not None:
                changes.append(saved)
            after = before if saved is None else saved.alert
            if after.firing:
                firing.append(after)
        if changes:
            await self._stores.alerts.save(changes)
        self.firing = tuple(firing)
        if over and not self._over:
            log.warning("more than %d alerts at once: the rest is not kept", ALERTS_MAX)
        self._over = over
        await self._stores.alerts.drop([each for each in known.values() if not each.kept(now_us)])

    def _step(self, terms: AlertTerms, before: Alert, finding: Finding | None, now_us: int) -> Saved | None:
        """None: nothing changed that would have to be kept."""
        rule = terms.rules.get(before.rule)
        verdict = _verdict(rule, finding)
        timing = (rule or RULES.get(before.rule) or next(iter(RULES.values()))).timing
        if rule is None or not rule.enabled:
            timing = timing._replace(resolve_s=0.0)
        seen = before
        if finding is not None and rule is not None and verdict is not Verdict.UNKNOWN:
            note = note_of(rule, finding.note)
            seen = replace(before, value=finding.value, threshold=rule.threshold, note=note)
        after, change = step(seen, verdict, timing, now_us)
        quiet = before.state is AlertState.INACTIVE and after.state is AlertState.INACTIVE
        if after == before or (quiet and before.revision == 0) or (quiet and after.firings == before.firings):
            return None
        if change is None:
            return Saved(after)
        return Saved(
            after,
            (history_of(after, change.value, now_us),),
            (change_event(after, change, terms, now_us),),
        )

    async def _forget(self, now_us: int) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._forgot_at_s < FORGET_EVERY_S:
            return
        await self._stores.measures.forget(now_us)
        await self._stores.alerts.forget(now_us, now_us - HISTORY_KEPT_US)
        self._forgot_at_s = now_s

    async def _release(self) -> None:
        cursor, self._cursor, self.firing = self._cursor, None, ()
        if cursor is not None:
            try:
                await self._stores.cursors.release(CURSOR, cursor.fence)
            except StoreUnavailable as error:
                log.info("another instance judges alerts once the lease ends: %s", error.message)


def _worst(terms: AlertTerms, found: Iterable[Finding]) -> dict[tuple[str, str, str], Finding]:
    """Of several findings of the same, the worst; those of rules that are off say nothing."""
    worst: dict[tuple[str, str, str], Finding] = {}
    for each in found:
        rule = terms.rules.get(each.rule)
        if rule is None or not rule.enabled:
            continue
        before = worst.get(each[:3])
        if before is None or _worse(rule, each, before):
            worst[each[:3]] = each
    return worst


def _worse(rule: AlertRule, one: Finding, other: Finding) -> bool:
    if one.value is None or other.value is None:
        return other.value is None and one.value is not None
    return one.value > other.value if rule.above else one.value < other.value


def _verdict(rule: AlertRule | None, finding: Finding | None) -> Verdict:
    if rule is None or not rule.enabled:
        return Verdict.CLEAR
    if finding is None:
        return Verdict.UNKNOWN if rule.looks_at in MEASURED else Verdict.CLEAR
    return rule.judge(finding.value, finding.judged)
