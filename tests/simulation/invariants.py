"""What holds after every run, whatever the seed. Each check tells one promise; `check_all` runs them."""

from collections import Counter, defaultdict
from itertools import pairwise

from adapters.memory.scripted_llm import ScriptedCall
from application.attempt import RATE_LIMIT_COOL_DOWN_S
from domain.llm.failures import FailureKind
from tests.simulation.virtual_time import MONOTONIC_START_S
from tests.simulation.weather import canonical, text_of, usage_of
from tests.simulation.world import (
    RETRY_FLOOR_PER_S,
    RETRY_RATIO,
    RETRY_WINDOW_S,
    TIMEOUTS,
    Outcome,
)

_GRAIN_S = 1e-6


def check_all(outcome: Outcome) -> None:
    """Raises AssertionError for the first broken promise."""
    for check in CHECKS:
        check(outcome)


def every_request_is_recorded_once(outcome: Outcome) -> None:
    recorded = Counter(event.request_id for event in outcome.observed)
    assert recorded == Counter(f"req_{caller.number}" for caller in outcome.callers)
    assert set(outcome.log.requests) == set(recorded)


def every_call_has_one_row(outcome: Outcome) -> None:
    calls = Counter(call.request_id for call in outcome.calls)
    rows = Counter(row.request_id for row in outcome.log.attempts.values())
    assert calls == rows, {
        name: (calls[name], rows[name]) for name in calls | rows if calls[name] != rows[name]
    }


def nothing_is_left_behind(outcome: Outcome) -> None:
    assert outcome.pipeline.in_flight == 0
    assert [provider.in_flight for provider in outcome.providers] == [0, 0]
    assert all(call.outcome != "open" for call in outcome.calls)
    for state in outcome.live.targets:
        assert state.in_flight == 0
        assert state.breaker._probes_live == 0, "a probe's slot is never lost"


def nobody_waits_past_the_deadline(outcome: Outcome) -> None:
    for caller in outcome.callers:
        limit_s = TIMEOUTS.stream_total_s if caller.stream else TIMEOUTS.total_s
        assert caller.took_s <= limit_s + _GRAIN_S, (caller.number, caller.took_s)


def an_answer_that_ended_well_is_whole(outcome: Outcome) -> None:
    calls = _by_request(outcome)
    for caller in outcome.callers:
        if caller.outcome != "ok":
            continue
        job = caller.job
        assert job is not None and job.answered_by is not None
        wanted = text_of(caller.number, job.answered_by.model)
        if job.continued and calls[job.request_id][-1].continue_from is not None:
            assert canonical(caller.heard) == canonical(wanted), caller
        else:
            assert caller.heard == wanted, caller
        assert caller.finishes == 1, caller


def what_was_heard_is_never_wrong(outcome: Outcome) -> None:
    """Also of an answer that broke: what arrived is the beginning of the whole."""
    for caller in outcome.callers:
        assert canonical(text_of(caller.number, "any")).startswith(canonical(caller.heard)), caller


def only_who_can_continue_does(outcome: Outcome) -> None:
    for call in outcome.calls:
        assert call.continue_from is None or call.target.offering.prefill


def nobody_is_asked_sooner_than_wanted(outcome: Outcome) -> None:
    closed_until: dict[str, float] = defaultdict(float)
    told: list[tuple[float, str, float]] = []
    for call in outcome.calls:
        failure = call.failure
        if failure is None or call.ended_s is None:
            continue
        if failure.retry_after_s is not None:
            told.append((call.ended_s, call.target.id, failure.retry_after_s))
        elif failure.kind is FailureKind.RATE_LIMIT:
            told.append((call.ended_s, call.target.id, RATE_LIMIT_COOL_DOWN_S))
    told.sort()
    for call in outcome.calls:
        while told and told[0][0] < call.started_s - _GRAIN_S:
            ended_s, target, rest_s = told.pop(0)
            closed_until[target] = max(closed_until[target], ended_s + rest_s)
        assert call.started_s >= closed_until[call.target.id] - _GRAIN_S, call


def retries_keep_their_budget(outcome: Outcome) -> None:
    spent = sorted(moment for calls in _by_request(outcome).values() for moment in _retries(calls))
    began = sorted(
        caller.at_s + MONOTONIC_START_S for caller in outcome.callers if caller.outcome != "refused"
    )
    for place, moment in enumerate(spent):
        first = moment - RETRY_WINDOW_S
        retries = sum(first < one <= moment for one in spent[: place + 1])
        requests = sum(first <= one <= moment for one in began)
        assert retries <= RETRY_RATIO * requests + RETRY_FLOOR_PER_S * RETRY_WINDOW_S + _GRAIN_S


def who_answered_is_billed(outcome: Outcome) -> None:
    for event in outcome.observed:
        costs = [row.cost_nano_usd for row in event.attempts]
        assert event.cost_nano_usd == sum(cost or 0 for cost in costs)
        if event.outcome != "ok":
            continue
        last = event.attempts[-1]
        assert (event.provider, event.model) == (last.provider, last.model)
        number = int(event.request_id.rpartition("_")[2])
        if not last.estimated:
            wanted = usage_of(number, last.model)
            assert (last.input_tokens, last.output_tokens) == (wanted.input_tokens, wanted.output_tokens)


def a_refused_call_costs_nothing(outcome: Outcome) -> None:
    for row in outcome.log.attempts.values():
        if row.status is not None:
            assert row.cost_nano_usd == 0


def _by_request(outcome: Outcome) -> dict[str, list[ScriptedCall]]:
    calls: dict[str, list[ScriptedCall]] = defaultdict(list)
    for call in outcome.calls:
        calls[call.request_id].append(call)
    return calls


def _retries(calls: list[ScriptedCall]) -> list[float]:
    """When a request's repeats of one target were decided; another way to it, or finishing a stream that
    has begun, is none."""
    moments: list[float] = []
    for earlier, later in pairwise(calls):
        if earlier.tokens:
            break
        failure = earlier.failure
        if earlier.target is later.target and failure is not None and not failure.at_gateway:
            moments.append(earlier.ended_s or 0.0)
    return moments


CHECKS = (
    every_request_is_recorded_once,
    every_call_has_one_row,
    nothing_is_left_behind,
    nobody_waits_past_the_deadline,
    an_answer_that_ended_well_is_whole,
    what_was_heard_is_never_wrong,
    only_who_can_continue_does,
    nobody_is_asked_sooner_than_wanted,
    retries_keep_their_budget,
    who_answered_is_billed,
    a_refused_call_costs_nothing,
)
