"""What holds of kept answers after every run, whatever the seed."""

from collections import Counter
from collections.abc import Iterator

from adapters.embeddings.hashing import HashingEmbedder
from domain.caching.invalidation import InvalidationKind, read_radius
from domain.caching.vectors import cosine
from tests.simulation.cache_process import UNHEARD_S
from tests.simulation.cache_world import (
    HEARD_WITHIN_S,
    POLICIES,
    Asker,
    CacheOutcome,
    Declared,
    ProviderCall,
    has_heard,
)
from tests.simulation.money_invariants import check_money
from tests.simulation.questions import read_said

_PAID_BY_NOBODY = ("hit-l1", "hit-l2", "hit-semantic", "hit-coalesced")
_CUT_OFF_S = UNHEARD_S + 2.0
"""After so long not even a process that hears nothing serves what was taken out."""
_LATE_S = 1.0
_LEARNED_WITHIN_S = 60.0


def check_caches(outcome: CacheOutcome) -> None:
    """Raises AssertionError for the first broken promise."""
    for check in CACHE_CHECKS:
        check(outcome)
    check_money(outcome)


def answered(outcome: CacheOutcome) -> Iterator[tuple[Asker, ProviderCall]]:
    """Everybody who heard an answer, with the call that gave it."""
    for asker in outcome.askers:
        said = read_said(asker.text)
        if said is not None:
            yield asker, outcome.calls[said.call]


def nobody_hears_another_tenants_answer(outcome: CacheOutcome) -> None:
    for asker, call in answered(outcome):
        assert call.tenant_id == asker.tenant_id, (asker, call)
        assert call.route == asker.route, (asker, call)


def whoever_is_answered_hears_all_of_one_answer(outcome: CacheOutcome) -> None:
    for asker in outcome.askers:
        if asker.outcome == "ok":
            said = read_said(asker.text)
            assert said is not None, asker
            assert asker.text == outcome.calls[said.call].text, asker


def nothing_taken_out_is_served_to_whoever_asks_later(outcome: CacheOutcome) -> None:
    """Neither where it was heard of, nor anywhere after the time for which a process may be deaf."""
    for asker, call in answered(outcome):
        if outcome.events.get(asker.request_id) is None:
            continue
        for declared in outcome.declared:
            if call.started_s >= declared.began_s or not _meant(declared, call):
                continue
            radius = declared.rule.kind is InvalidationKind.RADIUS
            if radius and _unread(outcome, call):
                continue
            knows = has_heard(asker.heard, declared.position)
            if radius:  # found and taken out beside requests
                knows = knows and asker.began_s > declared.at_s + HEARD_WITHIN_S
            late = asker.began_s > declared.at_s + _CUT_OFF_S
            assert not (knows or late), (declared, asker, call, outcome.events[asker.request_id][0].cache)


def _meant(declared: Declared, call: ProviderCall) -> bool:
    kind, tenant_id, value, _ = declared.rule
    if tenant_id and tenant_id != call.tenant_id:
        return False
    match kind:
        case InvalidationKind.TAG:
            return value in call.tags
        case InvalidationKind.ROUTE:
            return value == call.route
        case InvalidationKind.MODEL:
            return value == call.model
        case InvalidationKind.PROMPT:
            return call.question.text.casefold().startswith(value.casefold())
        case InvalidationKind.RADIUS:
            return POLICIES[call.route].mode.looks_for_similar and _near(declared, call)
    return True


def _near(declared: Declared, call: ProviderCall) -> bool:
    vectors = [HashingEmbedder()._vector(text) for text in (declared.near, call.question.text)]
    return cosine(*vectors) >= read_radius(declared.rule.value).similarity


def _unread(outcome: CacheOutcome, call: ProviderCall) -> bool:
    """Whether its question may never have become a vector, so that no radius can find it."""
    return any(
        text == call.question.text and 0 <= at_s - call.started_s <= _LEARNED_WITHIN_S
        for at_s, text in outcome.unread
    )


def every_process_hears_in_time(outcome: CacheOutcome) -> None:
    assert not outcome.unheard, outcome.unheard[:3]


def nothing_is_served_past_its_time(outcome: CacheOutcome) -> None:
    for asker, call in answered(outcome):
        policy = POLICIES[asker.route]
        longest_s = policy.ttl_s + max(policy.stale_s, policy.stale_if_error_s)
        took_s = 40.0  # a whole answer of the slowest call
        assert asker.began_s - call.started_s <= longest_s + took_s + _LATE_S, (asker, call)


def only_similar_questions_are_answered_from_others(outcome: CacheOutcome) -> None:
    """Which is where wrong answers may come from, on routes that accept them."""
    for asker, call in answered(outcome):
        if call.question.text == asker.question.text:
            continue
        (event,) = outcome.events[asker.request_id]
        assert POLICIES[asker.route].mode.looks_for_similar, (asker, call)
        assert event.cache in ("hit-semantic", "hit-coalesced"), (event.cache, asker, call)
        outcome.wrong[asker.route] += call.question.meaning != asker.question.meaning


def every_request_has_one_event_and_one_row(outcome: CacheOutcome) -> None:
    begun = {asker.request_id for asker in outcome.askers if asker.request_id}
    begun |= {call.request_id for call in outcome.calls}
    for request_id in begun - outcome.lost:
        told = outcome.events.get(request_id, ())
        assert len(told) == 1, (request_id, len(told))
        assert request_id in outcome.rows.rows, request_id
    twice = [request_id for request_id, told in outcome.events.items() if len(told) > 1]
    assert not twice, twice[:3]


def every_call_is_an_attempt_of_one_event(outcome: CacheOutcome) -> None:
    calls = Counter(call.request_id for call in outcome.calls)
    for request_id, (event, *_) in outcome.events.items():
        assert calls[request_id] == len(event.attempts), (request_id, calls[request_id], event.attempts)


def whoever_is_answered_again_pays_nothing(outcome: CacheOutcome) -> None:
    for request_id, (event, *_) in outcome.events.items():
        if event.cache not in _PAID_BY_NOBODY or event.outcome != "ok":
            continue
        assert not event.attempts, (request_id, event.cache)
        assert event.cost_nano_usd == 0, (request_id, event.cost_nano_usd)
        assert request_id not in {name.partition(".")[0] for name in outcome.bill.by_attempt}


def what_hits_save_is_what_the_answer_cost(outcome: CacheOutcome) -> None:
    for asker, call in answered(outcome):
        (event,) = outcome.events.get(asker.request_id, (None,))
        paid = outcome.events.get(call.request_id)
        if event is None or paid is None or event.cache not in _PAID_BY_NOBODY or event.outcome != "ok":
            continue
        assert event.saved_nano_usd == paid[0].cost_nano_usd, (event.cache, asker, call)


def bills_add_up(outcome: CacheOutcome) -> None:
    """Wherever a provider counted, its bill is what the event says, to the nano-dollar."""
    counted = 0
    for event in outcome.rows.rows.values():
        for attempt in event.attempts:
            if attempt.outcome == "ok" and not attempt.estimated:
                assert attempt.cost_nano_usd == outcome.bill.by_attempt[attempt.attempt_id], attempt
                counted += 1
    assert counted, "no bill was compared"


def nothing_is_left_running(outcome: CacheOutcome) -> None:
    assert not outcome.still_running, outcome.still_running[:5]


CACHE_CHECKS = (
    nobody_hears_another_tenants_answer,
    whoever_is_answered_hears_all_of_one_answer,
    nothing_taken_out_is_served_to_whoever_asks_later,
    every_process_hears_in_time,
    nothing_is_served_past_its_time,
    only_similar_questions_are_answered_from_others,
    every_request_has_one_event_and_one_row,
    every_call_is_an_attempt_of_one_event,
    whoever_is_answered_again_pays_nothing,
    what_hits_save_is_what_the_answer_cost,
    bills_add_up,
    nothing_is_left_running,
)
