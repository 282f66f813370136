"""One log line per request, where the operator wants them: made of its event, written beside it."""

import asyncio
import logging
from collections import deque
from enum import Enum
from typing import Final

from domain.analytics.event import RequestEvent
from domain.tracing.ids import trace_id_of
from domain.tracing.sampling import Sampler

LOGGER: Final = "interchange.requests"
WAITING_MAX: Final = 10_000
PERIOD_S: Final = 0.2
GROUP_MAX: Final = 200
_FAILED: Final = frozenset({"error", "cut"})
log = logging.getLogger(LOGGER)


class RequestLineWish(Enum):
    """Which requests leave a line."""

    OFF = "off"
    ERRORS = "errors"
    SAMPLED = "sampled"
    """Those that failed, and a share of the others."""
    ALL = "all"


class RequestLines:
    """`note` beside a request; `run` and `end` are for the lifespan. Lines that have no place are dropped and
    counted: whoever reads logs slowly must not slow requests down."""

    def __init__(self, wish: RequestLineWish, share: float, *, waiting_max: int = WAITING_MAX) -> None:
        self._wish = wish
        self._sampler = Sampler(share if wish is RequestLineWish.SAMPLED else 1.0)
        self._waiting: deque[RequestEvent] = deque()
        self._waiting_max = waiting_max
        self.dropped = 0

    @property
    def wanted(self) -> bool:
        """Whether any request leaves a line."""
        return self._wish is not RequestLineWish.OFF

    def note(self, event: RequestEvent) -> None:
        """Takes a finished request over, or not. Never waits."""
        if event.outcome not in _FAILED:
            if self._wish is RequestLineWish.ERRORS:
                return
            trace_id = trace_id_of(event.request_id)
            if self._wish is RequestLineWish.SAMPLED and not self._sampler.records(trace_id, None):
                return
        if len(self._waiting) >= self._waiting_max:
            self.dropped += 1
            return
        self._waiting.append(event)

    async def run(self) -> None:
        """Writes what waits, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            while self._waiting:
                await asyncio.to_thread(self._write, self._taken())

    async def end(self) -> None:
        """Writes the rest."""
        while self._waiting:
            await asyncio.to_thread(self._write, self._taken())

    def _taken(self) -> list[RequestEvent]:
        return [self._waiting.popleft() for _ in range(min(GROUP_MAX, len(self._waiting)))]

    @staticmethod
    def _write(events: list[RequestEvent]) -> None:
        for event in events:
            level = logging.WARNING if event.outcome in _FAILED else logging.INFO
            log.log(level, "request", extra={"fields": fields_of(event)})


def fields_of(event: RequestEvent) -> dict[str, object]:
    """The main fields, as the line has them; what callers put in themselves stays out, and so does whatever
    says nothing. Durations are microseconds, money nano-dollars."""
    found: dict[str, object] = {
        "request_id": event.request_id,
        "tenant": event.tenant_id,
        "trace_id": event.trace_id,
        "key_id": event.key_id,
        "operation": event.operation,
        "dialect": event.dialect,
        "route": event.route,
        "provider": event.provider,
        "model": event.model,
        "via": event.via,
        "outcome": event.outcome,
        "status": event.status or None,
        "error_code": event.error_code,
        "streamed": event.streamed,
        "cache": event.cache,
        "attempts": event.attempts_made,
        "fallbacks": event.fallbacks or None,
        "duration_us": event.duration_us,
        "upstream_us": event.upstream_us,
        "first_token_us": event.first_token_us,
        "input_tokens": event.input_tokens,
        "output_tokens": event.output_tokens,
        "cost_nano_usd": event.cost_nano_usd,
        "saved_nano_usd": event.saved_nano_usd or None,
    }
    return {name: value for name, value in found.items() if value is not None and value != ""}
