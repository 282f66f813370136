"""Live state: what an operator and the present allow, and what survives a new table."""

import pytest

from domain.resilience.breaker import BreakerPolicy, BreakerState
from domain.routing.filters import DropReason
from domain.routing.health import HealthPolicy, HealthState
from domain.routing.live import LiveState
from tests.unit.routing._world import live_of, open_breaker, table_of, target


def test_a_fresh_target_is_usable() -> None:
    state = live_of(table_of(target("a/b"))).targets[0]
    assert state.usable(0.0)
    assert state.why_not(0.0) is None
    assert state.back_after_s(0.0) == 0.0


def test_each_cause_has_its_reason() -> None:
    live = live_of(table_of(target("a/b")))
    state = live.targets[0]
    state.cool_down(5.0)
    assert (state.why_not(0.0), state.back_after_s(0.0)) == (DropReason.COOLING_DOWN, 5.0)
    open_breaker(live, 0, 10.0)
    assert (state.why_not(10.0), state.back_after_s(10.0)) == (DropReason.BREAKER_OPEN, 30.0)
    for _ in range(10):
        state.provider.health.record(False, 1.0, 20.0)
    assert (state.why_not(20.0), state.back_after_s(20.0)) == (DropReason.UNHEALTHY, 30.0)
    state.provider.health.force(HealthState.MAINTENANCE)
    assert (state.why_not(20.0), state.back_after_s(20.0)) == (DropReason.MAINTENANCE, None)
    state.provider.disabled = True
    assert (state.why_not(20.0), state.back_after_s(20.0)) == (DropReason.DISABLED, None)


@pytest.mark.parametrize(
    ("forced", "usable"),
    [
        (HealthState.HEALTHY, True),
        (HealthState.DEGRADED, True),
        (HealthState.UNHEALTHY, False),
        (HealthState.UNAVAILABLE, False),
        (HealthState.MAINTENANCE, False),
    ],
)
def test_an_operators_verdict_admits_or_not_whatever_traffic_says(forced: HealthState, usable: bool) -> None:
    state = live_of(table_of(target("a/b"))).targets[0]
    for _ in range(20):
        state.provider.health.record(False, 1.0, 0.0)
    state.provider.health.force(forced)
    assert state.usable(0.0) is usable


def test_targets_of_one_provider_share_its_state() -> None:
    live = live_of(table_of(target("a/b"), target("a/c"), target("d/e")))
    live.providers["a"].disabled = True
    assert [state.usable(0.0) for state in live.targets] == [False, False, True]


def test_a_new_table_keeps_states_by_id_and_forgets_what_is_gone() -> None:
    old_table = table_of(target("a/gone"), target("a/kept"))
    old = live_of(old_table)
    open_breaker(old, 1, 0.0)
    old.targets[1].in_flight = 3
    old.providers["a"].disabled = True
    new = LiveState.carry_over(old, table_of(target("x/new"), target("a/kept")))
    assert new.targets[1] is old.targets[1]
    assert new.of("a/kept") is old.of("a/kept")
    assert new.of("a/gone") is None
    assert new.providers["a"].disabled
    assert new.targets[1].breaker.state(0.0) is BreakerState.OPEN
    assert new.targets[0].breaker.policy == old.targets[1].breaker.policy


def test_a_changed_policy_makes_a_new_breaker_and_keeps_the_rest() -> None:
    table = table_of(target("a/b"))
    old = live_of(table)
    open_breaker(old, 0, 0.0)
    old.targets[0].in_flight = 2
    old.providers["a"].health.force(HealthState.DEGRADED)
    policy, health = BreakerPolicy(open_s=1.0), HealthPolicy(minimum_samples=3)
    new = LiveState(table, breaker_policies={"a": policy}, health_policy=health, old=old)
    assert new.targets[0].breaker.state(0.0) is BreakerState.CLOSED
    assert new.targets[0].breaker.policy is policy
    assert new.targets[0].in_flight == 2
    assert new.providers["a"].health.policy is health
    assert new.providers["a"].health.forced is HealthState.DEGRADED


def test_a_targets_own_breaker_policy_goes_before_its_providers() -> None:
    own, shared = BreakerPolicy(open_s=2.0), BreakerPolicy(open_s=3.0)
    live = LiveState(table_of(target("a/b"), target("a/c")), breaker_policies={"a": shared, "a/c": own})
    assert [state.breaker.policy for state in live.targets] == [shared, own]


def test_latency_predictions_of_a_large_route_are_gathered_at_most_once_a_second() -> None:
    table = table_of(*(target(f"p/{n}") for n in range(120)))
    live, members = live_of(table), table.members(table.resolve("auto"))
    assert live.quick_enough(members, 100, 0.0) == members.mask
    for _ in range(10):
        live.targets[7].latency.observe(5.0, 0.1)
    assert live.quick_enough(members, 100, 0.5) == members.mask
    assert live.quick_enough(members, 100, 1.0) == members.mask & ~(1 << 7)
    assert live.quick_enough(members, 10_000, 1.0) == members.mask
