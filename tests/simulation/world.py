"""A whole installation in virtual time: callers, some of whom leave, and providers that fail as they like.

Everything follows from the seed: the requests, the weather, every draw. What is real is the pipeline with
its attempt loop, the routing, the breakers and the budget of retries; what is scripted is the providers.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field

from adapters.memory.scripted_llm import Script, ScriptedCall, ScriptedLlm
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.attempts import AttemptLoop
from application.job import Attribution, Job
from application.ports.llm import UpstreamCall
from application.ports.wire import OPENAI_CHAT
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.analytics.event import RequestEvent
from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.errors import InterchangeError
from domain.llm.capabilities import Capability
from domain.llm.failures import Failure, FailureKind
from domain.resilience.breaker import BreakerPolicy
from domain.resilience.retry_budget import RetryBudget
from domain.routing.health import HealthPolicy
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, StreamRecovery, Target, Via
from domain.tenancy.role import local_operator
from domain.time import Timeouts
from tests.simulation.virtual_time import VirtualClock, run_virtual
from tests.simulation.weather import Weather

TIMEOUTS = Timeouts(
    connect_s=5, headers_s=6, first_token_s=8, idle_s=5, total_s=40, stream_total_s=60, keep_alive_after_s=10
)
ARRIVALS_S, CALM_AFTER_S = 90.0, 75.0
RETRY_RATIO, RETRY_FLOOR_PER_S, RETRY_WINDOW_S = 0.1, 0.3, 10.0
GATEWAY_FAULT_SHARE = 0.05
PRINCIPAL = local_operator()
_PRICES = PriceTable(base=Rates(input=1_000_000_000, output=2_000_000_000))
_OFFERED = {
    # id: (prefill, context window)
    "alpha/small": (True, 8_000),
    "beta/small": (False, 8_000),
    "gamma/medium": (True, 32_000),
    "alpha/large": (True, 128_000),
    "solo/only": (False, 8_000),
}
_ROUTES = ("failover", "continue", "balanced", "single")


@dataclass(slots=True, kw_only=True)
class Caller:
    """One request as its caller plans it, and what came of it. `heard` is the text that arrived."""

    number: int
    at_s: float
    route: str
    stream: bool
    leaves_after_s: float | None
    heard: str = ""
    finishes: int = 0
    outcome: str = "waiting"
    took_s: float = 0.0
    job: Job | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run left behind, for the invariants to look at. Times of calls are the clock's."""

    seed: int
    callers: list[Caller]
    calls: list[ScriptedCall]
    log: InMemoryUsageLog
    live: LiveState
    pipeline: AnswerLlmRequest
    providers: tuple[ScriptedLlm, ...]
    observed: list[RequestEvent] = field(default_factory=list)

    @property
    def trace(self) -> list[str]:
        """Everything that happened, in order, as text."""
        calls = [
            f"{call.started_s} {call.ended_s} {call.request_id} {call.target.id} {call.outcome} {call.said}"
            for call in self.calls
        ]
        return calls + [repr(event) for event in self.observed]


def targets() -> tuple[Target, ...]:
    """The targets of the world, some reached through the gateway."""
    made = []
    for index, (name, (prefill, context_tokens)) in enumerate(_OFFERED.items()):
        provider, model = name.split("/")
        offering = Offering(
            provider=provider,
            model=model,
            prices=_PRICES,
            capabilities=Capability.TEXT | Capability.STREAMING,
            context_tokens=context_tokens,
            prefill=prefill,
        )
        via = Via.AUTO if provider in ("alpha", "solo") else Via.DIRECT
        made.append(
            Target(
                index=index,
                id=name,
                provider=provider,
                model=model,
                offering=offering,
                wire="openai",
                via=via,
            )
        )
    return tuple(made)


def table() -> RoutingTable:
    """Four routes: several targets in order, the same finishing cut streams, balanced, and a single one."""
    placed = targets()
    *several, alone = (RouteTarget(target=one, priority=one.index) for one in placed)
    routes = {
        name: Route(
            name=name,
            targets=(alone,) if name == "single" else tuple(several),
            strategy="balanced" if name == "balanced" else "priority",
            timeouts=TIMEOUTS,
            stream_recovery=StreamRecovery.ERROR
            if name in ("failover", "single")
            else StreamRecovery.CONTINUE,
        )
        for name in _ROUTES
    }
    return RoutingTable.compile(placed, routes)


class World:
    """One seed's installation. Made inside the running virtual loop."""

    def __init__(self, seed: int, requests: int) -> None:
        loop = asyncio.get_running_loop()
        chance = random.Random(seed)
        self._loop = loop
        self._chance = random.Random(chance.random())
        self._clock = VirtualClock(loop)
        compiled = table()
        probes = chance.choice((1, 1, 2))
        live = LiveState(
            compiled,
            breaker_policy=BreakerPolicy(open_s=5.0, open_s_max=20.0, half_open_probes=probes),
            health_policy=HealthPolicy(unavailable_hold_s=5.0),
        )
        names = tuple({target.provider: None for target in compiled.targets})
        self._weather = Weather(random.Random(chance.random()), names, calm_after_s=CALM_AFTER_S)
        self._gateway_is_down: tuple[float, float] = (chance.uniform(0, 60), chance.uniform(20, 90))
        direct = ScriptedLlm(self._directly, clock=self._clock, frames=DialectFrames())
        gateway = ScriptedLlm(
            self._through_gateway,
            clock=self._clock,
            frames=DialectFrames(),
            reaches=lambda target: target.via is not Via.DIRECT and not self._gateway_down(),
        )
        log = InMemoryUsageLog()
        pipeline = AnswerLlmRequest(
            runtime=Runtime(compiled, live),
            attempts=AttemptLoop(
                direct=direct,
                gateway=gateway,
                frames=DialectFrames(),
                clock=self._clock,
                chance=random.Random(chance.random()),
                retry_budget=RetryBudget(RETRY_RATIO, RETRY_FLOOR_PER_S, RETRY_WINDOW_S),
            ),
            usage_log=log,
            clock=self._clock,
            ids=CountingIds(),
            chance=random.Random(chance.random()),
            slots_max=60,
            observe=lambda event: self.outcome.observed.append(event),
        )
        callers = [self._planned(number, chance) for number in range(requests)]
        self.outcome = Outcome(
            seed=seed,
            callers=callers,
            calls=[],
            log=log,
            live=live,
            pipeline=pipeline,
            providers=(direct, gateway),
        )

    def _planned(self, number: int, chance: random.Random) -> Caller:
        leaves = chance.random() < 0.15
        return Caller(
            number=number,
            at_s=chance.uniform(0, ARRIVALS_S),
            route=chance.choice(_ROUTES),
            stream=chance.random() < 0.6,
            leaves_after_s=chance.choice((0.01, 0.3, 1.0, 3.0, 9.0)) if leaves else None,
        )

    def _gateway_down(self) -> bool:
        begins_s, ends_s = self._gateway_is_down
        return begins_s <= self._loop.time() < ends_s

    def _directly(self, call: UpstreamCall) -> Script:
        return self._weather.script(call, self._loop.time())

    def _through_gateway(self, call: UpstreamCall) -> Script:
        if self._loop.time() < CALM_AFTER_S and self._chance.random() < GATEWAY_FAULT_SHARE:
            failure = Failure(kind=FailureKind.NETWORK, message="the gateway", at_gateway=True, sent=False)
            return Script(failure=failure)
        return self._weather.script(call, self._loop.time())

    async def run(self) -> Outcome:
        """Everybody calls, hears or leaves; returns when all is quiet."""
        async with asyncio.TaskGroup() as group:
            for caller in self.outcome.callers:
                group.create_task(self._live_through(caller))
        outcome = self.outcome
        outcome.calls = sorted(
            (call for provider in outcome.providers for call in provider.calls),
            key=lambda call: (call.started_s, call.request_id),
        )
        await outcome.log.flush()
        return outcome

    async def _live_through(self, caller: Caller) -> None:
        await asyncio.sleep(caller.at_s)
        began_s = self._loop.time()
        calling = self._loop.create_task(self._call(caller))
        await asyncio.wait((calling,), timeout=caller.leaves_after_s)
        if not calling.done():
            calling.cancel()
            await asyncio.wait((calling,))
        caller.took_s = self._loop.time() - began_s
        if calling.cancelled():
            caller.outcome = "left"
        else:
            calling.result()

    async def _call(self, caller: Caller) -> None:
        pipeline = self.outcome.pipeline
        body = {
            "model": caller.route,
            "messages": [{"role": "user", "content": "hi"}],
            "stream": caller.stream,
        }
        request = DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())
        request_id = f"req_{caller.number}"
        try:
            job, live = await pipeline.begin(
                PRINCIPAL, request, Requirements(), Attribution(), request_id=request_id
            )
        except InterchangeError:
            caller.outcome = "refused"
            return
        caller.job = job
        try:
            if caller.stream:
                stream = await pipeline.open(job, live)
                try:
                    while (block := await stream.next_block()) is not None:
                        _hear(caller, block.raw)
                finally:
                    stream.close()
            else:
                answer = json.loads((await pipeline.complete(job, live)).body)
                caller.heard = answer["choices"][0]["message"]["content"]
                caller.finishes = 1
            caller.outcome = "ok"
            pipeline.end(job, status=200, outcome="ok")
        except InterchangeError as error:
            caller.outcome = error.code
            pipeline.end(job, status=500, outcome="error", error_code=error.code)
        finally:
            pipeline.end(job, status=499, outcome="cancelled")


def _hear(caller: Caller, raw: bytes) -> None:
    for frame in raw.split(b"\n\n"):
        if frame.startswith(b"data: {"):
            choice = json.loads(frame[6:])["choices"][0]
            caller.heard += choice["delta"].get("content", "")
            caller.finishes += choice["finish_reason"] is not None


def simulate(seed: int, requests: int = 400) -> Outcome:
    """One run; the same seed and number give the same outcome."""

    async def run() -> Outcome:
        return await World(seed, requests).run()

    return run_virtual(run())
