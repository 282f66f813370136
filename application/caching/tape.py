"""A running stream as several readers hear it, each at its own pace."""

import asyncio
from typing import Final

from application.ports.llm import Block
from domain.errors import InterchangeError, StreamCut

AHEAD_MAX: Final = 256
"""Blocks the stream may be ahead of its fastest reader, before it is read no further."""
BEHIND_BYTES_MAX: Final = 8 * 1024 * 1024
"""How far its slowest reader may be behind, where it is too large to be kept; who is farther loses it."""


class Tape:
    """One writer, any number of readers, which keep their own place.

    Beyond `bytes_max` it is no longer `whole`: nobody new may begin to read, and it is not kept.
    """

    __slots__ = (
        "_blocks",
        "_furthest",
        "_held_bytes",
        "_kept_from",
        "_news",
        "_room",
        "bytes_max",
        "error",
        "headers",
        "over",
        "size_bytes",
    )

    def __init__(self, headers: tuple[tuple[str, str], ...], bytes_max: int) -> None:
        self.headers = headers
        self.bytes_max = bytes_max
        self.size_bytes = 0
        self.over = False
        self.error: InterchangeError | None = None
        self._blocks: list[Block | None] = []
        self._furthest = 0
        self._kept_from = 0
        """The place of the first block that is still there."""
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def whole(self) -> bool:
        """Whether everything since the beginning is still there."""
        return self.size_bytes <= self.bytes_max

    @property
    def blocks(self) -> list[Block]:
        """Everything that was written; only of a whole tape."""
        return [block for block in self._blocks if block is not None]

    def add(self, block: Block) -> None:
        self.size_bytes += len(block.raw)
        self._held_bytes += len(block.raw)
        self._blocks.append(block)
        if not self.whole:
            while self._held_bytes > BEHIND_BYTES_MAX and self._kept_from < self._furthest:
                self._drop_first()
        self._tell()

    def end(self, error: InterchangeError | None = None) -> None:
        """No more will come: the answer is complete, or broke with this error. Idempotent."""
        if not self.over:
            self.over, self.error = True, error
            self._tell()

    async def wait_for_room(self) -> None:
        """Returns when the fastest reader is near enough."""
        while len(self._blocks) - self._furthest >= AHEAD_MAX:
            self._room.clear()
            await self._room.wait()

    async def read(self, place: int) -> Block | None:
        """The block at a place, None at the end. Waits for what is still to come.

        Raises:
            InterchangeError: what broke the stream.
            StreamCut: the reader is so far behind that the block is gone.
        """
        while place >= len(self._blocks):
            if self.over:
                if self.error is not None:
                    raise again(self.error)
                return None
            await self._news.wait()
        block = self._blocks[place]
        if block is None:
            raise StreamCut("the answer was read too slowly to be kept for so long")
        if place >= self._furthest:
            self._furthest = place + 1
            self._room.set()
        return block

    def release(self, place: int) -> None:
        """What stands before a place is read by nobody any more; room is made where that is needed."""
        if not self.whole:
            while self._kept_from < place:
                self._drop_first()

    def _drop_first(self) -> None:
        block = self._blocks[self._kept_from]
        self._held_bytes -= 0 if block is None else len(block.raw)
        self._blocks[self._kept_from] = None
        self._kept_from += 1

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def again(error: InterchangeError) -> InterchangeError:
    """The same error for another who raises it: one that is raised twice, or kept by what its trace leads to,
    would keep everything alive that it ever passed."""
    fresh = type(error).__new__(type(error), *error.args)
    fresh.__dict__.update(error.__dict__)
    return fresh
