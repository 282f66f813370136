"""Usage rows written by a process of their own, so that writing takes no time from answering.

A row costs about as much work as a third of the request it tells of. In a thread of the serving process that
work holds the interpreter's lock, which requests then wait for; in another process it takes another core.
The journal stays with the server, and so does the promise: a row is taken off only when the writer said that
it is committed, and a row that comes twice changes nothing.

Without the process (before it is up, after it died, for rows it does not understand) the same rows are
written in this process's own thread.
"""

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

import msgspec

from adapters.sql.usage_messages import (
    ROWS_PER_PART,
    UP,
    Answer,
    NotWritten,
    Opening,
    Rows,
    Wanted,
    Written,
    decode_answer,
    encode_events,
    framed,
    next_message,
)
from adapters.sql.usage_rows import UsageWriter
from application.budget_alerts import AlertListener
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

START_TIMEOUT_S: Final = 120.0
"""Machines that start much at once take their time."""
ANSWER_TIMEOUT_S: Final = 60.0
"""A group that took longer is given up with its process, and written again."""
FIRST_PAUSE_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
STEADY_S: Final = 300.0
"""Whoever lived this long is started again without a longer pause."""
END_S: Final = 10.0
LAST_ANSWERS_S: Final = 1.0

Start = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts the writer with the socket as its standard input. Raises OSError."""


class UsageProcess(UsageWriter):
    """Belongs to one event loop. Order of life: `run` as a task of its owner, `aclose`.

    `wanted` is asked before each group and sent when it is another object than the last time.
    """

    def __init__(
        self,
        own: UsageWriter,
        start: Start,
        opening: Callable[[], Opening],
        wanted: Callable[[], Wanted],
        on_alerts: AlertListener,
        *,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """`own` writes in this process. `on_alerts` is told what the postings of written rows reached."""
        self._own = own
        self._start = start
        self._opening = opening
        self._wanted = wanted
        self._on_alerts = on_alerts
        self._answer_timeout_s = answer_timeout_s
        self._first_pause_s = first_pause_s
        self._link: _Link | None = None
        self._closed = False

    @property
    def apart(self) -> bool:
        """Whether rows are written by the other process now."""
        return self._link is not None

    async def insert(self, events: list[RequestEvent]) -> None:
        """All of them are committed when this returns. Raises StoreUnavailable; then none may be."""
        link = self._link
        if link is None or not events:
            await self._own.insert(events)
            return
        answer: Answer | None = None
        with contextlib.suppress(UnicodeEncodeError, OverflowError, TypeError, ValueError):  # it has no form
            answer = await link.ask(await _parts(events), self._wanted(), self._answer_timeout_s)
        if isinstance(answer, Written):
            return
        if answer is not None and answer.unavailable:
            raise StoreUnavailable(answer.message, retry_after_s=answer.retry_after_s)
        if answer is not None:
            link.tell_once(answer.message)
        await self._own.insert(events)

    async def make_durable(self) -> bool:
        """Whether all rows inserted so far would survive a power cut. Raises StoreUnavailable."""
        return await self._own.make_durable()

    async def run(self) -> None:
        """Keeps a process there until cancelled; starts one that died again, each time a little later."""
        now = asyncio.get_running_loop().time
        pause_s = self._first_pause_s
        while not self._closed:
            begun_at = now()
            try:
                link = await _Link.open(self._start, self._opening(), self._on_alerts)
            except OSError as error:
                log.warning("usage rows are written by the server itself: %s", error)
            else:
                try:
                    if await link.up(START_TIMEOUT_S):
                        self._link = link
                        await link.ended.wait()
                finally:
                    self._link = None
                    await link.aclose()
                log.warning("the process that writes usage rows ended; it is started again")
                if now() - begun_at >= STEADY_S:
                    pause_s = self._first_pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def aclose(self) -> None:
        """Lets the process end. Idempotent; rows that come later are written here."""
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()


class _Link:
    """A running process and what was asked of it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_alerts: AlertListener,
    ) -> None:
        self.ended = asyncio.Event()
        """Set when it can no longer be asked."""
        self._process = process
        self._writer = writer
        self._on_alerts = on_alerts
        self._numbers = count(UP + 1)
        self._waiting: dict[int, asyncio.Future[Answer | None]] = {UP: _future()}
        self._told: Wanted | None = None
        self._misunderstood = False
        self._patience_s = END_S
        self._answers = asyncio.create_task(self._read(reader), name="usage writer's answers")

    @classmethod
    async def open(cls, start: Start, opening: Opening, on_alerts: AlertListener) -> "_Link":
        """Raises OSError."""
        ours, theirs = socket.socketpair()
        starting = asyncio.ensure_future(asyncio.to_thread(_started, start, theirs))
        try:
            # Not to be broken off: the thread would go on with a descriptor that is somebody else's by then.
            process = await asyncio.shield(starting)
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()  # upon which whoever was started ends
            starting.add_done_callback(_seen)
            raise
        writer.write(framed(opening))
        return cls(process, reader, writer, on_alerts)

    async def up(self, timeout_s: float) -> bool:
        """Whether it can be asked, as soon as it says so."""
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._waiting[UP]
        except TimeoutError:
            self._patience_s = 0.0
            return False
        finally:
            self._waiting.pop(UP, None)
        if isinstance(answer, NotWritten):
            log.warning("the process that writes usage rows cannot be used: %s", answer.message)
        return isinstance(answer, Written)

    async def ask(self, parts: list[msgspec.Raw], wanted: Wanted, timeout_s: float) -> Answer | None:
        """None: it is gone, and nothing is known of the rows."""
        if self.ended.is_set():
            return None
        number = next(self._numbers)
        answer = _future()
        try:
            async with asyncio.timeout(timeout_s):
                # First goes what somebody sent who has left: at most one group is in memory.
                await self._writer.drain()
                self._waiting[number] = answer
                self._writer.write(framed(Rows(number, parts, None if wanted is self._told else wanted)))
                self._told = wanted
                await self._writer.drain()
                return await answer
        except TimeoutError:
            self._patience_s = 0.0
            self.ended.set()
            return None
        except OSError:
            self.ended.set()
            return None
        finally:
            self._waiting.pop(number, None)

    def tell_once(self, message: str) -> None:
        """Rows that it does not take are written elsewhere, which nobody would notice."""
        if not self._misunderstood:
            self._misunderstood = True
            log.warning("the process that writes usage rows did not understand some: %s", message)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                answer = decode_answer(await next_message(reader))
                waiting = self._waiting.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
                if isinstance(answer, Written) and answer.alerts:
                    self._on_alerts(answer.alerts)  # also where nobody waits any more: they are told once
        except (EOFError, OSError, ValueError):
            pass  # it is gone; whoever waits is told below
        finally:
            self.ended.set()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(None)

    async def aclose(self) -> None:
        """Ends the line, upon which the process finishes what it has and ends; else it is killed."""
        self.ended.set()
        with contextlib.suppress(OSError, RuntimeError):  # it is closed already
            self._writer.write_eof()
        try:
            await asyncio.to_thread(_end, self._process, self._patience_s)
            await asyncio.wait({self._answers}, timeout=LAST_ANSWERS_S)
        finally:
            self._answers.cancel()
            self._writer.close()
        if self._answers.done() and not self._answers.cancelled():
            self._answers.result()  # a listener's bug is told


def _future() -> "asyncio.Future[Answer | None]":
    return asyncio.get_running_loop().create_future()


def _started(start: Start, theirs: socket.socket) -> "subprocess.Popen[bytes]":
    with theirs:
        return start(theirs)


def _seen(starting: "asyncio.Future[subprocess.Popen[bytes]]") -> None:
    if not starting.cancelled():
        starting.exception()


def _end(process: "subprocess.Popen[bytes]", patience_s: float) -> None:
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)


async def _parts(events: Sequence[RequestEvent]) -> list[msgspec.Raw]:
    parts = []
    for start in range(0, len(events), ROWS_PER_PART):
        if start:
            await asyncio.sleep(0)
        parts.append(msgspec.Raw(encode_events(events[start : start + ROWS_PER_PART])))
    return parts
