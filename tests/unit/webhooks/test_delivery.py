"""The life of a delivery, by its rules and under any order of events."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.errors import InvalidConfiguration
from domain.webhooks.delivery import (
    Attempt,
    Delivery,
    DeliveryState,
    Outcome,
    outcome_of_status,
    parse_delivery_id,
)
from domain.webhooks.endpoint import Endpoint, EndpointState, EndpointTerms
from domain.webhooks.filter import EventFilter
from domain.webhooks.health import WELL, FailureRun
from domain.webhooks.pace import Pace
from domain.webhooks.schedule import RETRY_AFTER_S_MAX, WAITS_S, Schedule

S = 1_000_000
HOUR_S = 3600.0
SCHEDULE = Schedule(waits_s=(0, 5, 60))
outcomes = st.sampled_from([each for each in Outcome if each is not Outcome.EXPIRED])
draws = st.floats(0, 1, exclude_max=True)


class DeliveryMachine(RuleBasedStateMachine):
    """Several holders lease, settle, release and die; whatever they do, an open delivery can be leased again,
    and only whoever holds it now changes it."""

    @initialize()
    def begin(self) -> None:
        self.now_us = 1
        self.delivery = Delivery(endpoint_id="wh_a", seq=1, tenant_id="acme", topic="t", due_at_us=1)
        self.leases: list[Delivery] = []
        self.settled_by: list[int] = []

    @rule(seconds=st.integers(0, 100))
    def wait(self, seconds: int) -> None:
        self.now_us += seconds * S

    @precondition(lambda self: self.delivery.may_be_leased(self.now_us))
    @rule()
    def lease(self) -> None:
        self.delivery = self.delivery.leased(self.now_us, 60)
        self.leases.append(self.delivery)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=outcomes, draw=draws, retry_after=st.none() | st.floats(0, 1e9))
    def settle(self, data: st.DataObject, outcome: Outcome, draw: float, retry_after: float | None) -> None:
        mine = data.draw(st.sampled_from(self.leases))
        if not self.delivery.is_held(mine.fence):
            return
        attempt = Attempt(outcome, self.now_us, 1, None, retry_after)
        self.delivery = mine.after(attempt, self.now_us, SCHEDULE, draw=draw)
        self.settled_by.append(mine.fence)
        waits_s = (self.delivery.due_at_us - self.now_us) / S
        assert 0 <= waits_s <= max(RETRY_AFTER_S_MAX, 60) * 1.1 + 1
        if outcome is Outcome.DELIVERED:
            assert self.delivery.state is DeliveryState.DELIVERED

    @precondition(lambda self: self.delivery.state is DeliveryState.LEASED)
    @rule()
    def release(self) -> None:
        self.delivery = self.delivery.released(self.now_us)

    @rule()
    def replay(self) -> None:
        before = self.delivery
        self.delivery = before.replayed(self.now_us)
        if before.state is DeliveryState.LEASED:
            assert self.delivery == before
        else:
            assert self.delivery.may_be_leased(self.now_us) and self.delivery.attempts == 0

    @invariant()
    def it_is_open_or_settled(self) -> None:
        assert self.delivery.state.is_open == (self.delivery.settled_at_us is None)
        assert self.delivery.attempts <= len(SCHEDULE.waits_s)

    @invariant()
    def nobody_settles_twice_under_one_fence(self) -> None:
        assert len(set(self.settled_by)) == len(self.settled_by)
        assert self.settled_by == sorted(self.settled_by)

    @invariant()
    def an_open_one_can_be_leased_sooner_or_later(self) -> None:
        if self.delivery.state.is_open:
            assert self.delivery.may_be_leased(self.delivery.due_at_us)


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_what_is_not_due_is_not_leased() -> None:
    held = Delivery(endpoint_id="wh_a", seq=1, tenant_id="a", topic="t", due_at_us=5).leased(5, 60)
    with pytest.raises(ValueError, match="not due"):
        held.leased(5 + 59 * S)
    assert held.leased(5 + 60 * S).fence == 2


@pytest.mark.parametrize("outcome", [Outcome.GONE, Outcome.TOO_LARGE])
def test_what_can_never_arrive_is_not_tried_again(outcome: Outcome) -> None:
    held = Delivery(endpoint_id="wh_a", seq=1, tenant_id="a", topic="t").leased(0)
    after = held.after(Attempt(outcome, 0, 0), 0, SCHEDULE, draw=0)
    assert after.state is DeliveryState.DEAD


@given(status=st.integers(100, 599))
def test_only_2xx_is_a_success(status: int) -> None:
    assert (outcome_of_status(status) is Outcome.DELIVERED) == (200 <= status < 300)
    assert (outcome_of_status(status) is Outcome.REDIRECT) == (300 <= status < 400)
    assert (outcome_of_status(status) is Outcome.GONE) == (status == 410)


@given(attempts=st.integers(0, 12), draw=draws, retry_after=st.none() | st.floats(-5, 1e12))
def test_waits_are_those_of_the_schedule_drawn_out_a_little(
    attempts: int, draw: float, retry_after: float | None
) -> None:
    wait_s = Schedule().wait_s(attempts, draw=draw, retry_after_s=retry_after)

    if attempts >= len(WAITS_S):
        assert wait_s is None
        return
    assert wait_s is not None
    floor_s = max(WAITS_S[attempts], min(retry_after or 0, RETRY_AFTER_S_MAX))
    assert floor_s <= wait_s <= floor_s * 1.1


@pytest.mark.parametrize(
    "said",
    [
        {"waits_s": ()},
        {"waits_s": (0.0,) * 33},
        {"waits_s": (-1.0,)},
        {"jitter_share": 2},
        {"retry_after_s_max": -1},
    ],
)
def test_a_schedule_that_is_none_is_refused(said: dict[str, float]) -> None:
    with pytest.raises(InvalidConfiguration):
        Schedule(**said)  # type: ignore[arg-type]


def test_ids_of_deliveries_lead_back_to_their_events() -> None:
    delivery = Delivery(endpoint_id="wh_file_a_b", seq=42, tenant_id="a", topic="t")
    assert parse_delivery_id("wh_file_a_b", delivery.delivery_id) == 42
    for other in ("", "whd_file_a_b_", "whd_file_a_b_٣", "whd_file_a_b_-1", "whd_x_42", "9" * 30):
        assert parse_delivery_id("wh_file_a_b", other) is None


def endpoint(**said: object) -> Endpoint:
    return Endpoint(
        endpoint_id="wh_a",
        tenant_id="a",
        terms=EndpointTerms(url="https://e.com"),
        **said,  # type: ignore[arg-type]
    )


def test_five_days_of_only_failures_disable_an_endpoint() -> None:
    """The clock starts with failures twelve hours apart within a day."""
    now_s, failing = 0.0, endpoint()
    for _ in range(400):
        failing = failing.after(Outcome.HTTP, now_s)
        if failing.state is EndpointState.DISABLED:
            break
        now_s += HOUR_S
    assert now_s == 12 * HOUR_S + 5 * 24 * HOUR_S
    assert "5 days" in failing.reason


def test_one_success_ends_a_run_of_failures() -> None:
    failing = endpoint().after(Outcome.TIMEOUT, 0).after(Outcome.TIMEOUT, 13 * HOUR_S)
    assert failing.failing.clock_since_s == 13 * HOUR_S
    assert failing.after(Outcome.DELIVERED, 14 * HOUR_S).failing == WELL


def test_failures_far_apart_are_no_run() -> None:
    run = FailureRun().failed(0).failed(25 * HOUR_S)
    assert run == FailureRun(25 * HOUR_S, None)
    assert not run.is_over(1e12)


def test_what_was_never_sent_says_nothing_about_an_endpoint() -> None:
    well = endpoint()
    assert well.after(Outcome.TOO_LARGE, 0) is well
    assert well.after(Outcome.DELIVERED, 0) is well
    off = replace(well, state=EndpointState.DISABLED)
    assert off.after(Outcome.HTTP, 0) is off


@pytest.mark.parametrize(
    ("types", "equals", "wanted"),
    [
        (("*",), {}, True),
        (("cost.*",), {}, True),
        (("key.*",), {}, False),
        (("key.*", "cost.budget_alert"), {}, True),
        (("*",), {"period": "day"}, True),
        (("*",), {"period": "day", "hard": True}, True),
        (("*",), {"hard": 1}, False),
        (("*",), {"share": 0.5}, True),
        (("*",), {"inner.deep": None}, True),
        (("*",), {"inner.missing": None}, False),
        (("*",), {"inner": "x"}, False),
        (("*",), {"period.day": "x"}, False),
    ],
)
def test_a_filter_wants_types_and_values(
    types: tuple[str, ...], equals: dict[str, str | float | bool | None], wanted: bool
) -> None:
    data = {"period": "day", "hard": True, "share": 0.5, "inner": {"deep": None}}
    assert EventFilter(types=types, equals=equals).wants("cost.budget_alert", data) is wanted


@given(rate=st.floats(0.5, 50), gaps=st.lists(st.floats(0, 2), max_size=60))
@settings(max_examples=60)
def test_a_pace_lets_no_more_through_than_its_rate_and_a_burst(rate: float, gaps: list[float]) -> None:
    pace, now_s, begun = Pace(rate), 0.0, 0
    for gap in gaps:
        now_s += gap
        room = pace.room(now_s)
        assert room >= 0
        if room:
            pace.took(now_s, room)
            begun += room
    assert begun <= rate * now_s + max(1.0, rate) + 1e-6
