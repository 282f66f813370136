"""The whole way of a request with one shadow beside it, in virtual time: `auto` is answered by alpha, and
copied to the route `mirror`, which is beta."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from adapters.memory.scripted_llm import Script
from adapters.memory.shadows import InMemoryShadowLog
from adapters.memory.stops import InMemoryStopStore
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.conversation_tails import WireTails
from adapters.wire.heads import DialectReader
from adapters.wire.unstreamed import WireUnstreamed
from application.experiments.book import ExperimentBook
from application.experiments.shadow_calls import ShadowCalls
from application.guards import AgentGuards
from application.holds import BudgetHolds
from application.inspection import Inspector
from application.job import Attribution, Job
from application.places import Places
from application.ports.system import Clock
from application.ports.wire import OPENAI_CHAT
from application.rate_limits import RateLimits
from application.runtime import Runtime
from application.stops import StopBoard
from application.tenant_book import TenantBook
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.analytics.event import RequestEvent
from domain.caching.effect import SHADOW
from domain.experiments.experiment import Arm, Shadow, Status
from domain.experiments.shadowing import has_room
from domain.experiments.standing import Standing, StoppedArm
from domain.llm.usage import Usage
from domain.residency.place import Atlas
from domain.routing.live import LiveState
from domain.routing.requirements import REGIONS, Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target
from domain.tenancy.principal import Principal
from tests.unit.application.upstreams import OK, Bench
from tests.unit.experiments.made import experiment

COUNTED = replace(OK, usage=Usage(10, 5))
CALLER = Principal(
    tenant_id="default", key_id="k1", key_name="k1", role="agent", permissions=frozenset({"llm.call"})
)


class ShadowWorld:
    """`targets` changes the two, alpha and beta; `beside` the clock of copies; `route` is of `auto`."""

    def __init__(
        self,
        *,
        beta: Script = COUNTED,
        shadows: Sequence[Shadow] = (Shadow(name="mirror", route="mirror", share=1.0),),
        targets: Callable[[Target], Target] = lambda one: one,
        money: Callable[[Clock], BudgetHolds] | None = None,
        limits: Callable[[Clock], RateLimits] | None = None,
        beside: Callable[[Clock], Clock] = lambda clock: clock,
        inspectors: Iterable[Inspector] = (),
        slots_max: int = 100,
        **route: Any,
    ) -> None:
        self.bench = Bench({"alpha/m": COUNTED, "beta/m": beta}, money=money)
        placed = [targets(one) for one in self.bench._table.targets]
        routes = {
            name: replace(self.bench.route, name=name, targets=(RouteTarget(target=one),), **more)
            for name, one, more in (("auto", placed[0], route), ("mirror", placed[1], {}))
        }
        self.use(placed, routes)
        clock = self.clock = self.bench.clock
        self.board = StopBoard(InMemoryStopStore(), clock)
        self.guards = AgentGuards(self.board, WireTails(), clock, CountingIds())
        self.tenants = TenantBook()
        self.events: list[RequestEvent] = []
        self.log = InMemoryShadowLog(lambda: self.events)
        self.calls = ShadowCalls(self.log, DialectCacheReader(), WireUnstreamed(), beside(clock))
        self.book = ExperimentBook()
        self.book.copying = self.calls
        self._shadows = shadows
        self.stand()
        self.limits = None if limits is None else limits(clock)
        self.pipeline = AnswerLlmRequest(
            runtime=self.runtime,
            attempts=self.bench.loop,
            usage_log=InMemoryUsageLog(buffer_rows_max=10_000),
            clock=clock,
            ids=CountingIds(),
            chance=random.Random(1),
            slots_max=slots_max,
            observe=self.events.append,
            holds=self.bench.holds,
            guards=self.guards,
            limits=self.limits,
            inspectors=tuple(inspectors),
            places=Places(self.tenants, Atlas(REGIONS)),
            experiments=self.book,
        )
        self.calls.attach(
            self.pipeline,
            lambda: has_room(slots_max, self.pipeline.in_flight),
            lambda: self.runtime.snapshot[0],
            self.book.shadows_now,
        )

    def use(self, placed: Sequence[Target], routes: dict[str, Route]) -> None:
        table = RoutingTable.compile(placed, routes)
        self.runtime = Runtime(table, LiveState(table))

    def stand(self, status: Status = Status.RUNNING, *stopped: str) -> None:
        """The only experiment, in force as it stands now."""
        made = experiment(arms=(Arm(name="now", route="auto"), *self._shadows), unit="request", everyone=True)
        standing = Standing(
            experiment=replace(made, route="auto"),
            status=status,
            stopped={name: StoppedArm(1, "why") for name in stopped},
        )
        self.book.replace([standing])

    async def ask(self, by: Principal = CALLER, *, prompt: str = "hi", **demands: Any) -> Job:
        """A caller's request, answered by control to its end."""
        body = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": prompt}]}
        request = DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())
        who = Attribution(agent_id="a1", user_id="u1", session_id="s1")
        job, live = await self.pipeline.begin(by, request, Requirements(**demands), who, entered=0.0)
        await self.pipeline.complete(job, live)
        self.pipeline.end(job, status=200, outcome="ok")
        return job

    @asynccontextmanager
    async def copying(self) -> AsyncIterator[None]:
        """Copies are asked inside; at the end all that waited are over."""
        task = asyncio.create_task(self.calls.run())
        try:
            yield
            async with asyncio.timeout(600):  # of virtual time
                while self.calls.waiting or self.calls.running:  # noqa: ASYNC110 - time is virtual
                    await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def copies(self) -> list[RequestEvent]:
        return [event for event in self.events if event.cache == SHADOW]

    @property
    def sent(self) -> int:
        """Calls that reached the shadow's provider."""
        return self.bench.asked().count("beta/m")
