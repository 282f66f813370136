"""One serving process of the simulated installation with caches, from its start to its end or death."""

import asyncio
import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.memory.hold_board import InMemoryHoldBoard
from adapters.memory.scripted_llm import Script, ScriptedLlm
from adapters.memory.system import CountingIds
from adapters.vectors.plain import PlainVectorIndex
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.answer_stream import AnswerStream
from application.attempts import AttemptLoop
from application.budget_book import BudgetBook
from application.caching.answer_cache import AnswerCache
from application.caching.beside import BesideCalls
from application.caching.gateway_embeddings import SameForAll
from application.caching.hearing import Hearing
from application.caching.nearest import NearestQuestions
from application.caching.similar import SimilarAnswers
from application.caching.tiers import AnswerTiers
from application.caching.verified_book import VerifiedBook
from application.caching.write_behind import WriteBehind
from application.copied_request import ShadowOf
from application.holds import BudgetHolds
from application.job import Attribution, Job
from application.lease_book import LeaseBook
from application.ports.hold_board import AbandonedHolds
from application.ports.llm import UpstreamAnswer, UpstreamCall
from application.ports.wire import OPENAI_CHAT
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.keep_ledger import KeepLedger
from domain.analytics.event import RequestEvent
from domain.caching.invalidation import RuleBook
from domain.errors import InterchangeError
from domain.llm.request import LlmRequest
from domain.llm.usage import Usage
from domain.resilience.breaker import BreakerPolicy
from domain.resilience.retry_budget import RetryBudget
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from tests.simulation.far_redis import FarAnswers, FarLog, Way
from tests.simulation.money_world import MAX_TOKENS, PRICES, TIMES
from tests.simulation.purse import FarLedger, JournaledLog
from tests.simulation.questions import MeaningJudge, Question, UnsteadyEmbedder, answer_of, bold_prior
from tests.simulation.weather import Weather, usage_of, words_of
from tests.simulation.world import CALM_AFTER_S

if TYPE_CHECKING:
    from tests.simulation.cache_world import Asker, CacheWorld

L1_BYTES = 40_000
"""Little enough that answers leave it before their time."""
UPKEEP_EVERY_S = 5.0
UNHEARD_S = 8.0


def caller(tenant_id: str) -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id=f"key-{tenant_id}",
        key_name=tenant_id,
        role="developer",
        permissions=frozenset({"llm.call"}),
    )


class RememberingPipeline:
    """The way of requests, which notes who asked what before it goes anywhere."""

    def __init__(self, pipeline: AnswerLlmRequest, jobs: dict[str, Job]) -> None:
        self._pipeline = pipeline
        self._jobs = jobs

    async def begin(
        self,
        principal: Principal,
        request: LlmRequest,
        requirements: Requirements,
        attribution: Attribution,
        *,
        request_id: str | None = None,
        beside: str = "",
        shadow: ShadowOf | None = None,
    ) -> tuple[Job, LiveState]:
        told: dict[str, Any] = {"request_id": request_id, "beside": beside, "shadow": shadow}
        job, live = await self._pipeline.begin(principal, request, requirements, attribution, **told)
        self._jobs[job.request_id] = job
        return job, live

    async def complete(self, job: Job, live: LiveState) -> UpstreamAnswer:
        return await self._pipeline.complete(job, live)

    async def open(self, job: Job, live: LiveState) -> AnswerStream:
        return await self._pipeline.open(job, live)

    def end(self, job: Job, *, status: int, outcome: str, error_code: str = "") -> None:
        self._pipeline.end(job, status=status, outcome=outcome, error_code=error_code)


class CacheProcess:
    """`start`, then `call`, then `stop` or `die`."""

    def __init__(self, world: "CacheWorld", number: int) -> None:
        self._world = world
        self.number = number
        chance = random.Random(f"{world.seed}/cache/{number}")
        clock = world.clock
        self.way = FarLedger(
            world.ledger, random.Random(chance.random()), world.ledger_outages, number, CALM_AFTER_S
        )
        self.board = InMemoryHoldBoard()
        self.log = JournaledLog(world.rows, self.way, clock)
        holders = CountingIds()
        self.leases = LeaseBook(
            [self.way], self.board, clock, lambda: holders.next(f"p{number}"), self.log.flush
        )
        self.jobs: dict[str, Job] = {}
        self._make_cache(chance)
        self._make_pipeline(chance)
        self.callers: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[Any]] = []

    def _make_cache(self, chance: random.Random) -> None:
        world, clock = self._world, self._world.clock
        way = Way(
            redis=world.redis,
            outages=world.redis_outages,
            chance=random.Random(chance.random()),
            process=self.number % len(PRICES),
            calm_s=CALM_AFTER_S,
        )
        self.hearing = Hearing(
            FarLog(way, world.redis.log),
            clock,
            unheard_s=UNHEARD_S,
            chance=random.Random(chance.random()),
        )
        self.questions = Hearing(
            FarLog(way, world.redis.questions), clock, chance=random.Random(chance.random())
        )
        store = FarAnswers(way)
        self.writes = WriteBehind(store, clock, chance=random.Random(chance.random()))
        self.tiers = AnswerTiers(
            InMemoryFastAnswers(L1_BYTES, clock), store, self.hearing, RuleBook(), self.writes, clock
        )
        embedder = UnsteadyEmbedder(
            random.Random(chance.random()), lambda text: world.outcome.unread.append((world.now, text))
        )
        self.beside = BesideCalls(clock)
        self.nearest = NearestQuestions(
            embedders=SameForAll(embedder),
            embedder_id=embedder.id,
            index=PlainVectorIndex(embedder.id, embedder.dimensions),
            book=VerifiedBook(bold_prior(embedder.id)),
            tiers=self.tiers,
            reader=DialectCacheReader(),
            clock=clock,
        )
        self.similar = SimilarAnswers(
            self.nearest,
            judge=MeaningJudge(),
            hearing=self.questions,
            invalidations=self.hearing,
            beside=self.beside,
            chance=random.Random(chance.random()),
        )
        self.cache = AnswerCache(
            tiers=self.tiers,
            reader=DialectCacheReader(),
            frames=DialectFrames(),
            clock=clock,
            similar=self.similar,
        )
        self.cache.beside = self.beside

    def _make_pipeline(self, chance: random.Random) -> None:
        world, clock = self._world, self._world.clock
        holds = BudgetHolds(BudgetBook(world.budgets), self.leases, self.board, clock)
        live = LiveState(world.table, breaker_policy=BreakerPolicy(open_s=5.0, open_s_max=20.0))
        self._weather = Weather(
            random.Random(chance.random()), ("alpha", "beta", "gamma"), calm_after_s=CALM_AFTER_S
        )
        provider = ScriptedLlm(self._script, clock=clock, frames=DialectFrames())
        attempts = AttemptLoop(
            direct=provider,
            gateway=None,
            frames=DialectFrames(),
            clock=clock,
            holds=holds,
            chance=random.Random(chance.random()),
            retry_budget=RetryBudget(0.2, 1.0, 10.0),
        )
        self._inner = AnswerLlmRequest(
            runtime=Runtime(world.table, live),
            attempts=attempts,
            usage_log=self.log,
            clock=clock,
            ids=world.ids,
            chance=random.Random(chance.random()),
            slots_max=300,
            observe=self._observed,
            holds=holds,
            cache=self.cache,
        )
        self.pipeline = RememberingPipeline(self._inner, self.jobs)
        self.beside.attach(self.pipeline)

    async def start(self) -> None:
        """Runs what runs beside requests. As in a real process, a log that is away is waited for beside."""
        keep = KeepLedger([self.way], self._world.ledger, self._world.clock, TIMES)
        running = (
            self.leases.run, self.log.run, keep.run, self.hearing.run, self.questions.run, self.writes.run,
            self.beside.run, self.similar.run, self._upkeep,
        )  # fmt: skip
        self._tasks = [asyncio.ensure_future(run()) for run in running]

    async def _upkeep(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_EVERY_S)
            await self.similar.upkeep()

    # What providers do

    def _script(self, call: UpstreamCall) -> Script:
        from tests.simulation.cache_world import ProviderCall

        world, job = self._world, self.jobs[call.request_id]
        now_s = world.now
        script = self._weather.script(call, now_s)
        number = int(call.request_id.rpartition("_")[2])
        asked = json.loads(job.request.body)["messages"][0]["content"]
        question = Question(world.meanings[asked], asked)
        tenant_id = job.principal.tenant_id
        place = len(world.outcome.calls)
        text = answer_of(tenant_id, question.meaning, place, words_of(number))
        route = job.plan.route
        wish = job.request.cache_wish
        world.outcome.calls.append(
            ProviderCall(
                number=place, request_id=call.request_id, tenant_id=tenant_id, route=route.name,
                question=question, model=call.target.id, tags=(*route.cache.tags, *wish.tags),
                started_s=now_s, text=text,
            )
        )  # fmt: skip
        cost = 0
        if script.failure is None:
            usage = usage_of(number, call.target.model)
            cost = _cost(usage, call.target.id)
        world.bill.charge(job, cost, frozenset({tenant_id}))
        world.outcome.trace.append(f"{now_s} p{self.number} {call.request_id} {call.target.id} {cost}")
        return replace(script, text=text)

    def _observed(self, event: RequestEvent) -> None:
        if not self.log.dead:
            self._world.outcome.events.setdefault(event.request_id, []).append(event)
            self._world.outcome.trace.append(repr(event))

    # What callers do

    def call(self, asker: "Asker") -> "asyncio.Task[None]":
        """One request, as a task that ends with the process."""
        task = asyncio.ensure_future(self._call(asker))
        self.callers.add(task)
        task.add_done_callback(self.callers.discard)
        return task

    async def _call(self, asker: "Asker") -> None:
        body: dict[str, Any] = {
            "model": asker.route,
            "messages": [{"role": "user", "content": asker.question.text}],
            "stream": asker.stream,
            "max_tokens": MAX_TOKENS,
        }
        request = DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())
        request.cache_wish = asker.wish
        asker.began_s, asker.heard = self._world.now, self.tiers.heard
        pipeline = self.pipeline
        try:
            job, live = await pipeline.begin(caller(asker.tenant_id), request, Requirements(), Attribution())
        except InterchangeError as refused:
            asker.outcome, asker.told = refused.code, refused.message
            return
        asker.request_id = job.request_id
        try:
            if asker.stream:
                stream = await pipeline.open(job, live)
                try:
                    while (block := await stream.next_block()) is not None:
                        asker.text += _text_in(block.raw)
                finally:
                    stream.close()
            else:
                answer = json.loads((await pipeline.complete(job, live)).body)
                asker.text = answer["choices"][0]["message"]["content"]
            asker.outcome = "ok"
            pipeline.end(job, status=200, outcome="ok")
        except InterchangeError as error:
            asker.outcome, asker.told = error.code, error.message
            pipeline.end(job, status=500, outcome="error", error_code=error.code)
        finally:
            pipeline.end(job, status=499, outcome="cancelled")

    # The end

    def running_requests(self) -> set[str]:
        """Begun and not recorded."""
        return {request_id for request_id, job in self.jobs.items() if not job.recorded}

    def still_running(self) -> list[str]:
        """What there must not be when everybody has gone."""
        left = [f"{request_id} is not recorded" for request_id in self.running_requests()]
        if self._inner.in_flight:
            left.append(f"p{self.number}: {self._inner.in_flight} slots are taken")
        left += [f"p{self.number}: {key.hex()} is still fetched" for key in self.cache.shared.running]
        return left + [
            f"p{self.number}: {call.job.request_id} still runs" for call in self.cache.shared.calls
        ]

    async def die(self) -> AbandonedHolds:
        """At once, as by SIGKILL: journal and board stay as they are at this moment."""
        self.log.dead = True
        found = self.board.abandoned()
        found = found._replace(holds=list(found.holds))
        await self._end([*self._tasks, *self.callers])
        await self.cache.aclose()
        return found

    async def stop(self) -> None:
        """In order, as the lifespan does it."""
        await self.cache.aclose()
        await self._end(self._tasks)
        await self.questions.flush(3.0)
        await self.writes.flush(3.0)
        await self.similar.aclose()
        await self.tiers.aclose()
        await self.log.flush()
        await self.leases.aclose()

    @staticmethod
    async def _end(tasks: "list[asyncio.Task[Any]]") -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _cost(usage: Usage, target_id: str) -> int:
    tokens_in, tokens_out = PRICES[target_id]
    return usage.input_tokens * tokens_in + usage.output_tokens * tokens_out


def _text_in(raw: bytes) -> str:
    told = ""
    for frame in raw.split(b"\n\n"):
        if frame.startswith(b"data: {"):
            choices = json.loads(frame[6:])["choices"]
            told += choices[0]["delta"].get("content", "") if choices else ""
    return told
