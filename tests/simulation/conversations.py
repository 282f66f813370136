"""Agents' conversations over providers with prompt caches, in virtual time, with affinity on or off.

The same seed gives the same agents, pauses and outages, so that two runs differ by affinity alone. The
providers keep what they read for five minutes after its last use, as their documentation says.
"""

import asyncio
import json
import random
from dataclasses import dataclass, field

from adapters.memory.affinity import InMemoryAffinityStore
from adapters.memory.scripted_llm import Script, ScriptedLlm
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.affinity import AffinityBook
from application.attempts import AttemptLoop
from application.job import Attribution
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
from domain.llm.usage import Usage, estimate_tokens
from domain.resilience.retry_budget import RetryBudget
from domain.routing.live import LiveState
from domain.routing.prompt_cache import CacheHabit
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target, Via
from domain.tenancy.role import local_operator
from tests.simulation.virtual_time import VirtualClock, run_virtual

AGENTS, TURNS = 24, 20
TTL_S = 300.0
TOKENS_MIN, STEP_TOKENS = 1024, 128
OUTAGE_SHARE = 0.03
LONG_PAUSE_SHARE = 0.04
ANSWER_TOKENS = 200
PRICES_USD_PER_MTOK = {"alpha/big": 3.0, "beta/big": 2.9, "gamma/big": 3.1}
STRATEGIES = ("weighted", "latency", "balanced", "cost")


@dataclass(slots=True)
class Tally:
    """What all agents of one run used and paid."""

    input_tokens: int = 0
    cached_tokens: int = 0
    cost_nano_usd: int = 0
    answered: int = 0
    moved: int = 0
    events: list[str] = field(default_factory=list)

    @property
    def hit_share(self) -> float:
        """Cached input over all input, 0 to 1."""
        return self.cached_tokens / max(1, self.input_tokens)

    def take(self, event: RequestEvent) -> None:
        """Counts one request."""
        self.events.append(f"{event.request_id} {event.provider} {event.affinity} {event.cost_nano_usd}")
        if event.outcome == "ok":
            self.answered += 1
            self.input_tokens += event.input_tokens
            self.cached_tokens += event.cached_read_tokens
            self.cost_nano_usd += event.cost_nano_usd or 0
            self.moved += event.affinity == "moved"


def _table(strategy: str) -> RoutingTable:
    targets = []
    for index, (name, usd) in enumerate(PRICES_USD_PER_MTOK.items()):
        provider, model = name.split("/")
        rates = Rates(input=round(usd * 1e9), output=round(usd * 5e9), cached_read=round(usd * 1e8))
        offering = Offering(
            provider=provider,
            model=model,
            prices=PriceTable(base=rates),
            capabilities=Capability.TEXT | Capability.STREAMING,
            context_tokens=1_000_000,
        )
        targets.append(
            Target(
                index=index,
                id=name,
                provider=provider,
                model=model,
                offering=offering,
                wire="openai",
                via=Via.DIRECT,
                prompt_cache=CacheHabit(prior=0.7, ttl_s=TTL_S),
            )
        )
    route = Route(
        name="agents",
        targets=tuple(RouteTarget(target=target) for target in targets),
        strategy=strategy,
        retries=0,
    )
    return RoutingTable.compile(targets, {"agents": route})


class _Providers:
    """Answers, counts what is cached, and fails now and then; the same failures whoever is asked."""

    def __init__(self, seed: int, loop: asyncio.AbstractEventLoop) -> None:
        self._seed = seed
        self._loop = loop
        self._kept: dict[tuple[str, str], tuple[int, float]] = {}

    def script(self, call: UpstreamCall) -> Script:
        """How one call goes; its id says which turn of which agent it is."""
        chance = random.Random(f"{self._seed} {call.request_id} {call.target.provider}")
        if chance.random() < OUTAGE_SHARE:
            return Script(failure=Failure(kind=FailureKind.SERVER_ERROR, message="", status=500))
        agent = call.request_id.split("-")[1]
        now_s, tokens = self._loop.time(), estimate_tokens(call.request.size_bytes)
        kept, used_s = self._kept.get((call.target.id, agent), (0, 0.0))
        shared = min(kept, tokens) // STEP_TOKENS * STEP_TOKENS
        cached = shared if shared >= TOKENS_MIN and now_s - used_s <= TTL_S else 0
        self._kept[call.target.id, agent] = (tokens, now_s)
        return Script(
            latency_s=chance.uniform(0.2, 1.5), usage=Usage(tokens, ANSWER_TOKENS, cached_read_tokens=cached)
        )


class _World:
    def __init__(self, seed: int, strategy: str, affinity: bool) -> None:
        loop = asyncio.get_running_loop()
        clock = VirtualClock(loop)
        table = _table(strategy)
        reader = DialectReader()
        provider = ScriptedLlm(_Providers(seed, loop).script, clock=clock, frames=DialectFrames())
        self.tally = Tally()
        self._seed = seed
        self._reader = reader
        self._pipeline = AnswerLlmRequest(
            runtime=Runtime(table, LiveState(table)),
            attempts=AttemptLoop(
                direct=provider,
                gateway=None,
                frames=DialectFrames(),
                clock=clock,
                chance=random.Random(seed),
                retry_budget=RetryBudget(),
            ),
            usage_log=InMemoryUsageLog(),
            clock=clock,
            ids=CountingIds(),
            chance=random.Random(seed),
            slots_max=1000,
            observe=self.tally.take,
            affinity=AffinityBook(InMemoryAffinityStore(), reader.fingerprint, clock) if affinity else None,
        )

    async def agent(self, number: int) -> None:
        """One agent: a long instruction, then turn after turn with pauses, some of them long."""
        chance = random.Random(f"{self._seed} agent {number}")
        said = [{"role": "system", "content": f"agent {number} " * chance.randrange(200, 2000)}]
        await asyncio.sleep(chance.uniform(0, 60))
        for turn in range(TURNS):
            said.append({"role": "user", "content": f"turn {turn} " + "look " * chance.randrange(20, 600)})
            await self._ask(f"req-{number}-{turn}", said)
            said.append({"role": "assistant", "content": "done " * ANSWER_TOKENS})
            long = chance.random() < LONG_PAUSE_SHARE
            await asyncio.sleep(chance.uniform(400, 2000) if long else chance.expovariate(1 / 20))

    async def _ask(self, request_id: str, said: list[dict[str, str]]) -> None:
        body = json.dumps({"model": "agents", "messages": said}).encode()
        request = self._reader.read(OPENAI_CHAT, body)
        pipeline = self._pipeline
        try:
            job, live = await pipeline.begin(
                local_operator(), request, Requirements(), Attribution(), request_id=request_id
            )
        except InterchangeError:
            return
        try:
            await pipeline.complete(job, live)
            pipeline.end(job, status=200, outcome="ok")
        except InterchangeError as error:
            pipeline.end(job, status=500, outcome="error", error_code=error.code)


def converse(seed: int, strategy: str, *, affinity: bool) -> Tally:
    """One run; the same arguments give the same tally."""

    async def run() -> Tally:
        world = _World(seed, strategy, affinity)
        async with asyncio.TaskGroup() as group:
            for number in range(AGENTS):
                group.create_task(world.agent(number))
        return world.tally

    return run_virtual(run())


def comparison(seed: int) -> list[str]:
    """Affinity off and on side by side, a line per strategy."""
    lines = [f"affinity off and on, {AGENTS} agents with {TURNS} turns each, seed {seed}:"]
    for strategy in STRATEGIES:
        off, on = (converse(seed, strategy, affinity=affinity) for affinity in (False, True))
        lines.append(
            f"  {strategy:9} prompt-cache hits {off.hit_share:6.1%} -> {on.hit_share:6.1%}   "
            f"cost {off.cost_nano_usd / 1e9:7.3f} -> {on.cost_nano_usd / 1e9:7.3f} USD "
            f"({on.cost_nano_usd / off.cost_nano_usd - 1:+.0%})   moved {on.moved} of {on.answered}"
        )
    return lines
