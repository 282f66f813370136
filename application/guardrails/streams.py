"""Answers in frames that guardrails look at: held until all was checked, or let through and told of."""

from collections.abc import Awaitable, Callable
from typing import Final

from application.answer_stream import AnswerStream
from application.guardrails.checking import Outcome, blocked
from application.guardrails.texts import Gathering, Replacements, Replacing
from application.ports.llm import Block
from application.ports.text_fields import FrameTexts, TextFields
from application.privacy.protecting import retold
from domain.errors import GuardrailUnavailable
from domain.guardrails.terms import Action, TextSeen, Verdict
from domain.privacy.policy import Where

HELD_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of one answer; a longer one is refused."""
ALL_HELD_BYTES_MAX: Final = 256 * 1024 * 1024
"""Of all answers at once."""
RETRY_AFTER_S: Final = 1.0
UNREAD: Final = "the answer cannot be read for guardrails"

Judge = Callable[[list[TextSeen], list[tuple[Where, str]]], Awaitable[Outcome]]


class HeldBytes:
    """How much all held answers of a process take."""

    def __init__(self) -> None:
        self.bytes = 0


class HeldStream:
    """Nothing goes on before all of it was checked. `fill` first; what it raises ends the answer.

    A stream that breaks while it is held shows nothing: what it raises comes out of `fill`.
    """

    def __init__(
        self, stream: AnswerStream, dialect: str, texts: TextFields, judge: Judge, held: HeldBytes
    ) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._dialect = dialect
        self._texts = texts
        self._judge = judge
        self._held = held
        self._bytes = 0
        self._blocks: list[Block] | None = None
        self._at = 0

    async def fill(self) -> None:
        """Reads it to its end and has it checked; closes it where that does not end well.

        Raises GuardrailBlocked, GuardrailUnavailable, and what the stream it is made from raises.
        """
        try:
            await self._fill()
        except BaseException:
            self.close()
            raise

    async def _fill(self) -> None:
        gathering = Gathering()
        frames = self._texts.stream(self._dialect, gathering)
        blocks: list[Block] = []
        while (block := await self._stream.next_block()) is not None:
            self._take(len(block.raw))
            blocks.append(block)
            _read(frames, block.raw)
        _read(frames, None)
        outcome = await self._judge(_once(gathering.texts), gathering.unread)
        replacements = outcome.replacements
        self._blocks = self._rewritten(blocks, replacements) if replacements else blocks

    async def next_block(self) -> Block | None:
        """The next frames as they came. Raises as `fill`, where that was not called."""
        if self._blocks is None:
            await self.fill()
        assert self._blocks is not None
        if self._at >= len(self._blocks):
            return None
        self._at += 1
        return self._blocks[self._at - 1]

    def close(self) -> None:
        self._held.bytes -= self._bytes
        self._bytes = 0
        self._stream.close()

    def _take(self, size_bytes: int) -> None:
        if self._bytes + size_bytes > HELD_BYTES_MAX:
            too_long = Verdict("stream", Action.BLOCK, "the answer is too long to be checked whole")
            raise blocked([too_long], answer=True)
        if self._held.bytes + size_bytes > ALL_HELD_BYTES_MAX:
            raise GuardrailUnavailable(
                "too many answers wait to be checked whole", retry_after_s=RETRY_AFTER_S
            )
        self._bytes += size_bytes
        self._held.bytes += size_bytes

    def _rewritten(self, blocks: list[Block], replacements: Replacements) -> list[Block]:
        frames = self._texts.stream(self._dialect, Replacing(replacements))
        made: list[Block] = []
        try:
            for block in blocks:
                said = frames.feed(block.raw)
                made.append(Block(said.raw, retold(block.events, said.texts)))
            said = frames.end()
        except ValueError:
            raise GuardrailUnavailable(UNREAD) from None
        made.append(Block(said.raw, retold((), said.texts)))
        return [block for block in made if block.raw or block.events]


class WatchedStream:
    """Lets everything through at once, and tells at its end what was in it, up to a bound."""

    def __init__(self, stream: AnswerStream, dialect: str, texts: TextFields, judge: Judge) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._gathering = Gathering()
        self._frames: FrameTexts | None = texts.stream(dialect, self._gathering)
        self._judge = judge
        self._bytes = 0

    async def next_block(self) -> Block | None:
        block = await self._stream.next_block()
        frames = self._frames
        if frames is None:
            return block
        try:
            if block is None:
                self._frames = None
                frames.end()
                await self._judge(_once(self._gathering.texts), self._gathering.unread)
                return None
            self._bytes += len(block.raw)
            frames.feed(block.raw)
        except ValueError:
            self._frames = None  # it only warns
        if self._bytes > HELD_BYTES_MAX:
            self._frames = None
        return block

    def close(self) -> None:
        self._stream.close()


def _read(frames: FrameTexts, raw: bytes | None) -> None:
    try:
        if raw is None:
            frames.end()
        else:
            frames.feed(raw)
    except ValueError:
        raise GuardrailUnavailable(UNREAD) from None


def _once(texts: list[TextSeen]) -> list[TextSeen]:
    """Without those that repeat the whole of what came in pieces."""
    return list({(seen.where, seen.text): seen for seen in reversed(texts)}.values())[::-1]
