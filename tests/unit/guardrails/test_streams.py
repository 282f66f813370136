"""Answers in frames: wherever they are cut, what is denied never leaves, and nothing else is lost."""

import asyncio
import json
from collections.abc import Iterable

import pytest

from adapters.privacy.detector import PatternDetector
from adapters.wire.text_fields import DialectTexts
from application.guardrails.checking import Outcome
from application.guardrails.streams import HELD_BYTES_MAX, HeldBytes, HeldStream, WatchedStream
from application.guardrails.windows import WindowStream, WindowWork
from application.ports.llm import Block
from application.ports.wire import OPENAI_CHAT
from domain.errors import GuardrailBlocked, GuardrailUnavailable, StreamCut
from domain.guardrails.regular import regular
from domain.guardrails.terms import (
    Action,
    Guardrail,
    Kind,
    PatternRule,
    Rule,
    SecretRule,
    SizeRule,
    StreamMode,
    TextSeen,
    Verdict,
)
from domain.llm.stream import ContentKind, Delta
from domain.privacy.policy import Where

KEY = "sk-proj-" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA" * 2
TEXTS = DialectTexts()
DETECTOR = PatternDetector()
DONE = b"data: [DONE]\n\n"


class Frames:
    """A stream of chats with these pieces."""

    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, pieces: Iterable[str], error: Exception | None = None) -> None:
        self._blocks = [Block(frame(piece), (Delta(ContentKind.TEXT, piece),)) for piece in pieces]
        self._blocks.append(Block(frame("", "stop") + DONE, ()))
        self._error = error
        self.closed = 0

    async def next_block(self) -> Block | None:
        if self._error is not None and len(self._blocks) == 1:
            raise self._error
        return self._blocks.pop(0) if self._blocks else None

    def close(self) -> None:
        self.closed += 1


def frame(piece: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": piece} if piece else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def said(raw: bytes) -> str:
    lines = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: {")]
    return "".join(
        choice["delta"].get("content") or "" for line in lines for choice in json.loads(line)["choices"]
    )


def guardrail(rule: Rule, kind: Kind = Kind.PATTERNS) -> Guardrail:
    return Guardrail(
        name="g", kind=kind, rule=rule, where=frozenset({Where.ANSWERS}), action=Action.BLOCK,
        stream=StreamMode.WINDOW,
    )  # fmt: skip


def windowed(pieces: Iterable[str], rule: Rule) -> tuple[str, bool]:
    """What leaves, and whether it ended with a refusal."""
    work = WindowWork([guardrail(rule)], DETECTOR, lambda *_: None)
    stream = WindowStream(Frames(pieces), TEXTS.stream(OPENAI_CHAT, work))
    out: list[bytes] = []

    async def run() -> bool:
        try:
            while (block := await stream.next_block()) is not None:
                out.append(block.raw)
        except GuardrailBlocked:
            return True
        return False

    refused = asyncio.run(run())
    assert refused != (DONE in b"".join(out))
    return said(b"".join(out)), refused


RULE = PatternRule(deny=(regular(r"\bproject\s+zeus\b"), regular(r"[A-Z]{2}\d{6}")))


@pytest.mark.parametrize("denied", ["Project  Zeus", "AB123456", "project\u200b zeus"])
def test_a_match_never_leaves_wherever_it_is_cut(denied: str) -> None:
    text = f"I may say that {denied} is late, and a good deal more of it afterwards."
    for place in range(len(text) + 1):
        left, refused = windowed([text[:place], text[place:]], RULE)
        assert refused
        assert text.startswith(left)
        assert len(left) <= text.index(denied)
    left, refused = windowed(text, RULE)
    assert refused
    assert len(left) <= text.index(denied)


def test_a_secret_never_leaves_wherever_it_is_cut() -> None:
    text = f"The key is {KEY} as you know."
    for place in range(0, len(text) + 1, 3):
        left, refused = windowed([text[:place], text[place:]], SecretRule())
        assert refused
        assert "sk-" not in left


@pytest.mark.parametrize("text", ["", "x", "project zeusful", "the last words are project", "AB12345"])
def test_what_only_begins_like_a_match_leaves_whole(text: str) -> None:
    assert windowed(text, RULE) == (text, False)
    assert windowed([text], RULE) == (text, False)
    assert windowed(text, SecretRule()) == (text, False)


def test_a_match_at_the_very_end_is_refused() -> None:
    left, refused = windowed("It is project zeus", RULE)
    assert refused
    assert "project" not in left


def test_sizes_end_a_stream_at_the_bound() -> None:
    assert windowed(["one two ", "thr", "ee"], SizeRule(words_max=3)) == ("one two three", False)
    left, refused = windowed(["one two ", "thr", "ee", " four"], SizeRule(words_max=3))
    assert refused
    assert left == "one two three"


async def drained(stream: HeldStream | WatchedStream) -> bytes:
    out = []
    while (block := await stream.next_block()) is not None:
        out.append(block.raw)
    return b"".join(out)


async def test_what_is_held_leaves_as_it_came_once_it_was_checked() -> None:
    seen: list[TextSeen] = []

    async def judge(texts: list[TextSeen], unread: object) -> Outcome:
        seen.extend(texts)
        return Outcome(list(texts), tuple(texts))

    frames, held = Frames("hello"), HeldBytes()
    stream = HeldStream(frames, OPENAI_CHAT, TEXTS, judge, held)
    await stream.fill()
    assert held.bytes > 0
    assert said(await drained(stream)) == "hello"
    stream.close()
    stream.close()
    assert held.bytes == 0
    assert [each.text for each in seen] == ["hello"]


async def test_what_is_refused_or_breaks_while_it_is_held_shows_nothing() -> None:
    async def refuse(texts: list[TextSeen], unread: object) -> Outcome:
        outcome = Outcome(list(texts), tuple(texts), [Verdict("g", Action.BLOCK, "deny 1 matches")])
        outcome.refuse(answer=True)
        return outcome

    held = HeldBytes()
    for frames, error in ((Frames("hello"), GuardrailBlocked), (Frames("h", StreamCut("cut")), StreamCut)):
        with pytest.raises(error):
            await HeldStream(frames, OPENAI_CHAT, TEXTS, refuse, held).fill()
        assert frames.closed
        assert held.bytes == 0


async def test_what_is_held_is_bounded() -> None:
    async def judge(texts: list[TextSeen], unread: object) -> Outcome:
        raise AssertionError("was not to be asked")

    held = HeldBytes()
    with pytest.raises(GuardrailBlocked, match="too long"):
        await HeldStream(Frames(["x" * HELD_BYTES_MAX]), OPENAI_CHAT, TEXTS, judge, held).fill()
    held.bytes = 256 * 1024 * 1024
    with pytest.raises(GuardrailUnavailable):
        await HeldStream(Frames("hello"), OPENAI_CHAT, TEXTS, judge, held).fill()


async def test_what_is_only_watched_leaves_at_once_and_is_told_at_the_end() -> None:
    seen: list[str] = []

    async def judge(texts: list[TextSeen], unread: object) -> Outcome:
        seen.extend(each.text for each in texts)
        return Outcome(list(texts), tuple(texts))

    stream = WatchedStream(Frames(["hel", "lo"]), OPENAI_CHAT, TEXTS, judge)
    first = await stream.next_block()
    assert first is not None
    assert said(first.raw) == "hel"
    assert not seen
    await drained(stream)
    assert seen == ["hello"]
