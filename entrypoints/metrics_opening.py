"""How an instance counts and tells what it counted. A part of the composition root: it names adapters."""

from pathlib import Path
from typing import Final

from adapters.telemetry.instance import InstanceMetrics, ReadingPage
from adapters.telemetry.metrics import NoMetrics, PrometheusMetrics
from adapters.telemetry.tenants import TenantCounts
from adapters.telemetry.worker_files import WorkerFiles
from application.ports.telemetry import MetricsPage
from contracts.metrics import METRICS
from entrypoints.settings import Settings

METRICS_FOLDER: Final = "metrics"


def open_metrics(settings: Settings) -> PrometheusMetrics:
    """What requests are counted in."""
    telemetry = settings.telemetry
    if not telemetry.metrics_enabled:
        return NoMetrics()
    return PrometheusMetrics(TenantCounts(telemetry.metrics_tenants, telemetry.metrics_tenants_max))


def open_instance_metrics(settings: Settings, metrics: PrometheusMetrics) -> InstanceMetrics:
    """The page of a worker's whole instance; it shares nothing before it is started."""
    return InstanceMetrics(metrics, _files(settings.data_dir), METRICS)


def open_reading_page(data_dir: Path) -> MetricsPage:
    """The same page for a process that serves no requests."""
    return ReadingPage(_files(data_dir), METRICS)


def forget_metrics(data_dir: Path) -> None:
    """Counting begins anew: for whoever is about to start the workers."""
    _files(data_dir).wipe()


def _files(data_dir: Path) -> WorkerFiles:
    return WorkerFiles(data_dir / METRICS_FOLDER, METRICS)
