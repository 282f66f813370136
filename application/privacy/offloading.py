"""Reading bodies that take long in threads of their own, so that other requests do not wait for them.

Tenants take turns: each has one body read at a time, and the next turn goes to whoever waits longest. So
however much one of them sends, another waits for a body or two.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Final, TypeVar

from domain.errors import InterchangeError, PrivacyUnavailable, StoreUnavailable

T = TypeVar("T")
log = logging.getLogger("interchange")

INLINE_BYTES_MAX: Final = 16 * 1024
INLINE_FIGURES_MAX: Final = 1024
"""Digits, of any script, are what takes a detector long: about 4 us each where all of them are numbers that
could be somebody's. Both bounds together keep what is read at once below 10 ms."""
INLINE_STRINGS_MAX: Final = 512
"""Texts of one body. Each is looked at by itself, so many small ones take longer than one large one."""
THREADS_MAX: Final = 2
WAITING_MAX: Final = 256
WAITING_EACH_MAX: Final = 64
"""Of one tenant."""
WITHIN_S: Final = 60.0
RETRY_AFTER_S: Final = 5.0

_FIGURES: Final = b"0123456789" + bytes((0xD9, 0xDB, 0xDF, 0xE0, 0xE1, 0xEA, 0xEF, 0xF0))
"""Digits, and what the digits of other scripts begin with in UTF-8."""
_HIDDEN: Final = (b"base64", b"nlineData", b"nline_data")
"""A text in base64 has few of the digits that it stands for."""
_HIDDEN_SHARE: Final = 8


class _Turns:
    """Of one tenant."""

    __slots__ = ("turn", "waiting", "working")

    def __init__(self) -> None:
        self.turn = asyncio.Semaphore(1)
        self.waiting = self.working = 0

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.working)


class Offloading:
    """Closed by `close`. Whatever fails in here ends as an error of ours: nothing goes on unread."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._slots = asyncio.Semaphore(THREADS_MAX)
        self._tenants: dict[str, _Turns] = {}
        self._waiting = 0

    async def __call__(
        self, tenant_id: str, body: bytes, work: Callable[[Event], T], *, quick: bool | None = None
    ) -> T:
        """The result of `work`, which reads `body`: at once where that is quick; None: as for a detector.
        Raises as `at_once`.

        Work in a thread cannot be ended from outside: it looks at the event now and then, and ends when that
        is set, because nobody waits for it any more.
        """
        nobody_waits = Event()
        if is_quick(body) if quick is None else quick:
            return self.at_once(lambda: work(nobody_waits))
        turns = self._tenants.get(tenant_id) or _Turns()
        if self._waiting >= WAITING_MAX or turns.waiting >= WAITING_EACH_MAX:
            raise PrivacyUnavailable(
                "too many large bodies wait to be read for personal data", retry_after_s=RETRY_AFTER_S
            )
        self._tenants[tenant_id] = turns
        self._waiting += 1
        turns.waiting += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._in_turn(turns, lambda: work(nobody_waits))
        except TimeoutError:
            raise PrivacyUnavailable(
                f"the body was not read for personal data within {WITHIN_S:g} s",
                retry_after_s=RETRY_AFTER_S,
            ) from None
        finally:
            nobody_waits.set()
            self._waiting -= 1
            turns.waiting -= 1
            self._forget_idle()

    def _forget_idle(self) -> None:
        for tenant_id in [each for each, turns in self._tenants.items() if turns.idle]:
            del self._tenants[tenant_id]

    async def _in_turn(self, turns: _Turns, work: Callable[[], T]) -> T:
        """Whoever leaves while a thread works for it keeps its turn, and the thread, until that is done."""
        await turns.turn.acquire()
        try:
            await self._slots.acquire()
            try:
                if self._threads is None:
                    self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="privacy")
                job = self._threads.submit(self.at_once, work)
            except BaseException:
                self._slots.release()
                raise
        except BaseException:
            turns.turn.release()
            raise
        loop = asyncio.get_running_loop()
        turns.working += 1

        def freed() -> None:
            self._slots.release()
            turns.turn.release()
            turns.working -= 1

        def done(_: "Future[T]") -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(freed)

        job.add_done_callback(done)
        return await asyncio.wrap_future(job)

    @staticmethod
    def at_once(work: Callable[[], T]) -> T:
        """The result of `work`. Raises PrivacyUnavailable for whatever keeps it from being done, and what it
        refuses with."""
        try:
            return work()
        except StoreUnavailable as error:
            raise PrivacyUnavailable(error.message, retry_after_s=error.retry_after_s) from None
        except InterchangeError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing goes on unread
            # Its message may repeat what was read.
            log.error("personal data could not be looked for: %s", type(error).__name__)
            raise PrivacyUnavailable("personal data cannot be looked for") from None

    def close(self) -> None:
        """Lets nothing begin any more. Idempotent."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)


def is_quick(body: bytes) -> bool:
    """Whether a body can be read between two requests, whatever is in it."""
    size = len(body)
    if size > INLINE_BYTES_MAX:
        return False
    if size <= INLINE_FIGURES_MAX:
        return True
    if body.count(b'"') > 2 * INLINE_STRINGS_MAX:
        return False
    figures = size - len(body.translate(None, _FIGURES))
    if figures * _HIDDEN_SHARE > INLINE_FIGURES_MAX and any(word in body for word in _HIDDEN):
        return False
    return figures <= INLINE_FIGURES_MAX
