"""Asking the store of rate limits: one question at a time, for everybody who waits."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from application.limit_slice import Slice
from application.ports.rate_limits import RateLimitStore
from application.ports.system import Clock
from domain.errors import StoreUnavailable

LINES_MAX: Final = 200
DOWN_FOR_S: Final = 0.2
"""How long a store that failed is left alone."""
RETRY_AFTER_S: Final = 1.0

TURNS_TO_TAKE: Final = 3
"""Turns of the event loop until whoever waits for a shielded future goes on."""


class LimitExchange:
    """Belongs to one event loop. Who asks while a question is on its way is in the next one.

    Nothing is asked twice: what became of a question without an answer is not known, so its slices start from
    nothing. Waiters may leave at any time; what was granted for them is for the next.
    """

    def __init__(self, store: RateLimitStore, clock: Clock, new_holder: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._holder = new_holder()
        self._number = 0
        self._next: dict[Slice, None] = {}
        self._answered: asyncio.Future[None] | None = None
        self._flying: asyncio.Task[None] | None = None
        self._down_until = float("-inf")
        self.exchanges = 0
        self.failures = 0

    @property
    def reachable(self) -> bool:
        """Whether the last question was answered."""
        return self._down_until == float("-inf")

    async def ask(self, slices: Sequence[Slice]) -> None:
        """Returns when a question about them, sent after this call, was answered. Raises StoreUnavailable."""
        if self._clock.monotonic() < self._down_until:
            raise _away()
        for each in slices:
            self._next[each] = None
        loop = asyncio.get_running_loop()
        if self._answered is None:
            self._answered = loop.create_future()
        if self._flying is None:
            self._flying = loop.create_task(self._fly())
        await asyncio.shield(self._answered)

    async def tidy(self) -> None:
        """Lets the store forget what says nothing any more. Raises StoreUnavailable."""
        await self._store.tidy()

    async def _fly(self) -> None:
        try:
            while (answered := self._answered) is not None:
                slices, self._next, self._answered = tuple(self._next), {}, None
                try:
                    for start in range(0, len(slices), LINES_MAX):
                        await self._exchange(slices[start : start + LINES_MAX])
                except StoreUnavailable:
                    self.failures += 1
                    self._down_until = self._clock.monotonic() + DOWN_FOR_S
                    _fail(answered)
                except BaseException:
                    _fail(answered)
                    raise
                else:
                    self._down_until = float("-inf")
                    if not answered.done():
                        answered.set_result(None)
                    # The next question gives back what is at hand: not before those who waited took theirs.
                    for _ in range(TURNS_TO_TAKE):
                        await asyncio.sleep(0)
        finally:
            self._flying = None
            if self._answered is not None:  # cancelled between two questions
                _fail(self._answered)
                self._answered, self._next = None, {}

    async def _exchange(self, slices: Sequence[Slice]) -> None:
        self.exchanges += 1
        self._number += 1
        sent_at = self._clock.monotonic()
        lines = [each.line(sent_at) for each in slices]
        answers = await self._store.exchange(self._holder, self._number, lines)
        now, now_us = self._clock.monotonic(), int(self._clock.utc_now().timestamp() * 1e6)
        for each, line, told in zip(slices, lines, answers, strict=True):
            each.heard(line, told, sent_at, now, now_us)

    async def aclose(self) -> None:
        """Ends what is on its way. Idempotent."""
        if self._flying is not None:
            self._flying.cancel()
            await asyncio.gather(self._flying, return_exceptions=True)


def _fail(answered: "asyncio.Future[None]") -> None:
    if not answered.done():
        answered.set_exception(_away())
        answered.exception()  # nobody may be left to hear it


def _away() -> StoreUnavailable:
    return StoreUnavailable(
        "the store of rate limits is not reachable, and what this instance may let through without asking is "
        "used up",
        retry_after_s=RETRY_AFTER_S,
    )
