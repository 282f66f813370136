"""Finishing a cut answer: every character once, or an explicit refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.llm.continuation import (
    ECHO_CHARS_MIN,
    REPEATED_CHARS_MIN,
    Aligner,
    ContinuationMode,
    Emit,
    Misaligned,
)

PREFILL, RESTART = ContinuationMode.PREFILL, ContinuationMode.RESTART
TEXTS = st.text(alphabet="ab \n", max_size=60)


def told(aligner: Aligner, text: str, cuts: list[int]) -> str | Misaligned:
    """What the caller gets of a fallback's text that arrives in these pieces."""
    emitted = ""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        outcome = aligner.feed(text[begin:end])
        if isinstance(outcome, Misaligned):
            return outcome
        emitted += outcome.text
    last = aligner.end()
    return last if isinstance(last, Misaligned) else emitted + last.text


@st.composite
def in_pieces(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> tuple[str, list[int]]:
    text = draw(texts)
    return text, sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))


@given(arriving=in_pieces(), at=st.integers(0, 60))
def test_a_restart_with_the_same_text_is_told_exactly_once(arriving: tuple[str, list[int]], at: int) -> None:
    text, cuts = arriving
    sent = text[:at]
    assert told(Aligner(sent, RESTART), text, cuts) == text[len(sent) :]


@given(sent=st.text(alphabet="ab ", min_size=1, max_size=30), arriving=in_pieces())
def test_a_restart_with_another_text_is_refused(sent: str, arriving: tuple[str, list[int]]) -> None:
    text, cuts = arriving
    outcome = told(Aligner(sent, RESTART), text, cuts)
    if text.startswith(sent):
        assert outcome == text[len(sent) :]
    else:
        assert isinstance(outcome, Misaligned)


@given(words=st.lists(st.integers(0, 9999), min_size=1, max_size=30, unique=True), data=st.data())
def test_a_continuation_is_told_exactly_once_wherever_the_answer_broke(
    words: list[int], data: st.DataObject
) -> None:
    whole = " ".join(f"word{number:04d}" for number in words)
    at = data.draw(st.integers(1, len(whole)))
    sent = whole[:at]
    rest = whole[len(sent.rstrip()) :]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rest)), max_size=6)))
    assert told(Aligner(sent, PREFILL), rest, cuts) == whole[at:]


@given(words=st.lists(st.integers(0, 9999), min_size=3, max_size=30, unique=True), data=st.data())
def test_an_echo_of_everything_is_cut_away(words: list[int], data: st.DataObject) -> None:
    whole = " ".join(f"word{number:04d}" for number in words)
    at = data.draw(st.integers(ECHO_CHARS_MIN + 1, len(whole)))
    sent = whole[:at]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    assert told(Aligner(sent, PREFILL), whole, cuts) == whole[at:]


@given(again=st.integers(REPEATED_CHARS_MIN, 20), data=st.data())
def test_an_echo_of_the_end_alone_is_refused_and_nothing_of_it_is_told(
    again: int, data: st.DataObject
) -> None:
    sent, rest = "One two three, four five six.", " Seven eight."
    text = sent[-again:] + rest
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    aligner = Aligner(sent, PREFILL)
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        outcome = aligner.feed(text[begin:end])
        if isinstance(outcome, Misaligned):
            return
        assert outcome == Emit("")
    pytest.fail("the repetition was not noticed")


@given(sent=TEXTS, arriving=in_pieces())
def test_a_prefill_never_loses_a_character_of_the_new_text(
    sent: str, arriving: tuple[str, list[int]]
) -> None:
    text, cuts = arriving
    aligner = Aligner(sent, PREFILL)
    owed = sent[len(sent.rstrip()) :]
    outcome = told(aligner, text, cuts)
    if isinstance(outcome, Misaligned):
        assert any(
            text.startswith(sent.rstrip()[-length:]) for length in range(REPEATED_CHARS_MIN, len(sent) + 1)
        )
        return
    new = text
    if len(sent.rstrip()) >= ECHO_CHARS_MIN and text.startswith(sent.rstrip()):
        new = text[len(sent.rstrip()) :]
    assert new.endswith(outcome)
    assert owed.startswith(new[: len(new) - len(outcome)]), "only white space that is there already is cut"


def test_white_space_the_caller_has_is_not_told_twice_in_however_many_pieces() -> None:
    aligner = Aligner("one\n\n", PREFILL)
    assert aligner.prefix == "one"
    assert [aligner.feed(piece) for piece in ("\n", "\n", "two")] == [Emit(""), Emit(""), Emit("two")]


def test_a_short_likeness_of_the_beginning_is_no_echo() -> None:
    aligner = Aligner("The quick brown fox jumps.", PREFILL)
    assert aligner.feed("The q") == Emit("")
    assert aligner.end() == Emit("The q")


def test_a_short_prefix_is_never_taken_for_an_echo() -> None:
    assert Aligner("Ha", PREFILL).feed("Ha ha") == Emit("Ha ha")


def test_a_restart_that_ends_too_soon_is_refused() -> None:
    aligner = Aligner("one two", RESTART)
    assert aligner.feed("one") == Emit("")
    assert isinstance(aligner.end(), Misaligned)
