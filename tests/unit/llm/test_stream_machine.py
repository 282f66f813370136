"""The life of a stream, as laws over any order of events a provider may send."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    Finished,
    Opened,
    Phase,
    Pinged,
    StreamEvent,
    StreamMachine,
    Terminated,
    UsageReported,
)
from domain.llm.usage import Usage

BROKEN = Failure(kind=FailureKind.NETWORK, message="the connection was cut")
CONTENT = st.builds(Delta, st.sampled_from(ContentKind), st.text(max_size=5))
EVENTS = st.one_of(
    CONTENT,
    st.just(Opened()),
    st.builds(UsageReported, st.builds(Usage, st.integers(0, 9), st.integers(0, 9))),
    st.builds(Finished, st.sampled_from(["stop", "length", "tool_calls"])),
    st.just(Terminated()),
    st.just(Pinged()),
    st.just(Faulted(BROKEN)),
)
STREAMS = st.lists(EVENTS, max_size=12)


def fed(*events: StreamEvent, keep_text: bool = False) -> StreamMachine:
    machine = StreamMachine(keep_text=keep_text)
    for event in events:
        machine.feed(event)
    return machine


@settings(max_examples=200)
@given(STREAMS)
def test_once_something_was_said_no_other_target_may_answer(events: list[StreamEvent]) -> None:
    machine = StreamMachine()
    for event in events:
        could = machine.may_fail_over
        machine.feed(event)
        assert could or not machine.may_fail_over, "the way back never opens again"
        assert not (machine.committed and machine.may_fail_over)


@settings(max_examples=200)
@given(STREAMS)
def test_an_end_is_an_end(events: list[StreamEvent]) -> None:
    machine = StreamMachine()
    for event in events:
        before = machine.phase
        machine.feed(event)
        if before is Phase.FINISHED:
            assert machine.complete
        if before is Phase.INTERRUPTED:
            assert machine.phase is Phase.INTERRUPTED, "what broke does not become whole"


@settings(max_examples=200)
@given(STREAMS)
def test_a_stream_is_complete_only_when_the_provider_said_so(events: list[StreamEvent]) -> None:
    machine = fed(*events)
    if machine.complete:
        assert machine.finish_reason is not None or (machine.terminated and machine.committed)
    machine.interrupt()
    assert machine.phase in (Phase.FINISHED, Phase.INTERRUPTED)


@settings(max_examples=200)
@given(STREAMS)
def test_the_last_count_of_usage_holds_even_after_the_end(events: list[StreamEvent]) -> None:
    counts = [event.usage for event in events if isinstance(event, UsageReported)]
    assert fed(*events).usage == (counts[-1] if counts else None)


@settings(max_examples=100)
@given(STREAMS)
def test_text_is_kept_when_asked_for_and_content_is_always_counted(events: list[StreamEvent]) -> None:
    keeping, counting = fed(*events, keep_text=True), fed(*events)
    assert counting.text == ""
    assert keeping.content_chars == counting.content_chars
    ends = (Finished, Terminated, Faulted)
    said: list[Delta] = []
    for event in events:
        if isinstance(event, Delta):
            said.append(event)
        elif isinstance(event, ends) and (said or not isinstance(event, Terminated)):
            break
    assert keeping.text == "".join(one.text for one in said if one.kind is ContentKind.TEXT)
    assert keeping.content_chars == sum(len(one.text) for one in said)


def test_metadata_and_pings_do_not_commit() -> None:
    machine = fed(Opened(), Pinged())
    assert machine.may_fail_over
    assert machine.phase is Phase.WAITING


@pytest.mark.parametrize("kind", list(ContentKind))
def test_content_of_any_kind_commits(kind: ContentKind) -> None:
    assert not fed(Delta(kind, "x")).may_fail_over


def test_an_end_marker_without_content_is_a_cut() -> None:
    machine = fed(Opened(), Terminated())
    assert machine.terminated
    assert not machine.complete
    assert machine.may_fail_over


def test_an_empty_answer_with_a_reason_is_complete() -> None:
    machine = fed(Opened(), Finished("stop"))
    assert machine.complete
    assert not machine.may_fail_over


def test_a_clean_end_of_the_connection_proves_nothing() -> None:
    machine = fed(Delta(ContentKind.TEXT, "half a sen"))
    machine.interrupt(BROKEN)
    assert machine.phase is Phase.INTERRUPTED
    assert machine.failure is BROKEN


def test_the_first_failure_is_the_one_that_is_told() -> None:
    machine = fed(Faulted(BROKEN))
    machine.interrupt(Failure(kind=FailureKind.TIMEOUT, message="later"))
    assert machine.failure is BROKEN


def test_after_a_natural_finish_neither_fault_nor_interruption_counts() -> None:
    machine = fed(Delta(ContentKind.TEXT, "x"), Finished("stop"), Faulted(BROKEN))
    machine.interrupt(BROKEN)
    assert machine.complete
    assert machine.failure is None
