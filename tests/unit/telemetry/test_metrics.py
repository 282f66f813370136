"""Counters folded from events, as Prometheus reads them."""

from adapters.telemetry.metrics import PrometheusMetrics
from application.ports.telemetry import Gauge
from contracts.ports.usage import usage_event


def page(metrics: PrometheusMetrics, *gauges: Gauge) -> dict[str, str]:
    lines = metrics.render(gauges).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_requests_attempts_tokens_and_cost_add_up() -> None:
    metrics = PrometheusMetrics()
    event = usage_event(1, tries=2)
    metrics.observe(event)
    metrics.observe(event)
    shown = page(metrics)
    (requests,) = (value for name, value in shown.items() if name.startswith("interchange_requests_total"))
    assert requests == "2"
    attempts = [int(v) for name, v in shown.items() if name.startswith("interchange_attempts_total")]
    assert sum(attempts) == 2 * len(event.attempts)
    tokens = [
        int(v) for n, v in shown.items() if n.startswith("interchange_tokens_total") and 'type="input"' in n
    ]
    assert sum(tokens) == 2 * sum(attempt.input_tokens for attempt in event.attempts)
    counts = [v for n, v in shown.items() if n.startswith("interchange_request_duration_seconds_count")]
    assert counts == ["2"]


def test_failovers_and_gauges_are_shown_and_labels_escaped() -> None:
    metrics = PrometheusMetrics()
    metrics.failed_over('a"b', "c\\d", "timeout")
    shown = page(metrics, Gauge("interchange_active_requests", "Now.", (((), 3.0),)))
    assert shown["interchange_active_requests{}"] == "3"
    assert shown[r'interchange_failovers_total{original="a\"b",fallback="c\\d",reason="timeout"}'] == "1"
