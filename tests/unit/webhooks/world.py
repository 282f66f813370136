"""A dispatcher over stores in memory, and a sender that answers as it is told."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.webhooks import InMemoryDeliveries, InMemoryEndpointStore
from application.ports.outbox import OutboxEvent
from application.ports.system import Clock
from application.ports.webhook_sender import Message, WebhookSender
from application.webhooks.book import WebhookBook
from application.webhooks.dispatcher import Dispatcher, DispatchPolicy
from application.webhooks.secrets import EndpointSecrets, Sending
from domain.events import BUDGET_ALERT
from domain.vault.secret import SecretBytes
from domain.webhooks.delivery import Attempt, Outcome, outcome_of_status
from domain.webhooks.endpoint import Endpoint, EndpointTerms
from domain.webhooks.schedule import Schedule

KEY = SecretBytes(b"k" * 32)
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TurnedClock(Clock):
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def utc_now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now_s)


class OneSecret(EndpointSecrets):
    """The same for everybody; `fails` is raised instead."""

    def __init__(self) -> None:
        self.fails: Exception | None = None

    async def keys(self, endpoint: Endpoint) -> tuple[SecretBytes, ...]:
        del endpoint
        if self.fails is not None:
            raise self.fails
        return (KEY,)

    async def sending(self, endpoint: Endpoint) -> Sending:
        del endpoint
        return Sending()


class ToldSender(WebhookSender):
    """`answers` by URL gives a status, or waits first."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.answers: dict[str, Callable[[Message], int]] = defaultdict(lambda: lambda _message: 200)
        self.hold: dict[str, asyncio.Event] = {}
        self.under_way: dict[str, int] = defaultdict(int)
        self.most: dict[str, int] = defaultdict(int)
        self.took_ms: dict[str, int] = defaultdict(lambda: 5)

    async def send(self, message: Message) -> Attempt:
        self.under_way[message.url] += 1
        self.most[message.url] = max(self.most[message.url], self.under_way[message.url])
        try:
            await (hold.wait() if (hold := self.hold.get(message.url)) else asyncio.sleep(0))
        finally:
            self.under_way[message.url] -= 1
        self.got.append(message)
        status = self.answers[message.url](message)
        outcome = Outcome.TIMEOUT if status == 0 else outcome_of_status(status)
        return Attempt(outcome, 0, self.took_ms[message.url], status or None)

    def ids(self, url: str) -> list[str]:
        return [dict(each.headers)["webhook-id"] for each in self.got if each.url == url]


class World:
    def __init__(self, *, slots: int = 16, waits_s: tuple[float, ...] = (0, 5)) -> None:
        self.outbox = InMemoryOutbox()
        self.endpoints = InMemoryEndpointStore(self.outbox)
        self.deliveries = InMemoryDeliveries(self.endpoints, InMemoryEventLog(self.outbox))
        self.book = WebhookBook(self.endpoints)
        self.clock, self.secrets, self.sender = TurnedClock(), OneSecret(), ToldSender()
        self.policy = DispatchPolicy(
            schedule=Schedule(waits_s=waits_s, jitter_share=0), slots=slots, grace_s=0.05
        )

    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.deliveries,
            self.book,
            self.secrets,
            self.sender,
            self.clock,
            random.Random(1),
            self.policy,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Dispatcher]:
        await self.book.refresh()
        dispatcher = self.dispatcher()
        task = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def endpoint(self, name: str, *, tenant: str = "acme", **said: object) -> str:
        url = f"https://example.com/{name}"
        made = Endpoint(
            endpoint_id=f"wh_{name}",
            tenant_id=tenant,
            terms=EndpointTerms(url=url, **said),  # type: ignore[arg-type]
        )
        await self.endpoints.add(made, endpoints_max=100)
        return url

    async def tell(self, *keys: str) -> None:
        for key in keys:
            await self.outbox.add(OutboxEvent(key, BUDGET_ALERT, "acme", '{"n": 1}', 1))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - looks at what others change
                await asyncio.sleep(0.005)

    def open(self) -> int:
        return sum(each.state.is_open for each in self.endpoints.deliveries.values())
