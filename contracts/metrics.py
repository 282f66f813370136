"""Every metric that Interchange exposes, as data: page, documentation, rules and dashboards follow it.

Names and meanings are published: they may be added to, not changed. A test holds the page of a live server
against this list; `docs/metrics.md` is written from it by `python -m contracts.metrics_page`.
"""

from collections.abc import Mapping
from typing import Final

from application.ports.telemetry import Metric
from contracts.metrics_of_caches import CACHE_METRICS
from contracts.metrics_of_parts import (
    POLICY_METRICS,
    PROCESS_METRICS,
    PROVIDER_METRICS,
    STORE_METRICS,
)
from contracts.metrics_of_requests import MONEY_METRICS, REQUEST_METRICS
from contracts.metrics_of_telemetry import TELEMETRY_METRICS

METRIC_GROUPS: Final[Mapping[str, tuple[Metric, ...]]] = {
    "Requests and streams": REQUEST_METRICS,
    "Money": MONEY_METRICS,
    "Caches": CACHE_METRICS,
    "Providers and integrations": PROVIDER_METRICS,
    "Limits, policies and secrets": POLICY_METRICS,
    "Stores, events and work beside requests": STORE_METRICS,
    "Quality, alerts, traces and logs": TELEMETRY_METRICS,
    "Process": PROCESS_METRICS,
}

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric for group in METRIC_GROUPS.values() for metric in group
}
"""By name, in the order of the page."""

SERIES_MAX: Final = 30_000
"""Series of metrics of requests, money and caches on one page, whatever callers ask for."""
