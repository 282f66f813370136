"""Several processes that share budgets, in virtual time: they crash, are cut off, and come back.

Providers bill the whole answer for every call they began, also where the caller left, the stream was cut or
nobody heard of it; only what they refused is free. Everything follows from the seed.
"""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from adapters.memory.hold_board import InMemoryHoldBoard
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.scripted_llm import Script, ScriptedLlm
from adapters.memory.system import CountingIds
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.attempts import AttemptLoop
from application.budget_book import BudgetBook
from application.holds import BudgetHolds
from application.job import Attribution, Job
from application.lease_book import LeaseBook
from application.ports.hold_board import AbandonedHolds
from application.ports.llm import UpstreamCall
from application.ports.wire import OPENAI_CHAT
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.keep_ledger import KeepLedger, LedgerTimes
from application.use_cases.recover_holds import RecoverHolds
from domain.budgets.budget import Budget
from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.errors import InterchangeError, StoreUnavailable
from domain.llm.capabilities import Capability
from domain.resilience.breaker import BreakerPolicy
from domain.resilience.retry_budget import RetryBudget
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, StreamRecovery, Target, Via
from tests.simulation.purse import Bill, FarLedger, JournaledLog, Outage, Table, budgets, outages
from tests.simulation.virtual_time import VirtualClock, run_virtual
from tests.simulation.weather import Weather, usage_of
from tests.simulation.world import CALM_AFTER_S, PRINCIPAL, TIMEOUTS

PROCESSES = 3
AGENTS, SESSIONS = 6, 40
ARRIVALS_S = 85.0
TIMES = LedgerTimes(lost_after_s=10.0, booked_after_s=22.0)
BEFORE_THE_HOUR = timedelta(minutes=59, seconds=20)
PRICES = {"alpha/small": (1_000, 2_000), "beta/small": (4_000, 9_000), "gamma/medium": (2_000, 3_000)}
"""Nano-dollars per token, in and out."""
MAX_TOKENS = 64


class LateClock(VirtualClock):
    """An hour ends after forty seconds."""

    def utc_now(self) -> datetime:
        return super().utc_now() + BEFORE_THE_HOUR


def table() -> RoutingTable:
    """Three providers of different prices; a stream may be finished elsewhere."""
    placed = []
    for index, (name, (tokens_in, tokens_out)) in enumerate(PRICES.items()):
        provider, model = name.split("/")
        offering = Offering(
            provider=provider,
            model=model,
            prices=PriceTable(base=Rates(input=tokens_in * 1_000_000, output=tokens_out * 1_000_000)),
            capabilities=Capability.TEXT | Capability.STREAMING,
            context_tokens=32_000,
            prefill=True,
        )
        placed.append(
            Target(
                index=index, id=name, provider=provider, model=model, offering=offering, wire="openai",
                via=Via.DIRECT,
            )
        )  # fmt: skip
    members = tuple(RouteTarget(target=one, priority=one.index) for one in placed)
    routes = {
        name: Route(
            name=name, targets=members, strategy=strategy, timeouts=TIMEOUTS,
            stream_recovery=StreamRecovery.CONTINUE, clamp_to_budget=name == "clamped",
        )
        for name, strategy in (("usual", "priority"), ("balanced", "balanced"), ("clamped", "priority"))
    }  # fmt: skip
    return RoutingTable.compile(tuple(placed), routes)


@dataclass(slots=True, kw_only=True)
class Spender:
    """One request as its caller plans it, and how it ended."""

    number: int
    at_s: float
    route: str
    stream: bool
    agent: str
    session: str
    leaves_after_s: float | None
    outcome: str = "waiting"


@dataclass(slots=True, kw_only=True)
class MoneyOutcome:
    """What a run left behind."""

    seed: int
    spenders: list[Spender]
    ledger: InMemoryLedger
    rows: Table
    bill: Bill
    trace: list[str] = field(default_factory=list)
    crashes: int = 0
    left_open: list[str] = field(default_factory=list)


class Process:
    """One serving process, from its start to its end or death."""

    def __init__(self, world: "MoneyWorld", number: int) -> None:
        self._world = world
        chance = random.Random(f"{world.seed}/{number}")
        clock = world.clock
        way = FarLedger(world.ledger, random.Random(chance.random()), world.outages, number, CALM_AFTER_S)
        self.number = number
        self.way = way
        self.board = InMemoryHoldBoard()
        self.log = JournaledLog(world.rows, way, clock)
        self.book = BudgetBook(world.budgets)
        holders = CountingIds()
        self.leases = LeaseBook([way], self.board, clock, lambda: holders.next(f"p{number}"), self.log.flush)
        self.holds = BudgetHolds(self.book, self.leases, self.board, clock)
        self.jobs: dict[str, Job] = {}
        compiled = table()
        live = LiveState(compiled, breaker_policy=BreakerPolicy(open_s=5.0, open_s_max=20.0))
        provider = ScriptedLlm(self._script, clock=clock, frames=DialectFrames())
        self._weather = Weather(
            random.Random(chance.random()), ("alpha", "beta", "gamma"), calm_after_s=CALM_AFTER_S
        )
        self.pipeline = AnswerLlmRequest(
            runtime=Runtime(compiled, live),
            attempts=AttemptLoop(
                direct=provider, gateway=None, frames=DialectFrames(), clock=clock, holds=self.holds,
                chance=random.Random(chance.random()), retry_budget=RetryBudget(0.2, 1.0, 10.0),
            ),
            usage_log=self.log, clock=clock, ids=CountingIds(), chance=random.Random(chance.random()),
            slots_max=200, observe=lambda event: world.observed(self, repr(event)), holds=self.holds,
        )  # fmt: skip
        keep = KeepLedger([way], world.ledger, clock, TIMES)
        self._tasks = [asyncio.ensure_future(run()) for run in (self.leases.run, self.log.run, keep.run)]
        self.callers: set[asyncio.Task[None]] = set()

    def _script(self, call: UpstreamCall) -> Script:
        script = self._weather.script(call, asyncio.get_running_loop().time())
        cost = 0
        if script.failure is None:
            usage = usage_of(int(call.request_id.rpartition("_")[2]), call.target.model)
            tokens_in, tokens_out = PRICES[call.target.id]
            cost = usage.input_tokens * tokens_in + usage.output_tokens * tokens_out
        concerned = {"all", "hourly", "agents", "sessions"} | ({"beta"} & {call.target.provider})
        self._world.bill.charge(self.jobs[call.request_id], cost, frozenset(concerned))
        self._world.trace.append(
            f"{self._world.now} p{self.number} {call.request_id} {call.target.id} {cost}"
        )
        return script

    def call(self, spender: Spender) -> "asyncio.Task[None]":
        """One request of a caller, as a task that ends with the process."""
        task = asyncio.ensure_future(self._call(spender))
        self.callers.add(task)
        task.add_done_callback(self.callers.discard)
        return task

    async def _call(self, spender: Spender) -> None:
        body: dict[str, Any] = {
            "model": spender.route, "messages": [{"role": "user", "content": "hi"}], "stream": spender.stream,
            "max_tokens": MAX_TOKENS,
        }  # fmt: skip
        request = DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())
        who = Attribution(agent_id=spender.agent, session_id=spender.session)
        pipeline = self.pipeline
        try:
            job, live = await pipeline.begin(
                PRINCIPAL, request, Requirements(), who, request_id=f"req_{spender.number}"
            )
        except InterchangeError as refused:
            spender.outcome = refused.code
            return
        self.jobs[job.request_id] = job
        try:
            if spender.stream:
                stream = await pipeline.open(job, live)
                try:
                    while await stream.next_block() is not None:
                        pass
                finally:
                    stream.close()
            else:
                await pipeline.complete(job, live)
            spender.outcome = "ok"
            pipeline.end(job, status=200, outcome="ok")
        except InterchangeError as error:
            spender.outcome = error.code
            pipeline.end(job, status=500, outcome="error", error_code=error.code)
        finally:
            pipeline.end(job, status=499, outcome="cancelled")

    async def die(self) -> AbandonedHolds:
        """At once, as by SIGKILL: journal and board stay as they are at this moment."""
        self.log.dead = True
        found = self.board.abandoned()
        found = found._replace(holds=list(found.holds))
        await self._end([*self._tasks, *self.callers])
        return found

    async def stop(self) -> None:
        """In order: nobody calls any more, rows are written, leases go back."""
        await self._end(self._tasks)
        await self.log.flush()
        await self.leases.aclose()

    @staticmethod
    async def _end(tasks: list["asyncio.Task[None]"]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class MoneyWorld:
    """One seed's installation. Made inside the running virtual loop."""

    def __init__(self, seed: int, requests: int) -> None:
        self.seed = seed
        chance = random.Random(f"money/{seed}")
        self.clock = LateClock(asyncio.get_running_loop())
        self.ledger = InMemoryLedger()
        self.rows = Table(self.ledger)
        self.bill = Bill()
        self.budgets = budgets()
        self.outages: list[Outage] = outages(chance, PROCESSES, CALM_AFTER_S)
        self.trace: list[str] = []
        self._chance = chance
        self._crashes = sorted(
            (chance.uniform(5, 70), chance.randrange(PROCESSES)) for _ in range(chance.randrange(1, 4))
        )
        self._recovering: list[asyncio.Task[None]] = []
        self.spenders = [self._planned(number, chance) for number in range(requests)]
        self.outcome = MoneyOutcome(
            seed=seed,
            spenders=self.spenders,
            ledger=self.ledger,
            rows=self.rows,
            bill=self.bill,
            trace=self.trace,
        )
        self.processes = [Process(self, number) for number in range(PROCESSES)]

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def observed(self, process: Process, text: str) -> None:
        """An event of a living process is part of what happened."""
        if not process.log.dead:
            self.trace.append(text)

    @staticmethod
    def _planned(number: int, chance: random.Random) -> Spender:
        return Spender(
            number=number,
            at_s=chance.uniform(0, ARRIVALS_S),
            route=chance.choice(("usual", "usual", "balanced", "clamped")),
            stream=chance.random() < 0.6,
            agent=f"a{min(int(chance.expovariate(0.5)), AGENTS - 1)}",
            session=f"s{chance.randrange(SESSIONS)}",
            leaves_after_s=chance.choice((0.01, 0.3, 1.0, 3.0)) if chance.random() < 0.15 else None,
        )

    async def run(self) -> MoneyOutcome:
        """Everybody calls; processes die and are recovered; then everything ends in order."""
        disturbing = [
            *(self._crash(at_s, place) for at_s, place in self._crashes),
            self._change_limits(),
        ]
        await asyncio.gather(*(self._live_through(one) for one in self.spenders), *disturbing)
        await asyncio.gather(*self._recovering)
        for process in self.processes:
            await process.stop()
        self.outcome.left_open = [
            f"p{process.number} {hold.attempt_id}"
            for process in self.processes
            for hold in process.board.holds.values()
        ]
        return self.outcome

    async def _live_through(self, spender: Spender) -> None:
        await asyncio.sleep(spender.at_s)
        calling = self.processes[spender.number % PROCESSES].call(spender)
        await asyncio.wait((calling,), timeout=spender.leaves_after_s)
        calling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calling
        if spender.outcome == "waiting":
            spender.outcome = "left"

    async def _crash(self, at_s: float, place: int) -> None:
        await asyncio.sleep(at_s)
        old = self.processes[place]
        self.outcome.crashes += 1
        recovery_s = self._chance.choice((0.5, 5.0, 40.0))
        self.processes[place] = Process(self, PROCESSES + self.outcome.crashes)
        self.trace.append(f"{self.now} p{old.number} dies")
        found = await old.die()
        self._recovering.append(asyncio.ensure_future(self._recover(old, found, recovery_s)))

    async def _recover(self, dead: Process, found: AbandonedHolds, after_s: float) -> None:
        """What the next process does with what the dead one left: rows first, then its open holds."""
        await asyncio.sleep(after_s)
        while True:
            with contextlib.suppress(StoreUnavailable):
                await dead.log.flush()
                await RecoverHolds([dead.way], self.clock)(found)
                return
            await asyncio.sleep(1.0)

    async def _change_limits(self) -> None:
        """The hourly budget grows; the first agents' budgets are lowered to less than was spent, perhaps."""
        await asyncio.sleep(25.0)
        await self._change("hourly", 40)
        await asyncio.sleep(20.0)
        await self._change("agents", 8)

    async def _change(self, name: str, limit_musd: int) -> None:
        """Every process hears of it in its own time; until all have, either limit may hold."""
        limit = limit_musd * 1_000_000
        old = next(budget for budget in self.budgets if budget.name == name)
        self.budgets = tuple(_limited(budget, name, limit) for budget in self.budgets)
        for place in range(PROCESSES):
            await asyncio.sleep(self._chance.uniform(0, 0.5))
            process = self.processes[place]
            if process.book.replace(self.budgets):
                process.leases.recall(process.book.budgets)
            self._allow(old.budget_id, max(limit, old.limit_nano_usd))
        await asyncio.sleep(0.5)
        for account_id, books in self.ledger.ledger.books.items():
            if books.account is not None and books.account.budget_id == old.budget_id:
                committed = books.spent + books.unresolved + books.leased
                self.bill.allowed[account_id] = max(limit, committed)

    def _allow(self, budget_id: str, limit: int) -> None:
        for account_id, books in self.ledger.ledger.books.items():
            if books.account is not None and books.account.budget_id == budget_id:
                self.bill.allowed[account_id] = limit


def _limited(budget: Budget, name: str, limit: int) -> Budget:
    return replace(budget, limit_nano_usd=limit) if budget.name == name else budget


def simulate_money(seed: int, requests: int = 300) -> MoneyOutcome:
    """One run; the same seed and number give the same outcome."""

    async def run() -> MoneyOutcome:
        return await MoneyWorld(seed, requests).run()

    return run_virtual(run())
