"""When the same tool call over and over is a loop."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.guards.conversation_tail import ConversationTail, ToolCall
from domain.guards.forgiven import Forgiven, evidence_of
from domain.guards.repeated_calls import RepeatedCallRule, mark_of, repeated_call
from domain.guards.steps import STEPS_MARK, alone_too_long

RULE = RepeatedCallRule(times=3, window=5)


def call(name: str, turn: int, result: bytes | None = b"same") -> ToolCall:
    """A call in a turn of its own; messages of calls and results alternate."""
    return ToolCall(name, name.encode(), result, 2 * turn, turn)


def tail(*names: str) -> ConversationTail:
    calls = tuple(call(name, turn) for turn, name in enumerate(names))
    return ConversationTail(calls, (), 2 * len(calls))


def test_a_call_made_often_enough_is_a_loop_and_once_less_is_none() -> None:
    assert repeated_call(RULE, tail("a", "b", "a")) is None

    found = repeated_call(RULE, tail("a", "b", "a", "a"))

    assert found is not None and (found.call.name, found.times) == ("a", 3)


def test_an_agent_that_went_on_to_something_else_is_not_judged_by_its_past() -> None:
    assert repeated_call(RULE, tail("a", "a", "a", "b")) is None


def test_calls_outside_the_window_do_not_count() -> None:
    assert repeated_call(RULE, tail("a", "a", "b", "c", "d", "e", "a")) is None


def test_exempt_tools_are_neither_judged_nor_in_the_window() -> None:
    patient = RepeatedCallRule(times=3, window=3, exempt=frozenset({"wait"}))

    assert repeated_call(patient, tail("wait", "wait", "wait", "wait")) is None
    assert repeated_call(patient, tail("a", "wait", "a", "wait", "a")) is not None


def test_another_result_is_another_call_where_that_is_asked_for() -> None:
    strict = RepeatedCallRule(times=3, window=9, same_result=True)
    polling = tuple(call("poll", turn, b"%d" % turn) for turn in range(8))
    stuck = tuple(call("poll", turn, b"no") for turn in range(3))
    pending = tuple(call("poll", turn, None) for turn in range(3))

    assert repeated_call(strict, ConversationTail(polling, (), 16)) is None
    assert repeated_call(strict, ConversationTail(stuck, (), 6)) is not None
    assert repeated_call(strict, ConversationTail(pending, (), 6)) is None


def test_calls_made_at_once_are_judged_together() -> None:
    calls = (*tail("a", "a").calls, call("b", 2), ToolCall("a", b"a", b"same", 4, 2))

    found = repeated_call(RULE, ConversationTail(calls, (), 6))

    assert found is not None and found.call.name == "a"


def test_what_a_stop_was_made_for_does_not_count_again() -> None:
    looped = tail("a", "a", "a")
    found = repeated_call(RULE, looped)
    assert found is not None
    forgiven = Forgiven.by([evidence_of(mark_of(found.call), looped.messages)])

    assert repeated_call(RULE, looped, forgiven) is None
    assert repeated_call(RULE, tail(*"aaaaa"), forgiven) is None
    again = repeated_call(RULE, tail(*"aaaaaa"), forgiven)
    assert again is not None and again.times == 3, "the window holds five, of which three are new"
    assert repeated_call(RULE, tail(*"bbb"), forgiven) is not None, "another call was not forgiven"


def test_a_shorter_conversation_is_another_one_and_nothing_of_it_is_forgiven() -> None:
    forgiven = Forgiven.by([evidence_of(b"a".hex(), 100)])

    assert repeated_call(RULE, tail("a", "a", "a"), forgiven) is not None


def test_evidence_that_cannot_be_read_forgives_nothing() -> None:
    forgiven = Forgiven.by(["", "@", "x@", "@5", "61@-1", "61@²", "steps@4"])

    assert forgiven.since("61", 100) == 0
    assert forgiven.since("steps", 100) == 4


def test_steps_without_the_user_are_counted_and_forgiven() -> None:
    alone = ConversationTail((), (1, 3, 5), 6)

    assert alone_too_long(3, alone)
    assert not alone_too_long(4, alone)
    assert not alone_too_long(2, alone, Forgiven.by([evidence_of(STEPS_MARK, 5)]))


@given(
    names=st.lists(st.sampled_from("abc"), max_size=30),
    times=st.integers(2, 6),
    window=st.integers(2, 12),
)
@settings(max_examples=200, deadline=None)
def test_it_is_a_loop_exactly_when_the_last_call_is_often_enough_in_the_window(
    names: list[str], times: int, window: int
) -> None:
    rule = RepeatedCallRule(times=times, window=window)
    seen = names[-window:]

    found = repeated_call(rule, tail(*names))

    assert (found is not None) == (bool(seen) and seen.count(seen[-1]) >= times)
    if found is not None:
        assert (found.call.name, found.times) == (seen[-1], seen.count(seen[-1]))


@given(names=st.lists(st.sampled_from("ab"), min_size=1, max_size=30), forgiven=st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_forgiving_never_makes_a_loop_of_what_was_none(names: list[str], forgiven: int) -> None:
    merciful = Forgiven.by([evidence_of(mark.encode().hex(), forgiven) for mark in "ab"])

    if repeated_call(RULE, tail(*names), merciful) is not None:
        assert repeated_call(RULE, tail(*names)) is not None
