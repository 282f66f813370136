"""Delivers events to webhook endpoints, one dispatcher per process, any number of processes together.

Three loops share what is under way: one brings events into the log and makes deliveries of them, one claims
what is due as far as there is room, one takes in how attempts ended, many at once. A delivery keeps its room
until it is settled, so nothing here grows. Endpoints that fail or never answered yet get fewer at a time, and
slow ones together at most half of the room: nobody else waits behind them.

A process that dies leaves leases behind, which run out; one that ends finishes what is under way within a
grace and gives the rest back.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from application.events.writing import epoch_us
from application.ports.system import Clock
from application.ports.webhook_sender import Message, WebhookSender
from application.ports.webhooks import Claimed, DeliveryQueue, Settlement
from application.webhooks.book import WebhookBook
from application.webhooks.secrets import EndpointSecrets
from application.webhooks.shapes import shaped
from application.webhooks.telling import dead_events
from domain.errors import CredentialDamaged, InterchangeError, StoreUnavailable, VaultLocked
from domain.webhooks.delivery import LEASE_S, Attempt, Delivery, Outcome
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.envelope import BODY_BYTES_MAX
from domain.webhooks.health import DISABLED_AFTER_S
from domain.webhooks.pace import Pace
from domain.webhooks.schedule import Schedule
from domain.webhooks.signature import sign

log = logging.getLogger("interchange")

POLL_S: Final = 0.2
POLL_S_MAX: Final = 1.0
BETWEEN_CLAIMS_S: Final = 0.01
BETWEEN_SETTLEMENTS_S: Final = 0.005
AFTER_FAILURE_S: Final = 1.0
FANNED_OUT_AT_ONCE: Final = 200
SETTLED_AT_ONCE: Final = 200
ENDPOINTS_PER_CLAIM: Final = 500
SLOW_MS: Final = 1000
UNKNOWN_MOST: Final = 2
"""Under way to an endpoint that has not answered here yet: it may be one that never does."""
LOCKED_WAIT_S: Final = 30.0
"""How long a delivery waits whose secret cannot be opened."""
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchPolicy:
    """`slots` deliveries are under way at once. `lease_s` must be longer than an attempt can take."""

    schedule: Schedule = field(default_factory=Schedule)
    slots: int = 128
    lease_s: float = LEASE_S
    disabled_after_s: float = DISABLED_AFTER_S
    grace_s: float = 3.0
    user_agent: str = "Interchange"
    traces: bool = True
    """Whether receivers are told, in `traceparent`, of the trace of the request that caused an event."""


class _Manner:
    """How an endpoint behaved here lately."""

    __slots__ = ("failing", "known", "locked_until_s", "pace", "rate_per_s", "slow")

    def __init__(self, rate_per_s: float | None) -> None:
        self.failing = False
        self.slow = False
        self.known = False
        self.locked_until_s = float("-inf")
        self.rate_per_s: float | None = None
        self.pace: Pace | None = None
        self.set_rate(rate_per_s)

    def set_rate(self, rate_per_s: float | None) -> None:
        """The same rate again is no fresh start."""
        if rate_per_s != self.rate_per_s:
            self.rate_per_s = rate_per_s
            self.pace = None if rate_per_s is None else Pace(rate_per_s)

    def most(self, endpoint: Endpoint) -> int:
        """How many may be under way here."""
        if endpoint.terms.ordered or (self.failing and self.slow):
            return 1
        most = endpoint.terms.concurrency if self.known else min(UNKNOWN_MOST, endpoint.terms.concurrency)
        return max(1, most // 2) if self.failing else most


class Dispatcher:
    """Belongs to one event loop. `run` it once."""

    def __init__(
        self,
        queue: DeliveryQueue,
        book: WebhookBook,
        secrets: EndpointSecrets,
        sender: WebhookSender,
        clock: Clock,
        chance: random.Random,
        policy: DispatchPolicy,
    ) -> None:
        self._queue = queue
        self._book = book
        self._secrets = secrets
        self._sender = sender
        self._clock = clock
        self._chance = chance
        self._policy = policy
        self._sending: dict[asyncio.Task[None], Claimed] = {}
        self._claiming: asyncio.Future[list[Claimed]] | None = None
        self._ended: list[Settlement] = []
        self._under_way: Counter[str] = Counter()
        self._manners: dict[str, _Manner] = {}
        self._turn = 0
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._to_settle = asyncio.Event()
        self.outcomes: Counter[str] = Counter()
        """Attempts of this process, by how they ended."""

    def wake(self) -> None:
        """Something may have come due."""
        self._due.set()

    async def run(self) -> None:
        """Until cancelled; then what is under way is finished or given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.bring_in(), name="webhook events")
                group.create_task(self._claim(), name="webhook claims")
                group.create_task(self._settle(), name="webhook settlements")
        finally:
            await self._leave()

    async def bring_in(self) -> None:
        """Only brings events into the log, with their deliveries: for a process that delivers nothing. Until
        cancelled."""
        wait_s = POLL_S
        while True:
            made = await self._tried(self._fan_out_once)
            if made:
                self._due.set()
            wait_s = POLL_S if made else min(wait_s * 1.5, POLL_S_MAX)
            if made < FANNED_OUT_AT_ONCE:
                await asyncio.sleep(wait_s)

    async def _fan_out_once(self) -> int:
        return (await self._queue.fan_out(self._now_us(), limit=FANNED_OUT_AT_ONCE)).events

    async def _claim(self) -> None:
        wait_s = POLL_S
        while True:
            self._due.clear()
            self._room.clear()
            got = await self._tried(self._claim_once)
            if got:
                wait_s = POLL_S
                await asyncio.sleep(BETWEEN_CLAIMS_S)
                continue
            # Where something is under way, room comes soon; else only time or an event brings work.
            await _first_of(wait_s, self._due, *((self._room,) if self._under_way else ()))
            wait_s = POLL_S if self._under_way else min(wait_s * 1.5, POLL_S_MAX)
            await asyncio.sleep(BETWEEN_CLAIMS_S)

    async def _claim_once(self) -> int:
        for endpoints in self._in_turn():
            quick, slow = self._rooms(endpoints)
            got = await self._take(quick, self._free_slots())
            # Fetched apart, so that they cannot fill more than their half at one go.
            got += await self._take(
                slow, min(self._free_slots(), self._policy.slots // 2 - self._held_slow())
            )
            if got:
                return got
        return 0

    async def _take(self, rooms: dict[str, int], limit: int) -> int:
        if limit < 1 or not rooms:
            return 0
        # Who stops us in between must still learn what was leased, to give it back.
        self._claiming = asyncio.ensure_future(
            self._queue.claim(rooms, self._now_us(), limit=limit, lease_s=self._policy.lease_s)
        )
        claimed, self._claiming = await asyncio.shield(self._claiming), None
        for each in claimed:
            self._begin(each)
        return len(claimed)

    def _in_turn(self) -> Iterator[Sequence[Endpoint]]:
        """All that are active, some at a time, each time beginning with others."""
        active = self._book.active
        step = 1 if len(active) <= ENDPOINTS_PER_CLAIM else ENDPOINTS_PER_CLAIM
        for _ in range(0, len(active), ENDPOINTS_PER_CLAIM):
            self._turn = (self._turn + step) % len(active)
            yield (*active[self._turn :], *active[: self._turn])[:ENDPOINTS_PER_CLAIM]

    def _free_slots(self) -> int:
        return self._policy.slots - self._under_way.total()

    def _held_slow(self) -> int:
        return sum(self._under_way[name] for name, manner in self._manners.items() if manner.slow)

    def _rooms(self, endpoints: Sequence[Endpoint]) -> tuple[dict[str, int], dict[str, int]]:
        """How many more each may have under way here: the quick ones, and the slow ones."""
        now_s = self._clock.monotonic()
        quick: dict[str, int] = {}
        slow: dict[str, int] = {}
        for endpoint in endpoints:
            manner = self._manner(endpoint)
            if now_s < manner.locked_until_s:
                continue
            room = manner.most(endpoint) - self._under_way[endpoint.endpoint_id]
            if manner.pace is not None:
                room = min(room, manner.pace.room(now_s))
            if room > 0:
                (slow if manner.slow else quick)[endpoint.endpoint_id] = room
        return quick, slow

    def _begin(self, claimed: Claimed) -> None:
        endpoint_id = claimed.delivery.endpoint_id
        self._under_way[endpoint_id] += 1
        endpoint = self._book.find(endpoint_id)
        if endpoint is not None and (pace := self._manner(endpoint).pace) is not None:
            pace.took(self._clock.monotonic())
        task = asyncio.create_task(self._deliver(claimed, endpoint))
        self._sending[task] = claimed
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        claimed = self._sending.pop(task)
        if task.cancelled():
            self._free(claimed.delivery)
        elif (error := task.exception()) is not None:
            # It counts as an attempt: what fails like this every time must not come back for ever.
            log.error("delivering the webhook %s failed", claimed.delivery.delivery_id, exc_info=error)
            self._end(claimed, Attempt(Outcome.BROKEN, self._now_us(), 0, detail="an error of the sender"))

    async def _deliver(self, claimed: Claimed, endpoint: Endpoint | None) -> None:
        delivery, event = claimed
        if endpoint is None:
            await self._give_back(delivery, self._now_us())
            return
        try:
            keys = await self._secrets.keys(endpoint)
            sending = await self._secrets.sending(endpoint)
        except (CredentialDamaged, VaultLocked, StoreUnavailable) as error:
            log.warning("webhooks to %s wait: %s", endpoint.endpoint_id, error.message)
            self._manner(endpoint).locked_until_s = self._clock.monotonic() + LOCKED_WAIT_S
            await self._give_back(delivery, self._now_us() + round(LOCKED_WAIT_S * _US))
            return
        body = shaped(endpoint.terms.format, event, sending.routing_key)
        if len(body) > BODY_BYTES_MAX:
            said = f"the event has {len(body)} bytes, at most {BODY_BYTES_MAX} are sent"
            self._end(claimed, Attempt(Outcome.TOO_LARGE, self._now_us(), 0, detail=said))
            return
        timestamp_s = int(self._clock.utc_now().timestamp())
        headers: tuple[tuple[str, str], ...] = (
            ("content-type", "application/json"),
            ("user-agent", self._policy.user_agent),
            ("webhook-id", event.event_id),
            ("webhook-timestamp", str(timestamp_s)),
            ("webhook-signature", sign(keys, event.event_id, timestamp_s, body)),
        )
        if event.trace and self._policy.traces:
            headers += (("traceparent", event.trace),)
        message = Message(delivery.tenant_id, sending.address or endpoint.terms.url, headers, body)
        attempt = await self._sender.send(message)
        manner = self._manner(endpoint)
        manner.known = True
        manner.failing = attempt.outcome is not Outcome.DELIVERED
        manner.slow = attempt.duration_ms >= SLOW_MS
        self._end(claimed, attempt)

    def _end(self, claimed: Claimed, attempt: Attempt) -> None:
        now_us = self._now_us()
        after = claimed.delivery.after(attempt, now_us, self._policy.schedule, draw=self._chance.random())
        self.outcomes[attempt.outcome.value] += 1
        self._ended.append(Settlement(after, attempt, dead_events(after, claimed.event.event_id, now_us)))
        self._to_settle.set()

    async def _give_back(self, delivery: Delivery, due_at_us: int) -> None:
        try:
            await self._queue.release([delivery], due_at_us)
        except StoreUnavailable as error:
            log.warning("a webhook was not given back, its lease runs out: %s", error.message)
        finally:
            self._free(delivery)

    async def _settle(self) -> None:
        while True:
            await self._to_settle.wait()
            self._to_settle.clear()
            while self._ended:
                await self._tried(self._settle_once)
                await asyncio.sleep(BETWEEN_SETTLEMENTS_S)

    async def _settle_once(self) -> int:
        batch = self._ended[:SETTLED_AT_ONCE]
        done = await self._queue.settle(batch, self._now_us(), self._policy.disabled_after_s)
        del self._ended[: len(batch)]
        for each in batch:
            self._free(each.delivery)
        if any(each.events for each in batch):
            self._due.set()
        return done

    async def _tried(self, work: Callable[[], Awaitable[int]]) -> int:
        """What `work` counts; 0 where a store is away, after a wait."""
        try:
            return await work()
        except InterchangeError as error:
            log.warning("webhooks wait: %s", error.message)
            await asyncio.sleep(AFTER_FAILURE_S)
            return 0

    async def _leave(self) -> None:
        begun: set[asyncio.Future[Any]] = {*self._sending}
        if self._claiming is not None:
            begun.add(self._claiming)
        if begun:
            await asyncio.wait(begun, timeout=self._policy.grace_s)
        unfinished = dict(self._sending)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        held = [*(each.delivery for each in unfinished.values()), *self._claimed_last()]
        try:
            while self._ended:
                await self._settle_once()
            await self._queue.release(held, self._now_us())
        except StoreUnavailable as error:
            log.warning("webhooks under way were not given back, their leases run out: %s", error.message)

    def _claimed_last(self) -> list[Delivery]:
        claiming = self._claiming
        if claiming is None or not claiming.done() or claiming.cancelled() or claiming.exception():
            return []
        return [each.delivery for each in claiming.result()]

    def _free(self, delivery: Delivery) -> None:
        self._under_way[delivery.endpoint_id] -= 1
        if self._under_way[delivery.endpoint_id] <= 0:
            del self._under_way[delivery.endpoint_id]
        self._room.set()

    def _manner(self, endpoint: Endpoint) -> _Manner:
        manner = self._manners.get(endpoint.endpoint_id)
        if manner is None:
            manner = self._manners[endpoint.endpoint_id] = _Manner(endpoint.terms.rate_per_s)
        return manner

    def forget_manners(self) -> None:
        """Endpoints changed: rates and what was known of those that are gone."""
        for endpoint in self._book.active:
            if (known := self._manners.get(endpoint.endpoint_id)) is not None:
                known.set_rate(endpoint.terms.rate_per_s)
        gone = self._manners.keys() - {each.endpoint_id for each in self._book.active}
        for endpoint_id in gone:
            del self._manners[endpoint_id]
        self.wake()

    def _now_us(self) -> int:
        return epoch_us(self._clock.utc_now())


async def _first_of(timeout_s: float, *events: asyncio.Event) -> None:
    """Until one of them is set, or the time is over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
