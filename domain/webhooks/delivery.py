"""One event on its way to one endpoint.

    waiting --lease--> leased --success--> delivered
       ^                 |  \\--no attempt left, or the endpoint is gone--> dead
       |                 |
       +--retry, release, lease ran out--+          delivered or dead --replay--> waiting

Whoever leases a delivery gets a number that only rises, its fence. What comes back under an older one is
about an attempt that somebody else has taken over, and changes nothing. A delivery whose holder died is
leased again when its lease ran out: it is sent at least once, and every time under the same id.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from domain.webhooks.schedule import Schedule

LEASE_S: Final = 60.0
"""Longer than the longest attempt, so that only a holder that died loses a lease."""
EXCERPT_LENGTH_MAX: Final = 1024
"""Of an answer, in the log of deliveries."""
_US: Final = 1_000_000


class DeliveryState(StrEnum):
    WAITING = "waiting"
    LEASED = "leased"
    DELIVERED = "delivered"
    DEAD = "dead"

    @property
    def is_open(self) -> bool:
        """Whether it will be sent, now or later."""
        return self in (DeliveryState.WAITING, DeliveryState.LEASED)


class Outcome(StrEnum):
    """What an attempt came to; a closed list, so that it can label a metric."""

    DELIVERED = "delivered"
    HTTP = "http"
    """An answer other than 2xx, 3xx and 410."""
    REDIRECT = "redirect"
    """Redirects are not followed: they would lead past what was checked."""
    GONE = "gone"
    """410: the endpoint wants nothing any more."""
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    CONNECT = "connect"
    BROKEN = "broken"
    """The connection ended before a whole answer."""
    EGRESS = "egress"
    """No connection is allowed to where it leads."""
    TOO_LARGE = "too_large"
    """The event is larger than webhooks may be; it was not sent."""
    EXPIRED = "expired"
    """It waited too long for an endpoint that takes nothing; it was not sent."""


def outcome_of_status(status: int) -> Outcome:
    """What an answer means."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == 410:
        return Outcome.GONE
    return Outcome.REDIRECT if 300 <= status < 400 else Outcome.HTTP


class Attempt(NamedTuple):
    """One attempt that ended. `detail` is the begin of the answer's body, or what went wrong."""

    outcome: Outcome
    at_us: int
    duration_ms: int
    status: int | None = None
    retry_after_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`due_at_us` is when it may be leased: for a leased one, when its lease runs out. `attempts` counts
    those since it was begun or replayed, `seq` is the event's place in the log. Times are UTC epoch
    microseconds."""

    endpoint_id: str
    seq: int
    tenant_id: str
    topic: str
    state: DeliveryState = DeliveryState.WAITING
    due_at_us: int = 0
    fence: int = 0
    attempts: int = 0
    created_at_us: int = 0
    settled_at_us: int | None = None
    last_outcome: str = ""
    last_status: int | None = None

    @property
    def delivery_id(self) -> str:
        """Names it to people; see `parse_delivery_id`."""
        return f"whd_{self.endpoint_id.removeprefix('wh_')}_{self.seq}"

    def may_be_leased(self, now_us: int) -> bool:
        """Whether it waits and is due, or its holder is gone."""
        return self.state.is_open and self.due_at_us <= now_us

    def leased(self, now_us: int, lease_s: float = LEASE_S) -> "Delivery":
        """In the hands of whoever asked; only where `may_be_leased`."""
        if not self.may_be_leased(now_us):
            raise ValueError("not due")
        return replace(
            self,
            state=DeliveryState.LEASED,
            fence=self.fence + 1,
            due_at_us=now_us + round(lease_s * _US),
        )

    def is_held(self, fence: int) -> bool:
        """Whether whoever holds this number still holds the delivery."""
        return self.state is DeliveryState.LEASED and self.fence == fence

    def after(self, attempt: Attempt, now_us: int, schedule: Schedule, *, draw: float) -> "Delivery":
        """What becomes of a leased delivery once an attempt ended; `draw` in [0, 1) spreads retries."""
        told = replace(
            self,
            attempts=self.attempts + 1,
            last_outcome=attempt.outcome.value,
            last_status=attempt.status,
        )
        if attempt.outcome is Outcome.DELIVERED:
            return _settled(told, DeliveryState.DELIVERED, now_us)
        if attempt.outcome in (Outcome.GONE, Outcome.TOO_LARGE):
            return _settled(told, DeliveryState.DEAD, now_us)
        wait_s = schedule.wait_s(told.attempts, draw=draw, retry_after_s=attempt.retry_after_s)
        if wait_s is None:
            return _settled(told, DeliveryState.DEAD, now_us)
        return replace(told, state=DeliveryState.WAITING, due_at_us=now_us + round(wait_s * _US))

    def released(self, due_at_us: int) -> "Delivery":
        """Given back without an attempt."""
        return replace(self, state=DeliveryState.WAITING, due_at_us=due_at_us)

    def replayed(self, now_us: int) -> "Delivery":
        """To be sent again, with a whole schedule before it; one that is open comes due now. A leased one
        stays with its holder."""
        if self.state is DeliveryState.LEASED:
            return self
        return replace(self, state=DeliveryState.WAITING, due_at_us=now_us, attempts=0, settled_at_us=None)

    def expired(self, now_us: int) -> "Delivery":
        """Given up without another attempt."""
        return _settled(replace(self, last_outcome=Outcome.EXPIRED.value), DeliveryState.DEAD, now_us)


def _settled(delivery: Delivery, state: DeliveryState, now_us: int) -> Delivery:
    return replace(delivery, state=state, settled_at_us=now_us, due_at_us=now_us)


def parse_delivery_id(endpoint_id: str, delivery_id: str) -> int | None:
    """The place in the log of the event that a delivery of this endpoint carries; None: it names no such."""
    begin = f"whd_{endpoint_id.removeprefix('wh_')}_"
    number = delivery_id.removeprefix(begin)
    if not delivery_id.startswith(begin) or not number.isascii() or not number.isdigit() or len(number) > 18:
        return None
    return int(number)
