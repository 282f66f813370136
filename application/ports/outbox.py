"""Events that must reach whoever subscribed, written with the change they tell of.

An event is in the outbox in the same transaction as its cause, or not at all. `key` makes it unique: the same
fact told twice is one event. Delivery takes events out in order and marks them done.

Failure policy: raises `StoreUnavailable`; events wait.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class OutboxEvent(NamedTuple):
    """`topic` is the event's published name, `payload` its JSON object. `trace`: the `traceparent` of the
    request that caused it; empty: none did, or none is known. It is no part of what is published and signed.
    """

    key: str
    topic: str
    tenant_id: str
    payload: str
    created_at_us: int
    trace: str = ""


class Outbox(Protocol):
    @abstractmethod
    async def add(self, event: OutboxEvent) -> bool:
        """Whether it is new. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def waiting(self, *, limit: int = 100) -> list[OutboxEvent]:
        """Not done yet, oldest first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def newest(
        self, tenant_id: str | None, topic: str | None, *, limit: int = 100
    ) -> list[OutboxEvent]:
        """Done or not, newest first, for people. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def done(self, keys: list[str], now_us: int) -> None:
        """Marks them delivered; unknown keys are no error. Raises StoreUnavailable."""
        ...
