"""Everything that reads usage, resolved once."""

from dataclasses import dataclass

from application.ports.system import Clock
from application.use_cases.export_usage import ExportUsage
from application.use_cases.find_anomalies import FindAnomalies
from application.use_cases.forecast_usage import ForecastUsage
from application.use_cases.reconcile_invoice import ReconcileInvoice
from application.use_cases.report_costs import ReportCosts
from application.use_cases.report_savings import ReportSavings
from application.use_cases.report_usage import ReportUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageUseCases:
    """What the usage routes and commands call."""

    report: ReportUsage
    costs: ReportCosts
    export: ExportUsage
    reconcile: ReconcileInvoice
    forecast: ForecastUsage
    anomalies: FindAnomalies
    clock: Clock
    savings: ReportSavings | None = None
    """For commands without a server; None: no baseline is declared, or there are no prices to compare."""
