"""A stream says what the whole answer would, wherever it was cut, and holds back no more than it must."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from adapters.privacy.detector import PatternDetector
from adapters.wire.text_fields import DialectTexts
from adapters.wire.text_json import RunningJson, whole_json
from application.ports.text_fields import TextWork
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_RESPONSES,
    OPENAI_TRANSCRIPTIONS,
)
from application.privacy.rewriting import PolicyWork, RestoringWork
from domain.errors import PiiBlocked
from domain.privacy.kinds import PiiKind
from domain.privacy.placeholders import Placeholders
from domain.privacy.policy import BUILT_IN, EffectivePolicy, Where

TEXTS, DETECTOR = DialectTexts(), PatternDetector()
SAID = "Write to bob.stone@example.com, card 4111 1111 1111 1111 \U0001f600 \u00e9nd."
ARGUMENTS = (
    '{"to": "bob.stone\\u0040example.com", "n": [4111111111111111, 5], "x": "\\ud83d\\ude00\\n\\u00e9"}'
)
Frames = Callable[[list[str]], list[bytes]]


def event(name: str | None, **body: Any) -> bytes:
    data = b"data: " + msgspec.json.encode(body if name is None else {"type": name, **body}) + b"\n\n"
    return data if name is None else b"event: " + name.encode() + b"\n" + data


def chat(pieces: list[str]) -> list[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return event(None, id="c", model="m", choices=[{"index": 0, "delta": delta, "finish_reason": reason}])

    body = [chunk({"content": piece}) for piece in pieces]
    return [chunk({"role": "assistant", "content": ""}), *body, chunk({}, "stop"), b"data: [DONE]\n\n"]


def chat_arguments(pieces: list[str]) -> list[bytes]:
    def chunk(call: dict[str, Any] | None, reason: str | None = None) -> bytes:
        delta = {} if call is None else {"tool_calls": [{"index": 0, **call}]}
        return event(None, id="c", model="m", choices=[{"index": 0, "delta": delta, "finish_reason": reason}])

    begun = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    body = [chunk({"function": {"arguments": piece}}) for piece in pieces]
    return [chunk(begun), *body, chunk(None, "tool_calls")]


def completions(pieces: list[str]) -> list[bytes]:
    body = [
        event(None, id="c", choices=[{"index": 0, "text": each, "finish_reason": None}]) for each in pieces
    ]
    return [*body, event(None, id="c", choices=[{"index": 0, "text": "", "finish_reason": "stop"}])]


def messages(pieces: list[str], *, arguments: bool = False) -> list[bytes]:
    block = (
        {"type": "tool_use", "id": "t", "name": "f", "input": {}}
        if arguments
        else {"type": "text", "text": ""}
    )
    kind, name = ("input_json_delta", "partial_json") if arguments else ("text_delta", "text")
    body = [event("content_block_delta", index=0, delta={"type": kind, name: piece}) for piece in pieces]
    return [
        event("message_start", message={"id": "msg_1", "model": "m", "content": []}),
        event("content_block_start", index=0, content_block=block),
        *body,
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}),
        event("message_stop"),
    ]


def gemini(pieces: list[str]) -> list[bytes]:
    def chunk(text: str, **more: Any) -> bytes:
        return event(None, candidates=[{"content": {"role": "model", "parts": [{"text": text}]}, **more}])

    return [*(chunk(piece) for piece in pieces), chunk("", finishReason="STOP")]


def responses(pieces: list[str], *, arguments: bool = False) -> list[bytes]:
    text, whole = "response.function_call_arguments" if arguments else "response.output_text", "".join(pieces)
    place = (
        {"item_id": "i", "output_index": 0}
        if arguments
        else {"item_id": "i", "output_index": 0, "content_index": 0}
    )
    part = {"type": "output_text", "text": whole, "annotations": []}
    item: dict[str, Any] = {"type": "message", "id": "i", "role": "assistant", "content": [part]}
    if arguments:
        item = {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": whole}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": {"id": "r", "output": []}}),
        *((f"{text}.delta", {**place, "delta": piece}) for piece in pieces),
        (f"{text}.done", {**place, "arguments" if arguments else "text": whole}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": {"id": "r", "output": [item]}}),
    ]
    return [event(name, sequence_number=number, **body) for number, (name, body) in enumerate(bodies)]


def transcription(pieces: list[str]) -> list[bytes]:
    body = [event("transcript.text.delta", delta=piece) for piece in pieces]
    return [*body, event("transcript.text.done", text="".join(pieces))]


STREAMS: dict[str, tuple[str, Frames, str]] = {
    "chat": (OPENAI_CHAT, chat, SAID),
    "chat arguments": (OPENAI_CHAT, chat_arguments, ARGUMENTS),
    "completions": (OPENAI_COMPLETIONS, completions, SAID),
    "messages": (ANTHROPIC_MESSAGES, messages, SAID),
    "messages arguments": (ANTHROPIC_MESSAGES, lambda pieces: messages(pieces, arguments=True), ARGUMENTS),
    "gemini": (GEMINI_GENERATE, gemini, SAID),
    "responses": (OPENAI_RESPONSES, responses, SAID),
    "responses arguments": (OPENAI_RESPONSES, lambda pieces: responses(pieces, arguments=True), ARGUMENTS),
    "transcription": (OPENAI_TRANSCRIPTIONS, transcription, SAID),
}


def work(policy: str = "tokenise") -> PolicyWork:
    return PolicyWork(EffectivePolicy([BUILT_IN[policy]]), DETECTOR, Placeholders(b"key"), answer=True)


def passed(dialect: str, frames: Iterable[bytes], doing: TextWork) -> list[bytes]:
    running = TEXTS.stream(dialect, doing)
    return [*(running.feed(frame).raw for frame in frames), running.end().raw]


def bodies(frames: Iterable[bytes]) -> list[dict[str, Any]]:
    lines = b"".join(frames).split(b"\n")
    return [msgspec.json.decode(line[6:]) for line in lines if line.startswith(b"data: {")]


def said_in(value: Any) -> str:
    """Every piece of a stream in its order; what repeats a whole is left out."""
    if isinstance(value, list):
        return "".join(map(said_in, value))
    if not isinstance(value, dict) or str(value.get("type", "")).endswith(("done", "completed", "created")):
        return ""
    told = [
        value[name] for name in ("text", "content", "arguments", "partial_json", "delta") if name in value
    ]
    inner = [
        said_in(value[name])
        for name in ("choices", "candidates", "parts", "tool_calls", "function")
        if name in value
    ]
    return "".join([*(each if isinstance(each, str) else said_in(each) for each in told), *inner])


@pytest.mark.parametrize("name", STREAMS)
def test_every_place_to_cut_a_stream_at_gives_the_same(name: str) -> None:
    dialect, frames, text = STREAMS[name]
    is_json = text is ARGUMENTS
    doing = work()
    expected = (
        whole_json(text, doing, Where.TOOL_ARGUMENTS, "") if is_json else doing.whole(text, Where.ANSWERS, "")
    )
    assert "bob" not in expected
    for at in range(len(text) + 1):
        for pieces in ([text[:at], text[at:]], [text[:at], text[at : at + 3], text[at + 3 :]]):
            doing = work()
            out = passed(dialect, frames(pieces), doing)
            assert b"bob.stone" not in b"".join(out)
            assert b"4111" not in b"".join(out)
            _same(said_in(bodies(out)), expected, is_json)
            back = passed(dialect, out, RestoringWork(doing.placeholders))
            if not is_json:
                assert said_in(bodies(back)) == text
            else:
                restored = msgspec.json.decode(said_in(bodies(back)))
                assert restored["to"] == "bob.stone@example.com"


def _same(said: str, expected: str, is_json: bool) -> None:
    if is_json:
        assert msgspec.json.decode(said) == msgspec.json.decode(expected)
    else:
        assert said == expected


@pytest.mark.parametrize("name", STREAMS)
def test_characters_one_by_one_give_the_same_too(name: str) -> None:
    dialect, frames, text = STREAMS[name]
    doing = work()
    out = passed(dialect, frames(list(text)), doing)
    assert b"bob.stone" not in b"".join(out)
    back = said_in(bodies(passed(dialect, out, RestoringWork(doing.placeholders))))
    if text is SAID:
        assert back == text
    else:
        assert msgspec.json.decode(back)["x"] == "\U0001f600\n\u00e9"


@pytest.mark.parametrize("name", STREAMS)
def test_frames_without_findings_keep_their_bytes(name: str) -> None:
    dialect, frames, text = STREAMS[name]
    plain = (
        ['{"a": "', "words ", 'of some sort "', "}"] if text is ARGUMENTS else ["Some words. ", "And more. "]
    )
    sent = frames(plain)
    for doing in (work(), RestoringWork(Placeholders(b"key"))):
        assert passed(dialect, sent, doing) == [*sent, b""] or text is ARGUMENTS
        assert said_in(bodies(passed(dialect, sent, doing))) == "".join(plain)


@pytest.mark.parametrize("repeats", ["responses", "responses arguments", "transcription"])
def test_frames_that_repeat_a_text_say_what_its_pieces_said(repeats: str) -> None:
    dialect, frames, text = STREAMS[repeats]
    out = bodies(passed(dialect, frames([text[:17], text[17:40], text[40:]]), work()))
    done = next(body for body in out if body["type"].endswith(("text.done", "arguments.done")))
    whole: str = done["text"] if "text" in done else done["arguments"]
    assert (
        msgspec.json.decode(whole) == msgspec.json.decode(said_in(out))
        if text is ARGUMENTS
        else whole == said_in(out)
    )
    assert not any("bob" in str(body) for body in out)
    numbers = [body["sequence_number"] for body in out if "sequence_number" in body]
    assert numbers == list(range(len(numbers)))


def test_what_is_held_goes_out_before_the_frame_that_ends_it() -> None:
    out = bodies(passed(ANTHROPIC_MESSAGES, messages(["to bob.stone@example.com"]), work("redact")))
    kinds = [body["type"] for body in out]
    assert kinds.index("content_block_stop") > max(
        place for place, body in enumerate(out) if body["type"] == "content_block_delta"
    )
    out = bodies(passed(OPENAI_CHAT, chat(["to bob.stone@example.com"]), work("redact")))
    assert out[-1]["choices"][0]["finish_reason"] == "stop"
    assert said_in(out) == "to <EMAIL_ADDRESS>"


def test_a_stream_that_ends_without_a_reason_still_says_everything() -> None:
    for dialect, frames in ((OPENAI_CHAT, chat), (GEMINI_GENERATE, gemini), (ANTHROPIC_MESSAGES, messages)):
        cut = [frame for frame in frames(["card 4111 1111", " 1111 1111"]) if b"stop" not in frame.lower()]
        cut = [frame for frame in cut if b"DONE" not in frame]
        assert said_in(bodies(passed(dialect, cut, work("redact")))) == "card <CREDIT_CARD>"


def test_only_the_open_end_of_a_text_is_held_back() -> None:
    running = TEXTS.stream(OPENAI_CHAT, work())
    first, *_ = chat(["Hello "])[1:]
    assert running.feed(first).raw == first


def test_choices_and_calls_have_texts_of_their_own() -> None:
    def chunk(index: int, text: str, reason: str | None = None) -> bytes:
        return event(None, choices=[{"index": index, "delta": {"content": text}, "finish_reason": reason}])

    frames = [chunk(0, "a bob.stone"), chunk(1, "b eve"), chunk(0, "@example.com"), chunk(1, "@example.com"),
              chunk(0, "", "stop"), chunk(1, "", "stop")]  # fmt: skip
    out = bodies(passed(OPENAI_CHAT, frames, work("redact")))
    for index, letter in ((0, "a"), (1, "b")):
        texts = [
            choice["delta"]["content"]
            for body in out
            for choice in body["choices"]
            if choice["index"] == index
        ]
        assert "".join(texts) == f"{letter} <EMAIL_ADDRESS>"


def test_signed_thoughts_go_through_and_are_refused_only_where_their_kinds_are_blocked() -> None:
    frames = [
        event(
            "content_block_start",
            index=0,
            content_block={"type": "thinking", "thinking": "", "signature": ""},
        ),
        *(
            event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": piece})
            for piece in ("about bob.stone", "@example", ".com now")
        ),
        event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "QUJD"}),
        event("content_block_stop", index=0),
    ]
    assert passed(ANTHROPIC_MESSAGES, frames, work()) == [*frames, b""]
    with pytest.raises(PiiBlocked, match="EMAIL_ADDRESS"):
        passed(ANTHROPIC_MESSAGES, frames, work("block"))


def test_a_blocked_kind_ends_a_stream_before_it_is_said() -> None:
    running = TEXTS.stream(OPENAI_CHAT, work("block"))
    frames = chat(["to bob.st", "one@example.com", " now"])
    told: list[bytes] = []
    with pytest.raises(PiiBlocked):
        told += [running.feed(frame).raw for frame in frames]
    assert b"bob" not in b"".join(told)


def test_placeholders_are_found_wherever_they_are_cut_and_without_their_brackets() -> None:
    own = Placeholders(b"key")
    token = own.stand_for(PiiKind.PASSWORD, 'a"b@example.com', reversible=True)
    for spelt in (token, token[1:-1]):
        text = f"To {spelt}: HELLO <b>EM_x</b> {spelt}"
        for at in range(len(text) + 1):
            out = passed(OPENAI_CHAT, chat([text[:at], text[at:]]), RestoringWork(own))
            assert said_in(bodies(out)) == text.replace(spelt, 'a"b@example.com')
    arguments = f'{{"to": "{token}"}}'
    for at in range(len(arguments) + 1):
        running = RunningJson(RestoringWork(own), Where.TOOL_ARGUMENTS, "")
        said = running.feed(arguments[:at]) + running.feed(arguments[at:]) + running.end()
        assert msgspec.json.decode(said) == {"to": 'a"b@example.com'}
