"""Counters folded from events, as Prometheus reads them."""

from typing import Any

from adapters.telemetry.metrics import PrometheusMetrics
from adapters.telemetry.tenants import TenantCounts
from application.ports.telemetry import Gauge
from contracts.metrics import SERIES_MAX
from contracts.ports.usage import attempt, usage_event
from domain.caching.effect import EFFECTS


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


def test_sums_beyond_the_precision_of_a_float_are_written_whole() -> None:
    metrics = PrometheusMetrics()
    dear = 2**53 + 1
    for number in range(3):
        metrics.observe(usage_event(number, attempts=(attempt(f"req_{number}", 0, cost_nano_usd=dear),)))

    assert page(metrics)['interchange_cost_nano_usd_total{provider="acme",model="small"}'] == str(3 * dear)


def test_seconds_since_1970_keep_their_digits() -> None:
    shown = page(
        PrometheusMetrics(), Gauge("interchange_tls_certificate_expiry_seconds", "", (((), 1.79e9 + 1),))
    )

    assert shown["interchange_tls_certificate_expiry_seconds{}"] == "1790000001"


def test_each_stage_of_a_request_has_its_time() -> None:
    metrics = PrometheusMetrics()
    metrics.observe(usage_event(1, entry_us=30, admit_us=40, cache_us=0, plan_us=200, hold_us=7, queue_us=0))
    shown = page(metrics)

    sums = {
        stage: shown[f'interchange_stage_seconds_sum{{stage="{stage}"}}']
        for stage in ("entry", "plan", "cache")
    }
    assert sums == {"entry": "3e-05", "plan": "0.0002", "cache": "0"}
    assert shown['interchange_stage_seconds_bucket{stage="plan",le="0.0001"}'] == "0"
    assert shown['interchange_stage_seconds_bucket{stage="plan",le="0.00025"}'] == "1"
    assert shown["interchange_queue_wait_seconds_count{}"] == "1"


def test_speed_is_counted_of_streams_that_tell_when_they_began() -> None:
    metrics = PrometheusMetrics()
    stream = attempt("r", 0, first_token_us=500_000, duration_us=2_500_000, output_tokens=100)
    metrics.observe(
        usage_event(1, attempts=(stream, attempt("r", 1, duration_us=9_000_000, output_tokens=7)))
    )
    shown = page(metrics)

    assert shown['interchange_generated_tokens_total{provider="acme",model="small"}'] == "100"
    assert shown['interchange_generating_seconds_total{provider="acme",model="small"}'] == "2"
    assert shown['interchange_tokens_total{provider="acme",model="small",type="output"}'] == "107"


def test_what_a_thousand_tenants_ask_for_makes_a_bounded_number_of_series() -> None:
    metrics = PrometheusMetrics(TenantCounts(places=20))
    number = 0
    for tenant in range(1000):
        for each in range(10):
            number += 1
            name = f"{tenant}-{each}"
            asked: dict[str, Any] = {"provider": f"p{name}", "model": f"m{name}"}
            tried = attempt(f"r{number}", 0, first_token_us=5, output_tokens=1, duration_us=9, **asked)
            changes: dict[str, Any] = {
                "route": f"r{name}",
                "first_token_us": 9,
                "gap_max_us": 4,
                "saved_nano_usd": 1,
            }
            changes |= {"fallbacks": 1, "breaker_skips": 1, "cache_similarity": 0.9, "checks": f"c{number}"}
            changes |= {"cache": EFFECTS[each % 9], "status": (200, 429, 500)[each % 3]}
            changes |= {"outcome": ("ok", "error", "cut", "cancelled", "refused")[each % 5]}
            changes |= {"tenant_id": f"tenant-{tenant}", "attempts": (tried,)}
            metrics.observe(usage_event(number, **asked, **changes))
            metrics.failed_over(f"p{name}", f"q{name}", "timeout")
    shown = page(metrics)

    assert len(shown) < SERIES_MAX
    tenants = [name for name in shown if name.startswith("interchange_tenant_requests_total")]
    assert len(tenants) == 21
    for counted in (
        "interchange_requests_total",
        "interchange_tenant_requests_total",
        "interchange_attempts_total",
    ):
        assert sum(int(value) for name, value in shown.items() if name.startswith(counted + "{")) == number


def test_a_tenant_that_gets_a_series_later_takes_nothing_from_the_others() -> None:
    tenants = TenantCounts(["always"], places=1)
    for name, requests in (("busy", 5), ("quiet", 2)):
        tenants.begin(name)[0] += requests
    assert tenants.families()[0].samples == {("always",): 0, ("other",): 7}

    tenants.show(tenants.candidates())
    tenants.counts["busy"][0] += 3
    tenants.counts["quiet"][0] += 1

    assert tenants.families()[0].samples == {("always",): 0, ("busy",): 3, ("other",): 8}


def test_a_tenant_that_was_not_told_of_yet_brings_its_counts_along() -> None:
    tenants = TenantCounts(places=1)
    tenants.begin("first")[0] += 5
    tenants.show(tenants.candidates())

    assert tenants.families()[0].samples == {("first",): 5, ("other",): 0}


def test_copies_for_shadows_are_in_no_figure_of_callers_requests() -> None:
    """Alerts about errors and latency are made of these: nobody was failed by a copy, and nobody waited."""
    metrics = PrometheusMetrics()
    metrics.observe(usage_event(1, outcome="ok", cache="off"))
    metrics.observe(usage_event(2, outcome="error", status=500, cache="shadow", cost_nano_usd=7))
    shown = page(metrics)
    requests = {name: value for name, value in shown.items() if name.startswith("interchange_requests_total")}
    assert list(requests.values()) == ["1"] and 'outcome="ok"' in next(iter(requests))
    counts = {n: v for n, v in shown.items() if n.startswith("interchange_request_duration_seconds_count")}
    assert {name: value for name, value in counts.items() if 'outcome="error"' in name and value != "0"} == {}
    copies = [
        v for n, v in shown.items() if n.startswith("interchange_cache_requests_total") and "shadow" in n
    ]
    assert copies == ["1"]
    attempts = [int(v) for n, v in shown.items() if n.startswith("interchange_attempts_total")]
    assert sum(attempts) == sum(len(usage_event(n).attempts) for n in (1, 2))
