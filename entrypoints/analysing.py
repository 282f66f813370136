"""Puts together what looks at usage: savings, patterns, advice and scheduled reports, from ports alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from application.ports.ledger import LedgerBooks
from application.ports.optimizations import Optimizations
from application.ports.period_marks import PeriodMarks
from application.ports.quality import QualityStore
from application.ports.system import Clock
from application.ports.usage_query import UsageQuery
from application.ports.usage_rows import UsageRows
from application.runtime import Runtime
from application.tools.book import IntegrationBook
from application.usage_sample import SampleUsage
from application.use_cases.gather_facts import GatherFacts
from application.use_cases.keep_recommendations import LOOK_EVERY_S as ADVICE_EVERY_S
from application.use_cases.keep_recommendations import KeepRecommendations
from application.use_cases.manage_recommendations import FindRecommendations, ManageRecommendations
from application.use_cases.report_patterns import ReportPatterns
from application.use_cases.report_period import ReportPeriod
from application.use_cases.report_savings import DeclaredBaseline, ReportSavings
from application.use_cases.tell_reports import LOOK_EVERY_S as REPORTS_EVERY_S
from application.use_cases.tell_reports import ReportOrder, TellReports
from domain.analytics.facts import Wishes
from domain.analytics.report_period import Every
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of
from entrypoints.background import BackgroundTasks, every
from entrypoints.http.report_objects import report_object
from entrypoints.settings import Settings
from entrypoints.words.report import report_text


@dataclass(slots=True)
class SettingsNow:
    """What is in force; it changes when the configuration file does."""

    get: Callable[[], Settings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysing:
    """What routes and the lifespan use."""

    savings: ReportSavings
    patterns: ReportPatterns
    period: ReportPeriod
    manage: ManageRecommendations
    keep: KeepRecommendations
    reports: TellReports
    clock: Clock
    now: SettingsNow

    def start(self, tasks: BackgroundTasks, settings: Callable[[], Settings]) -> None:
        """Runs what runs beside requests, by the settings there are at each moment."""
        self.now.get = settings
        tasks.start("recommendations", partial(every, ADVICE_EVERY_S, self.keep.look))
        tasks.start("reports", partial(every, REPORTS_EVERY_S, self.reports.look))


def make_analysing(
    settings: Settings,
    usage: UsageQuery,
    rows: UsageRows,
    runtime: Runtime,
    clock: Clock,
    store: Optimizations,
    marks: PeriodMarks,
    book: IntegrationBook,
    quality: QualityStore,
    books: LedgerBooks,
) -> Analysing:
    """Those of a serving process."""
    now, sample = SettingsNow(lambda: settings), SampleUsage(rows)
    savings = make_savings(usage, rows, runtime, clock, lambda: now.get())
    gather = GatherFacts(
        *(usage, sample, runtime, clock, lambda: wishes_of(now.get())),
        integrations_of=lambda tenant_id: _integrations(book, tenant_id),
        quality=quality,
        books=books,
    )
    find = FindRecommendations(gather, store, clock)
    period = ReportPeriod(usage, savings)
    return Analysing(
        savings=savings,
        patterns=ReportPatterns(usage, clock),
        period=period,
        manage=ManageRecommendations(find, store, clock),
        keep=KeepRecommendations(find, rows, marks, clock, lambda: now.get().analytics.recommendations),
        reports=TellReports(
            *(period, marks, clock, lambda: orders_of(now.get()), report_reader),
            shown=report_object,
            text=_text,
        ),
        clock=clock,
        now=now,
    )


def make_savings(
    usage: UsageQuery, rows: UsageRows, runtime: Runtime, clock: Clock, settings: Callable[[], Settings]
) -> ReportSavings:
    """Of whatever prices the runtime has."""
    return ReportSavings(usage, SampleUsage(rows), runtime, clock, lambda: baseline_of(settings()))


def baseline_of(settings: Settings) -> DeclaredBaseline:
    """The configuration's words in the application's."""
    declared = settings.analytics
    return DeclaredBaseline(
        everywhere=declared.baseline, routes=declared.baselines, uncertainty=declared.token_uncertainty
    )


def wishes_of(settings: Settings) -> Wishes:
    """The same for advice."""
    declared = settings.analytics
    return Wishes(
        token_uncertainty=declared.token_uncertainty,
        quality_drop_max=declared.quality_drop_max,
        commitment_discount=declared.commitment_discount,
    )


def orders_of(settings: Settings) -> Sequence[ReportOrder]:
    """The same for reports."""
    return [
        ReportOrder(
            name=one.name,
            tenant_id=one.tenant,
            every=Every(one.every),
            top=one.top,
            as_text=one.format == "text",
        )
        for one in settings.reports
    ]


def report_reader(tenant_id: str) -> Principal:
    """Who reads usage for a scheduled report: nobody's key, in that tenant alone."""
    return Principal(
        tenant_id=tenant_id,
        key_id="reports",
        key_name="scheduled reports",
        role="viewer",
        permissions=permissions_of("viewer", tenant_id),
        kind="local",
    )


def _integrations(book: IntegrationBook, tenant_id: str) -> Sequence[str]:
    return [one.name for one in book.all() if one.integration.tenant_id == tenant_id]


def _text(found: Mapping[str, Any]) -> str:
    return report_text(dict(found))
