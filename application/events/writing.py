"""Making events and putting them into the outbox."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from application.ports.outbox import Outbox, OutboxEvent
from application.ports.system import Clock, IdFactory

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US: Final = 253_402_300_799_999_999


def moment_text(at_us: int) -> str:
    """UTC epoch microseconds as events say them: RFC 3339 with microseconds and `Z`."""
    # A clock that is wildly wrong must not keep anything from being written.
    moment = _EPOCH + timedelta(microseconds=min(max(at_us, 0), _LAST_US))
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def epoch_us(at: datetime) -> int:
    """UTC epoch microseconds of an aware moment."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def event_of(
    topic: str, tenant_id: str, key: str, data: Mapping[str, Any], at_us: int, trace: str = ""
) -> OutboxEvent:
    """As it goes into the outbox; `data` is what the event's schema asks for but `timestamp`, which is added.

    `key` makes it unique: of several with the same key, the first is the event.
    """
    payload = {**data, "timestamp": moment_text(at_us)}
    return OutboxEvent(key, topic, tenant_id, json.dumps(payload, ensure_ascii=False), at_us, trace)


class EventWriter:
    """Tells of what has happened. For causes whose store cannot write the event in its own transaction: it is
    written right after, and lost where the process dies in between."""

    def __init__(self, outbox: Outbox, clock: Clock, ids: IdFactory) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ids = ids

    async def write(self, topic: str, tenant_id: str, data: Mapping[str, Any], *, key: str = "") -> bool:
        """Whether it is new. Without a key of its cause it gets one of its own, and always is.

        Raises StoreUnavailable.
        """
        at_us = epoch_us(self._clock.utc_now())
        key = key or f"{topic}:{self._ids.next('event')}"
        return await self._outbox.add(event_of(topic, tenant_id, key, data, at_us))
