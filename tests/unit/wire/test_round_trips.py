"""What survives the way into another family's shape and back: everything, property-tested."""

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire import anthropic, anthropic_writer, openai_pivot
from adapters.wire.anthropic import AnthropicReader
from adapters.wire.openai_pivot import ChatReader
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Started,
    StreamPiece,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.sse import SseSplitter
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
)
from contracts.ports.stream_rules import assert_valid_stream, frames_of
from domain.llm.stream import ContentKind, Finished, StreamMachine
from domain.llm.usage import Usage
from tests.unit.wire.calls import call
from tests.unit.wire.test_translated_answers import ANTHROPIC_STREAM, STOP, run

TEXT, REASONING = ContentKind.TEXT, ContentKind.REASONING


_WORDS = st.text(alphabet='ab é"\\\n{}', min_size=1, max_size=12)
_CALLS = st.lists(
    st.tuples(_WORDS, st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)), max_size=3
)
_USAGE = st.builds(
    lambda fresh, read, written, out, thought: Usage(
        fresh + read + written, out + thought, read, written, reasoning_tokens=thought
    ),
    *[st.integers(0, 10**6)] * 5,
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    calls = tuple(
        ToolCall(f"c{i}", name, json.dumps(arguments, separators=(",", ":")))
        for i, (name, arguments) in enumerate(draw(_CALLS))
    )
    reason = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    choice = Choice(0, draw(_WORDS), draw(st.just("") | _WORDS), tool_calls=calls, finish_reason=reason)
    return Answer("msg_1", "m", (choice,), draw(_USAGE), 7)


def _meaning(answer: Answer) -> Any:
    choice = answer.choices[0]
    calls = [(c.id, c.name, json.loads(c.arguments)) for c in choice.tool_calls]
    return choice._replace(tool_calls=()), calls


@given(answer=answers())
@settings(max_examples=60)
def test_an_answer_survives_both_shapes(answer: Answer) -> None:
    there = anthropic.read_answer(anthropic_writer.write_answer(answer))
    back = openai_pivot.read_answer(openai_pivot.write_answer(there))
    assert _meaning(back) == _meaning(there) == _meaning(answer)
    assert back.usage is not None and answer.usage is not None and there.usage is not None
    assert back.usage == there.usage == answer.usage


def _pieces(answer: Answer, sizes: list[int]) -> list[StreamPiece]:
    """The answer cut into pieces of the given sizes."""
    choice = answer.choices[0]
    pieces: list[StreamPiece] = [Started("msg_1", "m")]
    size = max(1, sum(sizes) % 5)
    for kind, text in ((REASONING, choice.reasoning), (TEXT, choice.text)):
        pieces += [Piece(0, kind, text[i : i + size]) for i in range(0, len(text), size)]
    for number, made in enumerate(choice.tool_calls):
        pieces.append(ToolStarted(0, number, made.id, made.name))
        text = made.arguments
        pieces += [ToolArguments(0, number, text[i : i + size]) for i in range(0, len(text), size)]
    return [*pieces, ChoiceEnded(0, choice.finish_reason)]


def _read_back(reader: AnthropicReader | ChatReader, raw: bytes) -> list[StreamPiece]:
    frames = SseSplitter().feed(raw)
    return [piece for frame in frames for piece in reader.read(frame.event, frame.data or b"")]


def _folded(pieces: list[StreamPiece]) -> tuple[str, str, list[Any], str]:
    text, thought, reason = "", "", ""
    calls: dict[int, list[str]] = {}
    for piece in pieces:
        match piece:
            case Piece(_, kind, more):
                text, thought = (text + more, thought) if kind is TEXT else (text, thought + more)
            case ToolStarted(_, number, call_id, name):
                calls[number] = [call_id, name, ""]
            case ToolArguments(_, number, more):
                calls[number][2] += more
            case ChoiceEnded(_, reason):
                pass
    return text, thought, [(i, n, json.loads(a or "{}")) for i, n, a in calls.values()], reason


@given(answer=answers(), sizes=st.lists(st.integers(1, 5), max_size=3))
@settings(max_examples=60)
def test_a_stream_survives_both_shapes(answer: Answer, sizes: list[int]) -> None:
    pieces = _pieces(answer, sizes)
    for dialect, reader in ((ANTHROPIC_MESSAGES, AnthropicReader()), (OPENAI_CHAT, ChatReader())):
        asked = call(dialect, stream=True)
        writer = (
            anthropic_writer.AnthropicWriter(asked)
            if dialect == ANTHROPIC_MESSAGES
            else openai_pivot.ChatWriter(asked)
        )
        raw = b"".join(writer.write(piece) for piece in pieces) + writer.finish(answer.usage)
        assert_valid_stream(dialect, raw, (Finished("stop"),))
        found = _read_back(reader, raw)
        assert _folded(found) == _folded(pieces)
        if dialect == ANTHROPIC_MESSAGES:
            counted = [piece.usage for piece in found if isinstance(piece, Counted)]
            assert counted[-1] == answer.usage
        assert writer.finish(answer.usage) == b""


@given(
    cuts=st.lists(st.integers(0, 3000), max_size=4),
    dialect=st.sampled_from([OPENAI_CHAT, ANTHROPIC_MESSAGES]),
)
@settings(max_examples=40)
def test_a_translated_stream_does_not_depend_on_how_it_was_cut(cuts: list[int], dialect: str) -> None:
    whole = ANTHROPIC_STREAM + STOP
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = [whole[a:b] for a, b in itertools.pairwise(edges)]
    block, expected = run(dialect, ANTHROPIC_MESSAGES, *parts), run(dialect, ANTHROPIC_MESSAGES, whole)
    assert block.events == expected.events
    timeless = [{**frame.data, "created": 0} for frame in frames_of(block.raw)]
    assert timeless == [{**frame.data, "created": 0} for frame in frames_of(expected.raw)]
    machine = StreamMachine()
    for found in block.events:
        machine.feed(found)
    assert machine.complete and machine.terminated
