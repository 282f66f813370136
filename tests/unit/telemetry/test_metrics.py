"""Counters folded from events, as Prometheus reads them."""

from adapters.telemetry.metrics import PrometheusMetrics
from application.ports.telemetry import Gauge
from contracts.ports.usage import attempt, usage_event


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


def test_hits_are_counted_by_what_they_were_with_what_they_saved() -> None:
    metrics = PrometheusMetrics()
    for number, (cache, saved, similarity) in enumerate(
        (
            ("off", 0, None),
            ("miss", 0, None),
            ("hit-l1", 10**9, None),
            ("hit-l2", 5 * 10**8, None),
            ("hit-semantic", 250_000_000, 0.95),
            ("hit-coalesced", None, None),
        )
    ):
        metrics.observe(
            usage_event(number, route="faq", cache=cache, saved_nano_usd=saved, cache_similarity=similarity)
        )
    shown = page(metrics)

    assert shown['interchange_cache_requests_total{route="faq",outcome="miss"}'] == "1"
    assert shown['interchange_cache_saved_usd_total{route="faq",kind="exact"}'] == "1.5"
    assert shown['interchange_cache_saved_usd_total{route="faq",kind="semantic"}'] == "0.25"
    assert shown['interchange_cache_unpriced_hits_total{route="faq",kind="coalesced"}'] == "1"
    assert shown['interchange_cache_similarity_bucket{route="faq",le="0.94"}'] == "0"
    assert shown['interchange_cache_similarity_bucket{route="faq",le="0.96"}'] == "1"
    assert not [name for name in shown if 'outcome="off"' in name]


def test_prompts_written_to_a_cache_in_vain_are_a_loss() -> None:
    metrics = PrometheusMetrics()
    for number, saved in enumerate((-3_000_000_000, 1_000_000_000, None)):
        tried = attempt(f"req_{number}", 0, prompt_cache_saved_nano_usd=saved)
        metrics.observe(usage_event(number, attempts=(tried,)))

    assert page(metrics)['interchange_prompt_cache_saved_usd{provider="acme",model="small"}'] == "-2"
