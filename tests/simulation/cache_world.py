"""Several processes that share answers, in virtual time: callers of three tenants who ask the same things in
many words, invalidations, a Redis that is late, away or emptied, processes that die, and money.

Everything follows from the seed. Providers bill what they began, as in `money_world`.
"""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field

from adapters.embeddings.hashing import HashingEmbedder
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.system import CountingIds
from application.ports.hold_board import AbandonedHolds
from application.use_cases.recover_holds import RecoverHolds
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Budget
from domain.budgets.period import make_period
from domain.budgets.scope import make_scope
from domain.caching.entry import NOWHERE, Position
from domain.caching.invalidation import InvalidationKind, InvalidationRule, Radius, radius_value
from domain.caching.policy import CacheMode, CachePolicy, CacheWish
from domain.errors import StoreUnavailable
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget
from tests.simulation import money_world
from tests.simulation.cache_process import CacheProcess
from tests.simulation.far_redis import RedisInMemory
from tests.simulation.money_world import MoneyOutcome
from tests.simulation.purse import MEGA, Bill, Outage, Table, outages
from tests.simulation.questions import TENANTS, Question, drawn
from tests.simulation.virtual_time import VirtualClock, run_virtual
from tests.simulation.world import CALM_AFTER_S, TIMEOUTS

PROCESSES = 3
ARRIVALS_S, QUIET_S = 90.0, 75.0
HEARD_WITHIN_S = 1.0
LIMITS_MUSD = {"acme": 2_000, "globex": 2_000, "initech": 15}
"""Of one tenant's budget so little that kept answers are soon all it gets."""
POLICIES = {
    "exact": CachePolicy(
        mode=CacheMode.EXACT, ttl_s=25, stale_s=6, stale_if_error_s=20, tags=("exact", "shared")
    ),
    "verified": CachePolicy(
        mode=CacheMode.VERIFIED, ttl_s=60, error_rate=0.05, similarity_threshold=0.7, audit_share=0.2,
        tags=("shared",),
    ),
    "threshold": CachePolicy(mode=CacheMode.THRESHOLD, ttl_s=60, stale_s=5, similarity_threshold=0.75),
    "observed": CachePolicy(mode=CacheMode.OBSERVE, ttl_s=60, tags=("shared",)),
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Asker:
    """One request as its caller plans it, and what came of it. `heard` is how far its process had heard."""

    at_s: float
    process: int
    tenant_id: str
    route: str
    question: Question
    stream: bool
    wish: CacheWish
    leaves_after_s: float | None
    outcome: str = "waiting"
    told: str = ""
    """Of an error."""
    began_s: float = 0.0
    heard: Position = NOWHERE
    request_id: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """One call of a provider, and what it says when it is heard to the end. Times are the loop's."""

    number: int
    request_id: str
    tenant_id: str
    route: str
    question: Question
    model: str
    tags: tuple[str, ...]
    started_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An invalidation that succeeded."""

    rule: InvalidationRule
    position: Position
    began_s: float
    at_s: float
    near: str = ""
    """The text that a radius is around."""


@dataclass(slots=True, kw_only=True)
class CacheOutcome(MoneyOutcome):
    """What a run left behind."""

    askers: list[Asker]
    calls: list[ProviderCall] = field(default_factory=list)
    declared: list[Declared] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    """Living processes that had not heard of an invalidation in time, though nothing kept them from it."""
    events: dict[str, list[RequestEvent]] = field(default_factory=dict)
    """Of each request that was begun."""
    lost: set[str] = field(default_factory=set)
    """Requests that ran in a process when it died."""
    unread: list[tuple[float, str]] = field(default_factory=list)
    """When which text could not be embedded."""
    wrong: Counter[str] = field(default_factory=Counter)
    """By route, how often a similar question's answer was given that means something else."""
    still_running: list[str] = field(default_factory=list)


def table() -> RoutingTable:
    """One route for each way of caching, over the providers of the world with money."""
    targets = money_world.table().targets
    members = tuple(RouteTarget(target=one, priority=one.index) for one in targets)
    routes = {
        name: Route(name=name, targets=members, strategy="priority", timeouts=TIMEOUTS, cache=policy)
        for name, policy in POLICIES.items()
    }
    return RoutingTable.compile(targets, routes)


def budgets() -> tuple[Budget, ...]:
    """A hard one for each tenant."""
    return tuple(
        Budget(
            budget_id=f"bud_{tenant_id}",
            owner=tenant_id,
            name=tenant_id,
            scope=make_scope({"tenant": tenant_id}),
            period=make_period("total"),
            limit_nano_usd=limit * MEGA,
            hard=True,
        )
        for tenant_id, limit in LIMITS_MUSD.items()
    )


class CacheWorld:
    """One seed's installation. Made inside the running virtual loop."""

    def __init__(self, seed: int, requests: int) -> None:
        self.seed = seed
        chance = self._chance = random.Random(f"cache/{seed}")
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.ids = CountingIds()
        self.ledger = InMemoryLedger()
        self.rows = Table(self.ledger)
        self.bill = Bill()
        self.budgets = budgets()
        self.table = table()
        self.redis = RedisInMemory(self.clock)
        self.ledger_outages: list[Outage] = []
        self.redis_outages = outages(chance, PROCESSES, CALM_AFTER_S)
        self.outcome = CacheOutcome(
            seed=seed, spenders=[], ledger=self.ledger, rows=self.rows, bill=self.bill, askers=[]
        )
        while len(self.outcome.askers) < requests:
            self.outcome.askers += self._planned(chance)
        self.meanings = dict(asker.question[::-1] for asker in self.outcome.askers)
        self._invalidations = sorted(chance.uniform(8, ARRIVALS_S) for _ in range(14))
        self._crashes = sorted(
            (chance.uniform(10, 70), chance.randrange(PROCESSES)) for _ in range(chance.randrange(1, 4))
        )
        self._emptied = [chance.uniform(15, 75) for _ in range(chance.randrange(0, 3))]
        self._recovering: list[asyncio.Task[None]] = []
        self.dead: list[CacheProcess] = []
        self.processes = [CacheProcess(self, number) for number in range(PROCESSES)]

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @staticmethod
    def _planned(chance: random.Random) -> list[Asker]:
        """One caller, or several who ask the same at the same time, at one process or at several."""
        at_s, question, stream = chance.uniform(0, ARRIVALS_S), drawn(chance), chance.random() < 0.4
        route = chance.choice((*POLICIES, "exact", "verified"))
        tenant_id, process = chance.choice(TENANTS), chance.randrange(PROCESSES)
        many = chance.choice((2, 3, 6)) if chance.random() < 0.2 else 1
        return [
            Asker(
                at_s=at_s + chance.choice((0.0, 0.0, 0.01, 0.2)) * (many > 1),
                process=process if chance.random() < 0.8 else chance.randrange(PROCESSES),
                tenant_id=tenant_id if chance.random() < 0.8 else chance.choice(TENANTS),
                route=route,
                question=question,
                stream=stream,
                wish=_wish(chance),
                leaves_after_s=chance.choice((0.01, 0.3, 1.0, 3.0)) if chance.random() < 0.15 else None,
            )
            for _ in range(many)
        ]

    async def run(self) -> CacheOutcome:
        """Everybody calls; the world goes wrong; then everything ends in order."""
        for process in self.processes:
            await process.start()
        await asyncio.gather(
            *(self._live_through(asker) for asker in self.outcome.askers),
            *(self._crash(at_s, place) for at_s, place in self._crashes),
            *(self._invalidate(at_s) for at_s in self._invalidations),
            *(self._empty(at_s) for at_s in self._emptied),
        )
        await asyncio.gather(*self._recovering)
        await asyncio.sleep(QUIET_S)
        for process in self.processes:
            self.outcome.still_running += process.still_running()
            await process.stop()
        self.outcome.left_open = [
            f"p{process.number} {hold.attempt_id}"
            for process in self.processes
            for hold in process.board.holds.values()
        ]
        return self.outcome

    async def _live_through(self, asker: Asker) -> None:
        await asyncio.sleep(asker.at_s)
        calling = self.processes[asker.process].call(asker)
        await asyncio.wait((calling,), timeout=asker.leaves_after_s)
        calling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calling
        if asker.outcome == "waiting":
            asker.outcome = "left"

    async def _empty(self, at_s: float) -> None:
        """Redis is restarted, and keeps nothing on disk."""
        await asyncio.sleep(at_s)
        self.redis.empty()
        self.outcome.trace.append(f"{self.now} Redis is empty")

    async def _crash(self, at_s: float, place: int) -> None:
        await asyncio.sleep(at_s)
        old = self.processes[place]
        self.outcome.crashes += 1
        recovery_s = self._chance.choice((0.5, 5.0, 40.0))
        self.processes[place] = CacheProcess(self, PROCESSES * self.outcome.crashes + place)
        self.outcome.trace.append(f"{self.now} p{old.number} dies")
        self.outcome.lost |= old.running_requests()
        self.dead.append(old)
        found = await old.die()
        await self.processes[place].start()
        self._recovering.append(asyncio.ensure_future(self._recover(old, found, recovery_s)))

    async def _recover(self, dead: CacheProcess, found: AbandonedHolds, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            with contextlib.suppress(StoreUnavailable):
                await dead.log.flush()
                await RecoverHolds([dead.way], self.clock)(found)
                return
            await asyncio.sleep(1.0)

    async def _invalidate(self, at_s: float) -> None:
        chance = random.Random(f"{self.seed}/rule/{at_s}")
        rule, near = await _rule(chance)
        place = chance.randrange(PROCESSES)
        await asyncio.sleep(at_s)
        process, began_s = self.processes[place], self.now
        listening = [(each, each.hearing.failures, each.hearing.losses) for each in self.processes]
        try:
            position = await process.tiers.invalidate(rule)
        except StoreUnavailable:
            return
        self.outcome.declared.append(
            Declared(
                rule=rule._replace(position=position.number),
                position=position,
                began_s=began_s,
                at_s=self.now,
                near=near,
            )
        )
        self.outcome.trace.append(f"{self.now} p{process.number} {rule.kind.value} {rule.tenant_id} out")
        await asyncio.sleep(HEARD_WITHIN_S)
        for each, failures, losses in listening:
            disturbed = (each.hearing.failures, each.hearing.losses) != (failures, losses)
            alive = each in self.processes
            if alive and not disturbed and not has_heard(each.tiers.heard, position):
                self.outcome.unheard.append(f"{began_s} p{each.number} {rule.kind.value}")


def has_heard(heard: Position, position: Position) -> bool:
    """Whether whoever heard so far knows what stands there, or lost everything asked before it."""
    if heard.epoch == position.epoch:
        return heard.number >= position.number
    return _life(heard) > _life(position)


def _life(position: Position) -> int:
    return int(position.epoch.rpartition("-")[2] or 0)


def _wish(chance: random.Random) -> CacheWish:
    wish = CacheWish(tags=("mine",) if chance.random() < 0.3 else ())
    drawn_share = chance.random()
    if drawn_share < 0.03:
        return wish._replace(no_cache=True)
    if drawn_share < 0.06:
        return wish._replace(no_store=True)
    return wish._replace(ttl_s=5.0) if drawn_share < 0.1 else wish


async def _rule(chance: random.Random) -> tuple[InvalidationRule, str]:
    """What somebody wants out, and for a radius the text it is around."""
    tenant_id, question = chance.choice(TENANTS), drawn(chance)
    kind = chance.choice(
        (
            InvalidationKind.TAG, InvalidationKind.TAG, InvalidationKind.ROUTE, InvalidationKind.MODEL,
            InvalidationKind.TENANT, InvalidationKind.EVERYTHING, InvalidationKind.PROMPT,
            InvalidationKind.RADIUS, InvalidationKind.RADIUS,
        )
    )  # fmt: skip
    match kind:
        case InvalidationKind.TAG:
            return InvalidationRule(kind, tenant_id, chance.choice(("shared", "exact", "mine"))), ""
        case InvalidationKind.ROUTE:
            return InvalidationRule(kind, tenant_id, chance.choice(tuple(POLICIES))), ""
        case InvalidationKind.MODEL:
            return InvalidationRule(kind, "", chance.choice(tuple(money_world.PRICES))), ""
        case InvalidationKind.EVERYTHING:
            return InvalidationRule(kind, "", ""), ""
        case InvalidationKind.PROMPT:
            return InvalidationRule(kind, tenant_id, question.text[:14]), ""
        case InvalidationKind.RADIUS:
            (vector,) = await HashingEmbedder().embed([question.text])
            radius = Radius(0.8, vector, HashingEmbedder.id)
            return InvalidationRule(kind, tenant_id, radius_value(radius)), question.text
    return InvalidationRule(kind, tenant_id, ""), ""


def simulate_caches(seed: int, requests: int = 900) -> CacheOutcome:
    """One run; the same seed and number give the same outcome."""

    async def run() -> CacheOutcome:
        return await CacheWorld(seed, requests).run()

    return run_virtual(run())
