"""Webhook endpoints, and deliveries on their way to them.

Failure policy: closed. Raises `StoreUnavailable`; whatever was not settled is sent again under the same id.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from application.ports.event_log import LoggedEvent
from application.ports.outbox import OutboxEvent
from domain.webhooks.delivery import Attempt, Delivery, DeliveryState
from domain.webhooks.endpoint import Endpoint


class EndpointStore(Protocol):
    """Endpoints of all tenants. Everything raises StoreUnavailable."""

    @abstractmethod
    async def all(self, tenant_id: str | None = None) -> list[Endpoint]:
        """By their ids: of one tenant, or of all."""
        ...

    @abstractmethod
    async def add(self, endpoint: Endpoint, *, endpoints_max: int) -> None:
        """Raises Conflict for an id that is taken, or where the tenant has as many already."""
        ...

    @abstractmethod
    async def change(self, endpoint: Endpoint, *, expected_revision: int) -> bool:
        """Puts it in the place of the one with that revision; False: another one stands there, or none."""
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, endpoint_id: str) -> bool:
        """With all of its deliveries; False: there was none."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that rises with every change of any endpoint; cheap to ask."""
        ...


class Claimed(NamedTuple):
    """A delivery that was leased, with its event and how many attempts there were before."""

    delivery: Delivery
    event: LoggedEvent


class Settlement(NamedTuple):
    """What an attempt made of a leased delivery. `events` are told in the same transaction."""

    delivery: Delivery
    attempt: Attempt
    events: tuple[OutboxEvent, ...] = ()


class FannedOut(NamedTuple):
    """How many events came into the log, and how many deliveries that made."""

    events: int
    deliveries: int


class DeliveryQueue(Protocol):
    """What a dispatcher works on. Everything raises StoreUnavailable."""

    @abstractmethod
    async def fan_out(self, now_us: int, *, limit: int = 200) -> FannedOut:
        """The oldest waiting events come into the log, with a delivery for each endpoint of their tenant that
        wants them, in one transaction."""
        ...

    @abstractmethod
    async def claim(
        self, rooms: Mapping[str, int], now_us: int, *, limit: int, lease_s: float
    ) -> list[Claimed]:
        """Leases what is due, at most `limit`, and of each endpoint in `rooms` at most so many: the first of
        each, then the second of each, and so on, so that no endpoint keeps others waiting.

        Of an ordered endpoint only the oldest open delivery is ever leased. Endpoints that are not active
        get nothing.
        """
        ...

    @abstractmethod
    async def settle(self, settlements: Sequence[Settlement], now_us: int, disabled_after_s: float) -> int:
        """Takes in how attempts ended, each if its fence still holds; how many did. The endpoints' runs of
        failures are kept up, and an endpoint that is given up is disabled and that is told."""
        ...

    @abstractmethod
    async def release(self, deliveries: Sequence[Delivery], due_at_us: int) -> None:
        """Gives leases back without an attempt, each if its fence still holds."""
        ...


class LoggedAttempt(NamedTuple):
    fence: int
    attempt: Attempt


class DeliveryFigures(NamedTuple):
    """Over all tenants. `oldest_due_us` is of what is due and waits for an active endpoint; None: nothing."""

    open: int
    dead: int
    oldest_due_us: int | None
    disabled: int


class DeliveryLog(Protocol):
    """What people see and do with deliveries. Everything raises StoreUnavailable."""

    @abstractmethod
    async def page(
        self,
        tenant_id: str,
        endpoint_id: str | None,
        state: DeliveryState | None,
        *,
        before_seq: int | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Newest first."""
        ...

    @abstractmethod
    async def one(
        self, tenant_id: str, endpoint_id: str, seq: int
    ) -> tuple[Delivery, LoggedEvent | None, list[LoggedAttempt]] | None:
        """With its event, as long as it is kept, and its attempts in order; None: there is none."""
        ...

    @abstractmethod
    async def replay(
        self, endpoint: Endpoint, seqs: tuple[int, int], now_us: int, *, dead_only: bool, limit: int
    ) -> tuple[int, int | None]:
        """Events that the endpoint wants, from the first place to before the second, are to be sent (again);
        `dead_only`: those whose deliveries are dead. How many, and where to go on; None: that was all.
        """
        ...

    @abstractmethod
    async def places(self, tenant_id: str, since_us: int, until_us: int) -> tuple[int, int] | None:
        """The first place and the one behind the last of a tenant's events of this time; None: none."""
        ...

    @abstractmethod
    async def oldest(self, tenant_id: str, first_seq: int, since_us: int, until_us: int) -> int | None:
        """When the oldest of a tenant's events of this time was made that stands at this place or behind it;
        None: there is none."""
        ...

    @abstractmethod
    async def figures(self, now_us: int) -> DeliveryFigures: ...


class DeliveryUpkeep(Protocol):
    """Raises StoreUnavailable."""

    @abstractmethod
    async def expire(self, before_us: int, now_us: int, *, limit: int = 500) -> int:
        """Deliveries that were due before and still wait become dead letters; how many."""
        ...

    @abstractmethod
    async def forget(self, before_us: int, *, limit: int = 500) -> int:
        """Removes deliveries settled before, with their attempts, and events that came into the log before
        and have no delivery; how many rows."""
        ...
