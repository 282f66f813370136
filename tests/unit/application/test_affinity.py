"""The memory of conversations: who is known, what an answer teaches, how it is shared and bounded."""

from typing import Any

import pytest

from adapters.memory.affinity import InMemoryAffinityStore
from adapters.memory.system import SteppingClock
from application.affinity import AffinityBook, explain_outcome, moved_from
from application.job import Attribution, Job
from domain.analytics.event import AttemptEvent
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest, Operation
from domain.routing.conversation import KEPT, MOVED, Conversation, Verdict
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.role import local_operator
from domain.time import Deadline
from tests.unit.routing._talks import IMPLICIT, MARKED, cached_target, caching
from tests.unit.routing._world import live_of, table_of

TABLE = table_of(
    cached_target("a/m", caching(3.0), IMPLICIT), cached_target("b/m", caching(3.0, write=4.0), MARKED)
)
A, B = TABLE.targets


def request(body: bytes = b"{}", operation: Operation = Operation.CHAT) -> LlmRequest:
    return LlmRequest(operation=operation, dialect="openai.chat", model="auto", body=body)


def book(store: InMemoryAffinityStore, clock: SteppingClock, **more: Any) -> AffinityBook:
    return AffinityBook(store, lambda asked: asked.body, clock, **more)


def attempt(target: Any = A, outcome: str = "ok", **counts: Any) -> AttemptEvent:
    blank: dict[str, Any] = {
        name: "" if kind is str else 0 for name, kind in AttemptEvent.__annotations__.items()
    }
    blank.update(provider=target.provider, model=target.model, outcome=outcome, estimated=False, **counts)
    return AttemptEvent(**blank)


def job(conversation: Conversation | None, *attempts: AttemptEvent, answered: Any = A) -> Job:
    route = Route(name="auto", targets=())
    return Job(
        request_id="req_1",
        principal=local_operator(),
        request=request(),
        requirements=Requirements(),
        plan=Plan(route, (A, B), (), "balanced", 2, Verdict(KEPT, "a/m: warm")),
        attribution=Attribution(),
        started=0.0,
        started_at_us=0,
        deadline=Deadline(1e9),
        attempts=list(attempts),
        answered_by=answered,
        conversation=conversation,
    )


def told(
    memory: AffinityBook, tenant: str = "t", route: str = "r", session: str = "", **more: Any
) -> Conversation:
    found = memory.recall(tenant, route, session, request(more.pop("body", b'{"say": 1}')))
    assert found is not None
    return found


def test_what_was_answered_is_known_at_the_next_turn() -> None:
    clock = SteppingClock()
    memory = book(InMemoryAffinityStore(), clock)
    first = told(memory)
    assert first.places == ()

    memory.answered(job(first, attempt(input_tokens=9000, cached_read_tokens=128)), live_of(TABLE))

    (place,) = told(memory).places
    assert (place.target_id, place.prefix_tokens, place.cached_tokens) == ("a/m", 9000, 128)


def test_tenants_routes_and_sessions_are_worlds_of_their_own() -> None:
    memory = book(InMemoryAffinityStore(), SteppingClock())
    memory.answered(job(told(memory), attempt(input_tokens=9000)), live_of(TABLE))

    assert told(memory).places
    assert not told(memory, tenant="other").places
    assert not told(memory, route="other").places
    assert not told(memory, session="s").places
    assert told(memory, session="s", body=b"1").key == told(memory, session="s", body=b"2").key
    assert told(memory, session="x", body=b"1").key != told(memory, session="", body=b"x").key


def test_what_is_no_conversation_is_not_remembered() -> None:
    memory = book(InMemoryAffinityStore(), SteppingClock())
    assert memory.recall("t", "r", "s", request(operation=Operation.EMBEDDINGS)) is None
    assert memory.recall("t", "r", "", request(b"")) is None
    for unsuccessful in (attempt(outcome="server_error"), attempt(outcome="cancelled")):
        memory.answered(job(told(memory), unsuccessful), live_of(TABLE))
    memory.answered(job(told(memory)), live_of(TABLE))
    assert not told(memory).places


def test_answers_teach_how_warm_a_target_keeps_within_its_time_to_live() -> None:
    clock, live = SteppingClock(), live_of(TABLE)
    memory = book(InMemoryAffinityStore(), clock)
    memory.answered(job(told(memory), attempt(input_tokens=10_000)), live)
    learned = live.targets[0].caching
    assert learned.rate(0.5) == 0.5

    clock.advance(10)
    memory.answered(job(told(memory), attempt(input_tokens=12_000, cached_read_tokens=10_000)), live)
    assert learned.rate(0.5) == pytest.approx(3 / 5)
    clock.advance(10)
    memory.answered(job(told(memory), attempt(input_tokens=12_000)), live)
    assert learned.rate(0.5) == pytest.approx(3 / 6)
    clock.advance(2000)
    memory.answered(job(told(memory), attempt(input_tokens=12_000)), live)
    assert learned.rate(0.5) == pytest.approx(3 / 6), "what has expired teaches nothing"


def test_a_target_that_caches_by_mark_learns_only_from_marked_requests() -> None:
    live = live_of(TABLE)
    memory = book(InMemoryAffinityStore(), SteppingClock())
    marked, plain = b'{"cache_control": 1}', b"{}"
    for body in (marked, plain):
        for read in (0, 8000):
            done = attempt(B, input_tokens=9000, cached_read_tokens=read, cache_write_tokens=8000 - read)
            memory.answered(job(told(memory, body=body), done, answered=B), live)
    assert live.targets[1].caching.rate(0.5) == pytest.approx(3 / 5)
    assert told(memory, body=marked).marked and not told(memory, body=plain).marked


def test_a_long_lived_cache_stays_long_while_it_is_only_read() -> None:
    memory, live = book(InMemoryAffinityStore(), SteppingClock()), live_of(TABLE)
    memory.answered(job(told(memory), attempt(B, cache_write_long_tokens=5000), answered=B), live)
    memory.answered(job(told(memory), attempt(B, cached_read_tokens=5000), answered=B), live)
    assert told(memory).places[0].long


async def test_another_instance_and_a_restart_know_it_too() -> None:
    store, clock = InMemoryAffinityStore(), SteppingClock()
    here, there = book(store, clock), book(store, clock)
    here.answered(job(told(here), attempt(input_tokens=9000)), live_of(TABLE))
    assert not told(there).places

    await here.refresh()
    await there.refresh()
    after = book(store, clock)
    await after.load()

    assert told(there).places == told(after).places == told(here).places


async def test_a_store_that_is_away_costs_nothing_but_sharing() -> None:
    store, clock = InMemoryAffinityStore(), SteppingClock()
    memory = book(store, clock)
    store.reachable = False
    memory.answered(job(told(memory), attempt(input_tokens=9000)), live_of(TABLE))
    with pytest.raises(StoreUnavailable):
        await memory.refresh()
    assert told(memory).places
    store.reachable = True
    await memory.refresh()

    assert len((await store.changes(0, limit=10)).rows) == 1


async def test_memory_and_store_are_bounded_and_forget_the_old() -> None:
    store, clock = InMemoryAffinityStore(), SteppingClock()
    memory = book(store, clock, conversations_max=10)
    for number in range(25):
        body = str(number).encode()
        memory.answered(job(told(memory, body=body), attempt(input_tokens=9000)), live_of(TABLE))
    assert not told(memory, body=b"3").places
    assert told(memory, body=b"24").places
    await memory.refresh()
    clock.advance(24 * 3600)
    await memory.forget_old()
    assert (await store.changes(0, limit=100)).rows == []


def test_a_failover_in_the_request_is_told_as_a_move() -> None:
    memory = book(InMemoryAffinityStore(), SteppingClock())
    memory.answered(job(told(memory), attempt(input_tokens=9000)), live_of(TABLE))
    failed = attempt(outcome="server_error")
    done = job(told(memory), failed, attempt(B), answered=B)

    explain_outcome(done)

    assert (done.affinity, done.reason) == (MOVED, "b/m: a/m failed (server_error)")
    planned = job(told(memory), attempt())
    explain_outcome(planned)
    assert (planned.affinity, planned.reason) == (KEPT, "a/m: warm")


def test_a_call_knows_of_another_account_that_answered_before() -> None:
    memory = book(InMemoryAffinityStore(), SteppingClock())
    memory.answered(job(told(memory), attempt(input_tokens=9000)), live_of(TABLE))
    known = job(told(memory))
    assert moved_from(known, A) == ""
    assert moved_from(known, B) == "a/m"
    assert moved_from(job(None), B) == ""
