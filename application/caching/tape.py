"""A running stream as several readers hear it, each at its own pace."""

import asyncio
from typing import Final

from application.ports.llm import Block
from domain.errors import InterchangeError

AHEAD_MAX: Final = 256
"""Blocks the stream may be ahead of its fastest reader, before it is read no further."""


class Tape:
    """One writer, any number of readers, which keep their own place.

    Beyond `bytes_max` it is no longer `whole`: nobody new may begin to read, and it is not kept.
    """

    __slots__ = (
        "_blocks",
        "_furthest",
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
        self._blocks.append(block)
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
        """
        while place >= len(self._blocks):
            if self.over:
                if self.error is not None:
                    raise self.error
                return None
            await self._news.wait()
        block = self._blocks[place]
        assert block is not None, "readers only go forward, and nobody begins on a tape that is not whole"
        if place >= self._furthest:
            self._furthest = place + 1
            self._room.set()
        return block

    def release(self, place: int) -> None:
        """What stands before a place is read by nobody any more; room is made where that is needed."""
        if self.whole:
            return
        while place > 0 and self._blocks[place - 1] is not None:
            place -= 1
            self._blocks[place] = None

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
