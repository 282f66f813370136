"""The texts of streams: frames in, the same frames out, with what is said in them rewritten.

Each text of an answer runs through a `RunningText` of its own. What that holds back goes out with a later
frame of the same text, or in one of its own right before the frame that ends it, so no reader ever sees an
end before everything that was said.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, Final

import msgspec

from adapters.wire.sse import Frame, SseSplitter
from adapters.wire.text_json import RunningJson
from adapters.wire.text_walk import TextWalk
from application.ports.text_fields import FrameTexts, RunningText, Said, TextWork
from domain.llm.stream import ContentKind
from domain.privacy.policy import Where

Json = dict[str, Any]
_DECODER: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.encode
_DONE: Final = b"[DONE]"


class FrameRewriter(ABC):
    """What a dialect knows of its own frames. `rewrite` changes one in place and says what goes before it;
    `finish` is what is still held when the stream is over. What was said is noted in `texts`."""

    def __init__(self, work: TextWork) -> None:
        self.work = work
        self.texts: list[tuple[ContentKind, str]] = []
        self.changed = False
        self._running: dict[Hashable, RunningText] = {}
        self._masked: list[tuple[Json, str, str]] = []

    @abstractmethod
    def rewrite(self, node: Json) -> list[Json]: ...

    @abstractmethod
    def finish(self) -> list[Json]: ...

    # For those who know

    def run(
        self,
        channel: Hashable,
        node: Json,
        key: str,
        kind: ContentKind | None,
        *,
        where: Where = Where.ANSWERS,
        arguments: bool = False,
    ) -> None:
        """Sends the piece at `key` through its text, and puts what is certain in its place."""
        running = self._running.get(channel)
        if running is None:
            work = self.work
            running = RunningJson(work, where, key) if arguments else work.running(where, key)
            self._running[channel] = running
        piece = node[key]
        said = running.feed(piece)
        if said != piece:
            self.changed = True
        if said and kind is not None:
            self.texts.append((kind, said))
        self.mask(node, key, said)

    def mask(self, node: Json, key: str, said: str) -> None:
        """Keeps a piece that is done with away from `rest`, which puts it in its place again."""
        node[key] = None
        self._masked.append((node, key, said))

    def tail(self, channel: Hashable, kind: ContentKind | None) -> str:
        """Ends a text; what it still held."""
        running = self._running.pop(channel, None)
        said = "" if running is None else running.end()
        if said and kind is not None:
            self.texts.append((kind, said))
        return said

    def channels(self) -> list[Hashable]:
        """The texts that have begun and not ended, in the order of their beginning."""
        return list(self._running)

    def rest(self, node: Json) -> None:
        """Every other text of a frame; comes last."""
        walk = TextWalk(self.work, answer=True)
        walk.body(node)
        self.changed = self.changed or walk.changed
        for place, key, said in self._masked:
            place[key] = said
        self._masked.clear()


class RewrittenFrames(FrameTexts):
    """Server-sent events through one rewriter."""

    def __init__(self, rewriter: FrameRewriter) -> None:
        self._rewriter = rewriter
        self._splitter = SseSplitter()
        self._finished = False

    def feed(self, raw: bytes) -> Said:
        frames = self._splitter.feed(raw)
        last = self._splitter.end()
        if last is not None:
            frames.append(last)  # blocks hold whole frames, so this is one whose blank line is missing
        rewriter = self._rewriter
        out: list[bytes] = []
        any_changed = False
        for frame in frames:
            if frame.data is None:
                out.append(frame.raw)
                continue
            if frame.data == _DONE:
                ends = [] if self._finished else self._rewriter.finish()
                self._finished = True
                any_changed = any_changed or bool(ends)
                out += [_framed(frame, each) for each in ends]
                out.append(frame.raw)
                continue
            node = _decoded(frame.data)
            rewriter.changed = False
            before = rewriter.rewrite(node)
            any_changed = any_changed or bool(before) or rewriter.changed
            out += [_framed(frame, each) for each in before]
            if not rewriter.changed:
                out.append(frame.raw)
            elif node:
                out.append(_framed(frame, node))
        texts = tuple(rewriter.texts)
        rewriter.texts.clear()
        return Said(b"".join(out) if any_changed else raw, texts, any_changed)

    def end(self) -> Said:
        ends = [] if self._finished else self._rewriter.finish()
        self._finished = True
        texts = tuple(self._rewriter.texts)
        self._rewriter.texts.clear()
        return Said(b"".join(_framed(None, each) for each in ends), texts, bool(ends))


class Unchanged(FrameTexts):
    """Streams of sound and pictures."""

    def feed(self, raw: bytes) -> Said:
        return Said(raw, (), False)

    def end(self) -> Said:
        return Said(b"", (), False)


def _decoded(data: bytes) -> Json:
    try:
        node = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("a frame of the answer is no JSON") from None
    if type(node) is not dict:
        raise ValueError("a frame of the answer is no object")
    return node


def _framed(like: Frame | None, node: Json) -> bytes:
    """A frame; events that are named carry their type as the name."""
    named = like is not None and like.event is not None
    kind = node.get("type")
    if (named or like is None) and type(kind) is str:
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), _encode(node))
    return b"data: %s\n\n" % _encode(node)


class WholeFrames(FrameRewriter):
    """Frames whose texts are whole. A text in pieces, `delta`, runs on until the event that repeats it."""

    def __init__(self, work: TextWork) -> None:
        super().__init__(work)
        self._last: Json = {}

    def rewrite(self, node: Json) -> list[Json]:
        ends: list[Json] = []
        if type(node.get("delta")) is str:
            self._last = {name: value for name, value in node.items() if name != "logprobs"}
            self.run("delta", node, "delta", ContentKind.TEXT)
        else:
            ends = self.finish()
        self.rest(node)
        return ends

    def finish(self) -> list[Json]:
        tail = self.tail("delta", ContentKind.TEXT)
        return [{**self._last, "delta": tail}] if tail else []
