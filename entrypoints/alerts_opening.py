"""Opens what judges alerts. A part of the composition root: it names adapters."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from adapters.sql.alerts import SqlAlertStore
from adapters.sql.event_cursors import SqlEventCursors
from adapters.sql.expiring_keys import SqlExpiringKeys
from adapters.sql.sla_measures import SqlMeasureStore
from application.sla.terms import AlertTerms
from application.sla.watch import AlertStores, WatchAlerts
from application.use_cases.manage_alerts import ManageAlerts
from application.use_cases.report_sla import ReportSla
from entrypoints.alerting import (
    Alerting,
    BreakerFindings,
    CertificateFindings,
    InForce,
    budget_findings_of,
    expiring_key_findings,
    local_findings,
    webhook_findings_of,
)
from entrypoints.containers import Container
from entrypoints.eventing import integration_breakers, provider_breakers
from entrypoints.settings import Settings


def open_alerting(container: Container, in_force: InForce, settings: Callable[[], Settings]) -> Alerting:
    """Asks nobody yet. `in_force` is what the writer of usage rows measures by."""
    clock, database, money = container.clock(), container.database(), container.money()

    def terms() -> AlertTerms:
        return in_force.follow(settings())

    def certificate_file() -> Path | None:
        tls = settings().server.tls
        return None if tls is None else tls.cert_file

    breakers = [
        partial(provider_breakers, container.runtime()),
        partial(integration_breakers, container.tooling().book),
    ]
    webhooking = container.webhooking()
    terms()
    stores = AlertStores(
        measures=SqlMeasureStore(database),
        alerts=SqlAlertStore(database),
        cursors=SqlEventCursors(database),
    )
    watch = WatchAlerts(
        stores,
        clock,
        container.ids(),
        terms,
        local_findings(
            BreakerFindings(breakers, clock),
            container.providers_status(),
            container.usage_log(),
            money.watch,
            money.holds.book,
            CertificateFindings(certificate_file, clock),
        ),
        [
            budget_findings_of(money.watch),
            expiring_key_findings(SqlExpiringKeys(database), clock, terms),
            webhook_findings_of(webhooking.book, webhooking.everywhere, clock),
        ],
    )
    return Alerting(
        manage=ManageAlerts(SqlAlertStore(container.scoped()), clock, terms),
        report=ReportSla(SqlMeasureStore(container.reports()), clock, terms),
        watch=watch,
    )
