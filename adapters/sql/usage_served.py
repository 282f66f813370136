"""The other side of `usage_process`: takes groups of usage rows from a server and writes them."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from adapters.sql.usage_messages import (
    UP,
    Answer,
    NotWritten,
    Rows,
    Wanted,
    Written,
    decode_events,
    decode_question,
    framed,
    next_message,
)
from adapters.sql.usage_rows import UsageWriter
from domain.analytics.event import RequestEvent
from domain.budgets.alerts import Alert
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")


class ServedRows:
    """Writes what one server sends, in its order, until the server is gone.

    `alerts` is where the writer's followers leave what postings reached; `know` is told what they have to
    know. An answer goes out before the next question is looked at.
    """

    def __init__(self, writer: UsageWriter, alerts: list[Alert], know: Callable[[Wanted], None]) -> None:
        self._writer = writer
        self._alerts = alerts
        self._know = know

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Returns when the server is gone. Raises ValueError when it talks nonsense."""
        writer.write(framed(Written(UP, [])))
        while True:
            try:
                question = decode_question(await next_message(reader))
            except (EOFError, OSError):
                return
            if not isinstance(question, Rows):
                raise ValueError("opened twice")
            answer = await self._answer(question)
            try:
                writer.write(framed(answer))
                await writer.drain()
            except OSError:
                return

    async def _answer(self, question: Rows) -> Answer:
        if question.wanted is not None:
            self._know(question.wanted)
        self._alerts.clear()
        try:
            events: list[RequestEvent] = []
            for part in question.parts:
                events += decode_events(part)
            await self._writer.insert(events)
        except msgspec.DecodeError as error:
            return NotWritten(question.number, False, str(error), None)
        except StoreUnavailable as error:
            return NotWritten(question.number, True, error.message, error.retry_after_s)
        except Exception as error:  # a bug here must not become rows that are not written: the server tries
            log.exception("usage rows could not be written in a process of their own")
            return NotWritten(question.number, False, type(error).__name__, None)
        return Written(question.number, list(self._alerts))
