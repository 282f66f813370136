"""How integrations are judged and watched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.connectors.health import SLOW_MS, HealthCheck, HealthState, Seen, availability, judged
from domain.connectors.monitoring import METRICS, Monitoring, monitoring_of
from domain.errors import InvalidConfiguration

PLACE = ("acme", "box")
SEEN = st.one_of(
    st.builds(Seen, st.floats(0, 20_000), st.just(""), st.sampled_from(["", "tools changed"])),
    st.builds(Seen, st.floats(0, 20_000), st.just("no route"), st.just("")),
)


def walked(seen: list[Seen]) -> list[HealthCheck]:
    checks: list[HealthCheck] = []
    for at, each in enumerate(seen):
        checks.append(judged(PLACE, each, checks[-1] if checks else None, at))
    return checks


@given(st.lists(SEEN, max_size=30))
def test_two_failures_in_a_row_are_a_fact_and_one_success_ends_them(seen: list[Seen]) -> None:
    checks = walked(seen)

    for before, check, each in zip([None, *checks], checks, seen, strict=False):
        if each.error:
            assert check.failures == (before.failures if before else 0) + 1
            assert check.latency_ms is None
            assert check.up == (check.failures == 1 and before is not None)
        else:
            assert (check.failures, check.error) == (0, each.complaint)
            degraded = each.latency_ms > SLOW_MS or each.complaint
            assert check.state is (HealthState.DEGRADED if degraded else HealthState.HEALTHY)


def test_the_first_look_at_something_dead_finds_it_unhealthy() -> None:
    [check] = walked([Seen(3.0, "no route" * 1000)])

    assert check.state is HealthState.UNHEALTHY
    assert len(check.error) == 500


def test_availability_leaves_out_when_nobody_looked() -> None:
    checks = walked([Seen(1.0), Seen(1.0, "x"), Seen(1.0, "x"), Seen(1.0)])
    paused = HealthCheck(*PLACE, 9, HealthState.MAINTENANCE)

    assert availability([*checks, paused]) == 0.75
    assert availability([paused]) is None


def test_what_is_not_said_about_monitoring_is_usual() -> None:
    assert monitoring_of({}) == Monitoring(enabled=True, interval_s=60.0, metrics=frozenset(METRICS))
    assert monitoring_of({"enabled": False, "interval_s": 5, "metrics": ["pool"]}) == Monitoring(
        enabled=False, interval_s=5.0, metrics=frozenset({"pool"})
    )


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"enabled": "yes"}, "monitoring.enabled"),
        ({"interval_s": 4}, "monitoring.interval_s"),
        ({"interval_s": True}, "monitoring.interval_s"),
        ({"interval_s": float("inf")}, "monitoring.interval_s"),
        ({"metrics": ["heat"]}, "monitoring.metrics"),
        ({"metrics": "pool"}, "monitoring.metrics"),
        ({"colour": 1}, "monitoring.colour"),
    ],
)
def test_what_monitoring_cannot_mean_is_named(said: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        monitoring_of(said)

    assert refused.value.param == param


@given(st.floats(5, 86_400), st.floats(0, 1), st.booleans())
def test_looks_come_about_when_they_should(interval_s: float, draw: float, failed: bool) -> None:
    monitoring = Monitoring(interval_s=interval_s)

    next_s = monitoring.next_check_s(failed_once=failed, draw=draw)

    period_s = 5.0 if failed else interval_s
    assert period_s * 0.899 <= next_s <= period_s * 1.101
