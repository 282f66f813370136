"""Puts together what judges alerts and shows objectives, from ports alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from application.budget_book import BudgetBook
from application.events.breakers import Watched
from application.events.writing import epoch_us
from application.ports.alerts import Finding
from application.ports.expiring_keys import ExpiringKeys
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.ports.usage import UsageLog
from application.ports.webhooks import DeliveryLog
from application.sla.terms import AlertTerms, owner_of
from application.sla.watch import Local, Shared, WatchAlerts
from application.use_cases.manage_alerts import ManageAlerts
from application.use_cases.report_sla import ReportSla
from application.use_cases.watch_budgets import BudgetFigures, WatchBudgets
from application.use_cases.watch_providers import ProvidersStatus
from application.webhooks.book import WebhookBook
from domain.budgets.period import PeriodUnit
from domain.money import NanoUsd, format_usd
from domain.resilience.breaker import BreakerState
from domain.sla.measure import Scopes
from domain.sla.rules import (
    BREAKER,
    BUDGET,
    CERTIFICATE,
    DAY_S,
    DEAD_LETTERS,
    KEY_EXPIRING,
    LEDGER,
    PROVIDER_UNUSABLE,
    USAGE_BUFFERING,
    USAGE_REFUSED,
    WEBHOOK_DISABLED,
)
from domain.sla.words import percent, span
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.endpoint import EndpointState
from entrypoints.background import BackgroundTasks
from entrypoints.config.alert_section import alert_terms
from entrypoints.jobs.listener_tls import CertificateUnusable, read_certificate
from entrypoints.settings import Settings

LONG_PERIODS: Final = frozenset({PeriodUnit.MONTH, PeriodUnit.QUARTER, PeriodUnit.YEAR, PeriodUnit.TOTAL})
"""Budgets whose end is worth an alert of its own; shorter ones tell `cost.budget_alert`."""
OPEN_LATELY_S: Final = 120.0
"""A breaker that tries itself out between two looks is still one that is open."""
SLOW_LOOK_S: Final = 60.0
CERTIFICATE_LOOK_S: Final = 600.0
KEYS_MAX: Final = 200
DEAD_SHOWN_MAX: Final = 50
TENANTS_MAX: Final = 200
_US: Final = 1_000_000


class InForce:
    """Objectives and alerts as the running configuration says, for the writer of usage and the monitor."""

    def __init__(self) -> None:
        self._of: tuple[object, object] | None = None
        self.terms = AlertTerms()
        self.scopes = Scopes()

    def follow(self, settings: Settings) -> AlertTerms:
        """Compiled anew where the configuration is another."""
        of = (settings.objectives, settings.alerts)
        if self._of is None or of[0] is not self._of[0] or of[1] is not self._of[1]:
            self.terms = alert_terms(*of)
            self.scopes, self._of = self.terms.scopes(), of
        return self.terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What routes and the lifespan use."""

    manage: ManageAlerts
    report: ReportSla
    watch: WatchAlerts

    def start(self, tasks: BackgroundTasks) -> None:
        """Judges until the tasks end."""
        tasks.start("alerts", self.watch.run)

    def judges(self) -> bool:
        """Whether this process looks after the installation; every one does where nobody is chosen."""
        return self.watch.judges or not self.manage.terms.enabled

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page. What fires is told by the one process that judges."""
        rules = self.manage.terms.rules
        counts = dict.fromkeys(rules, 0)
        for alert in self.watch.firing:
            counts[alert.rule] = counts.get(alert.rule, 0) + 1
        yield Gauge(
            "interchange_alerts_firing",
            "Alerts that fire, by rule; of the process that judges, 0 elsewhere.",
            tuple(((("rule", name),), count) for name, count in counts.items()),
        )
        yield Gauge(
            "interchange_alerts_judging",
            "1 in the process that judges alerts for the installation.",
            (((), int(self.watch.judges)),),
        )


@dataclass(slots=True)
class BreakerFindings:
    """Breakers of this process that are open, or were a moment ago and try themselves out."""

    sources: Iterable[Callable[[], Iterable[Watched]]]
    clock: Clock
    _open_at: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def __call__(self) -> Iterator[Finding]:
        now_s = self.clock.monotonic()
        for source in self.sources:
            for watched in source():
                state = watched.breaker.state(now_s)
                key = (watched.tenant_id or "", watched.name, watched.target)
                if state is BreakerState.OPEN:
                    self._open_at[key] = now_s
                if (
                    state is BreakerState.CLOSED
                    or now_s - self._open_at.get(key, -OPEN_LATELY_S) >= OPEN_LATELY_S
                ):
                    self._open_at.pop(key, None)
                    continue
                subject = watched.target or watched.name
                note = f"the breaker of {subject} is open: nothing is sent there"
                yield Finding(BREAKER, subject, owner_of(key[0]), 1.0, note)


def provider_findings(status: ProvidersStatus) -> Iterator[Finding]:
    """Providers none of whose targets can be used, unless an operator wants it so."""
    for provider in status():
        if provider.targets and not provider.usable and provider.forced is None:
            note = f"none of the {len(provider.targets)} targets of {provider.name} can be used"
            yield Finding(PROVIDER_UNUSABLE, provider.name, owner_of(""), 1.0, note)


def usage_findings(log: UsageLog, ledger: WatchBudgets, book: BudgetBook) -> Iterator[Finding]:
    """What this process cannot write or ask."""
    if not log.accepting:
        note = "usage can be written neither to the database nor to the disk: requests are refused"
        yield Finding(USAGE_REFUSED, "", owner_of(""), 1.0, note)
    if not log.healthy:
        yield Finding(USAGE_BUFFERING, "", owner_of(""), 1.0, "usage waits for the database")
    if book.budgets and not ledger.reachable:
        yield Finding(LEDGER, "", owner_of(""), 1.0, "the budget ledger does not answer")


@dataclass(slots=True)
class CertificateFindings:
    """How long the listener's certificate is good; nothing where TLS ends elsewhere."""

    file: Callable[[], Path | None]
    clock: Clock
    _looked_at_s: float = float("-inf")
    _found: tuple[Finding, ...] = ()

    def __call__(self) -> Iterable[Finding]:
        if self.clock.monotonic() - self._looked_at_s >= CERTIFICATE_LOOK_S:
            self._looked_at_s, self._found = self.clock.monotonic(), tuple(self._look())
        return self._found

    def _look(self) -> Iterator[Finding]:
        file = self.file()
        if file is None:
            return
        try:
            certificate = read_certificate(file)
        except CertificateUnusable:
            return
        left_s = certificate.left_s(self.clock.utc_now())
        ends = f"{certificate.ends_at:%Y-%m-%d %H:%M} UTC"
        note = f"the listener's certificate ends on {ends}, in {span(left_s)}"
        if left_s <= 0:
            note = f"the listener's certificate ended on {ends}"
        yield Finding(CERTIFICATE, file.name, owner_of(""), left_s, note)


def budget_findings_of(watch: WatchBudgets) -> Shared:
    """Budgets of a month or longer, as they were last seen."""

    async def look() -> list[Finding]:
        return [
            Finding(
                BUDGET,
                each.budget.budget_id,
                owner_of(each.budget.owner),
                each.utilization,
                _budget_note(each),
            )
            for each in watch.figures
            if each.budget.period.unit in LONG_PERIODS
        ]

    return look


def _budget_note(figures: BudgetFigures) -> str:
    budget = figures.budget
    limit, unit = format_usd(NanoUsd(budget.limit_nano_usd)), budget.period.unit
    of = f"{limit} USD in all" if unit is PeriodUnit.TOTAL else f"{limit} USD a {unit.value}"
    return f"{percent(figures.utilization)} of the budget {budget.name} ({of}) is spent"


def expiring_key_findings(keys: ExpiringKeys, clock: Clock, terms: Callable[[], AlertTerms]) -> Shared:
    """Keys that end by themselves before long."""

    async def look() -> list[Finding]:
        rule = terms().rules[KEY_EXPIRING]
        if not rule.enabled:
            return []
        now = clock.utc_now()
        ending = await keys.ending(now, now + timedelta(seconds=max(rule.threshold, DAY_S)), limit=KEYS_MAX)
        return [
            Finding(
                KEY_EXPIRING,
                key.key_id,
                key.tenant_id,
                (key.expires_at - now).total_seconds(),
                f"the API key {key.name or key.key_id} ends on {key.expires_at:%Y-%m-%d %H:%M} UTC, in "
                f"{span((key.expires_at - now).total_seconds())}",
            )
            for key in ending
            if key.expires_at is not None
        ]

    return seldom(look, clock)


def webhook_findings_of(book: WebhookBook, log: DeliveryLog, clock: Clock) -> Shared:
    """Endpoints that are disabled, and dead letters of the last hour. Those that told of alerts or webhooks
    are left out: that would go round for ever."""

    async def look() -> list[Finding]:
        found = [
            Finding(
                WEBHOOK_DISABLED,
                each.endpoint_id,
                each.tenant_id,
                1.0,
                f"the webhook endpoint {each.endpoint_id} is disabled: {each.reason}",
            )
            for each in book.known
            if each.state is EndpointState.DISABLED
        ]
        now_us = epoch_us(clock.utc_now())
        figures = await log.figures(now_us)
        tenants = sorted({each.tenant_id for each in book.known})[:TENANTS_MAX] if figures.dead else []
        for tenant_id in tenants:
            dead: dict[str, int] = {}
            for each in await log.page(tenant_id, None, DeliveryState.DEAD, limit=DEAD_SHOWN_MAX):
                recent = each.settled_at_us is not None and each.settled_at_us > now_us - 3600 * _US
                if recent and not each.topic.startswith(("alert.", "webhook.")):
                    dead[each.endpoint_id] = dead.get(each.endpoint_id, 0) + 1
            for endpoint_id, count in dead.items():
                some = "1 delivery" if count == 1 else f"{count} deliveries"
                note = f"{some} to {endpoint_id} given up within the last hour"
                found.append(Finding(DEAD_LETTERS, endpoint_id, tenant_id, float(count), note))
        return found

    return seldom(look, clock)


def seldom(look: Shared, clock: Clock) -> Shared:
    """The same, asked at most once a minute."""
    looked_at_s = float("-inf")
    found: list[Finding] = []

    async def remembered() -> list[Finding]:
        nonlocal looked_at_s, found
        if clock.monotonic() - looked_at_s >= SLOW_LOOK_S:
            found = list(await look())
            looked_at_s = clock.monotonic()
        return found

    return remembered


def local_findings(
    breakers: BreakerFindings,
    providers: ProvidersStatus,
    usage_log: UsageLog,
    ledger: WatchBudgets,
    book: BudgetBook,
    certificate: CertificateFindings,
) -> list[Local]:
    """What a process sees of itself."""
    return [
        breakers,
        partial(provider_findings, providers),
        partial(usage_findings, usage_log, ledger, book),
        certificate,
    ]
