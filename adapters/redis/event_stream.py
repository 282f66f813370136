"""Events passed on to a Redis Stream, for consumers that read there.

At least once: what was sent and not yet noted as sent is sent again. An entry has the fields `id` (the same
for the same event), `type`, `tenant_id`, `seq` and `event`, the whole event as JSON. A Redis that lost its
newest entries, in a failover or because it was emptied, gets those of the last `REPEATED_MAX` that it lacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.redis.connection import Command, RedisConnection
from application.events.envelope import envelope_text
from application.ports.event_log import LoggedEvent
from application.ports.event_sink import EventSink
from domain.errors import StoreUnavailable

STREAM: Final = "ic:events"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """`length_max` is about how many entries a stream keeps. `per_tenant`: each tenant's events go to a
    stream of its own, `<stream>:<tenant>`, instead of one for all."""

    stream: str = STREAM
    length_max: int = 100_000
    per_tenant: bool = False


class RedisEventStream(EventSink):
    name = "redis"

    def __init__(self, redis: RedisConnection, terms: StreamTerms) -> None:
        self._redis = redis
        self._terms = terms

    async def send(self, events: Sequence[LoggedEvent]) -> None:
        answers = await self._redis.send([self._command(event) for event in events])
        if None in answers:
            raise StoreUnavailable("Redis has no memory left for events", retry_after_s=1.0)

    async def lacking(self, events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
        keys = sorted({self._key(event) for event in events})
        tails = await self._redis.send([("XREVRANGE", key, "+", "-", "COUNT", 1) for key in keys])
        reached = {key: _seq_of(tail) for key, tail in zip(keys, tails, strict=True)}
        return [event for event in events if event.seq > reached[self._key(event)]]

    def _key(self, event: LoggedEvent) -> str:
        return f"{self._terms.stream}:{event.tenant_id}" if self._terms.per_tenant else self._terms.stream

    def _command(self, event: LoggedEvent) -> Command:
        said = (
            *("id", event.event_id, "type", event.topic, "tenant_id", event.tenant_id),
            *("seq", event.seq, "event", envelope_text(event)),
        )
        return ("XADD", self._key(event), "MAXLEN", "~", self._terms.length_max, "*", *said)


def _seq_of(tail: Any) -> int:
    """Of the newest entry; 0 where there is none, or somebody else wrote it."""
    if not isinstance(tail, list) or not tail:
        return 0
    fields = tail[0][1]
    if isinstance(fields, list):
        fields = dict(zip(fields[::2], fields[1::2], strict=False))
    seq = str(fields.get("seq", ""))
    return int(seq) if seq.isdecimal() else 0
