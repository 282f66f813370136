"""Proof that hard budgets hold: everything breaks at once, and no bill ever passes a limit.

    python -m benchmarks.overspend_storm --postgres --redis --seed 7 --seconds 90
    python -m benchmarks.overspend_storm --quick

Starts instances of the server as an operator would (`interchange serve`, two workers each), a simulated
provider that bills what it served, also to callers who left, and 64 callers. On the way an instance is killed
with SIGKILL and started again, PostgreSQL stands still for ten seconds, and nodes of a Redis Cluster start
empty. At every charge of the provider's own bill, every budget is compared with its limit; at the end rows,
ledger and bill are compared to the nano-dollar. Exit status 1 names what did not hold.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.storm.callers import KEYS_PER_WAVE, Crowd, Wave
from benchmarks.storm.limits import NANO_USD_PER_USD, BillWatch, limits_for
from benchmarks.storm.plan import EVERYBODY, Plan, Planned, Strike, plan_for
from benchmarks.storm.verdict import Verdict, judge
from benchmarks.storm.world import World, prices
from entrypoints.simulator.server import SimulatedProvider

CALLERS: Final = 64
KEYS_TO_SPEND_OUT: Final = 12
RESTART_AFTER_S: Final = 1.0
QUIET_S: Final = 75.0
"""How long leases may take to come back after the last request: a pool in Redis that may have been granted
what nobody heard of is given up once a minute."""
REST_USD: Final = 2
"""What the tenant's budget has left when it is lowered in the end."""


class Storm:
    """One run. What it prints goes through `say`."""

    def __init__(
        self, seed: int, seconds: float, world: World, provider: SimulatedProvider, plan: Plan
    ) -> None:
        self.seed, self.seconds = seed, seconds
        self.world, self.provider, self.plan = world, provider, plan
        self.limits = list(limits_for(seconds))
        self.watch = BillWatch(self.limits)
        self.spent_out: set[tuple[str, str]] = set()
        self.not_judged: list[str] = []
        self.still_leased: list[tuple[str, str, int]] = []
        self.struck: list[str] = []
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        print(f"  {time.monotonic() - self._began:6.1f} s  {what}", flush=True)

    async def run(self) -> tuple[Verdict, Crowd]:
        """Rages, lets everything end, and judges."""
        self._prepare_provider()
        await self.world.start(self.limits)
        waves = 2 + int(self.seconds / 2)
        keys = await self.world.new_keys(min(60, waves * KEYS_PER_WAVE // 2) + KEYS_TO_SPEND_OUT)
        await asyncio.sleep(1.5)  # every worker has read the new keys then
        for_waves, rest = keys[KEYS_TO_SPEND_OUT:], keys[:KEYS_TO_SPEND_OUT]
        crowd = Crowd(self.seed, self.world.instances, for_waves)
        self.say(f"{len(self.world.instances)} instances serve, {CALLERS} callers begin")
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(crowd.call_until(stop, CALLERS))
            for planned in self.plan.strikes:
                group.create_task(self._strike(crowd, planned))
            group.create_task(self._spell())
            await asyncio.sleep(self.seconds)
            stop.set()
        self.say("callers have stopped, everything serves; now each budget is spent to its end")
        self.provider.heal()
        await self._spend_out(crowd, rest)
        await self._quiet()
        await self.world.stop()
        verdict = await judge(self.world.rows, self.watch, crowd.answers, self.spent_out)
        verdict.expect(not self.still_leased, "leases did not come back:", self.still_leased[:5])
        return verdict, crowd

    def _prepare_provider(self) -> None:
        provider, chance = self.provider, random.Random(self.seed)
        provider.set_prices(prices())
        provider.follow_bill(self.watch, cut_counts_in_full=True)
        provider.latency(ttft_ms=15, per_token_ms=1.5, sigma=0.5, seed=chance.randrange(2**31))
        provider.answer(tokens=160)
        for mishap in self.plan.mishaps:
            provider.fault(mishap.fault, match=mishap.match)

    async def _strike(self, crowd: Crowd, planned: Planned) -> None:
        await asyncio.sleep(planned.at_s)
        self.say(f"{planned.what} (wave {crowd.wave.number})")
        await self._carry_out(planned)
        self.struck.append(planned.strike.value)

    async def _carry_out(self, planned: Planned) -> None:
        world = self.world
        match planned.strike:
            case Strike.KILL:
                instance = world.instances[planned.target]
                instance.kill()
                await asyncio.sleep(RESTART_AFTER_S)
                await instance.start()
            case Strike.EMPTY_REDIS:
                assert world.redis is not None
                nodes = world.redis.nodes
                some = nodes if planned.target == EVERYBODY else [nodes[planned.target]]
                for node in some:
                    node.kill()
                await asyncio.gather(*(asyncio.to_thread(node.start) for node in some))
            case Strike.PAUSE_DATABASE:
                assert world.postgres is not None
                world.postgres.server.pause()
                try:
                    await asyncio.sleep(planned.for_s)
                finally:
                    world.postgres.server.go_on()

    async def _spell(self) -> None:
        began = time.monotonic()
        for at_s, for_s, mishap in self.plan.spells:
            if at_s > self.seconds:
                return
            await asyncio.sleep(max(0.0, began + at_s - time.monotonic()))
            self.provider.fault(mishap.fault, match=mishap.match, for_s=for_s)

    async def _spend_out(self, crowd: Crowd, keys: list[tuple[str, str]]) -> None:
        """Every wave's budget, the dear provider's, and in the end the tenant's, with a lower limit."""
        used = [wave for wave in crowd.waves if wave.refused["wave"]][-6:] or crowd.waves[:1]

        async def spend(wave: Wave) -> None:
            if await crowd.spend_out("wave", keys, wave=wave.name):
                self.spent_out.add(("wave", f"workflow={wave.name}"))
            else:
                self.not_judged.append(f"wave {wave.number}")

        await asyncio.gather(*(spend(wave) for wave in used))
        self.say(f"the budgets of {len(used)} waves are spent")
        if await crowd.spend_out("dear", keys[KEYS_TO_SPEND_OUT // 3 :], wave=None, route="dear"):
            self.spent_out.add(("dear", ""))
        else:
            self.not_judged.append("dear")
        ((committed,),) = await self.world.rows.ask(
            "SELECT sum(spent_nano_usd + unresolved_nano_usd + leased_nano_usd) FROM budget_accounts "
            "WHERE name = 'all'"
        )
        lower = self.limits[0]._replace(usd=Decimal(int(committed) // NANO_USD_PER_USD + REST_USD))
        self.watch.change(lower)
        self.world.configure([lower, *self.limits[1:]])
        self.say(f"the tenant's budget is lowered to ${lower.usd}")
        await asyncio.sleep(4)
        if await crowd.spend_out("all", keys[::-1], wave=None):
            self.spent_out.add(("all", ""))
        else:
            self.not_judged.append("all")

    async def _quiet(self) -> None:
        """Until nothing is leased any more, or long enough for the verdict to complain."""
        began = time.monotonic()
        while True:
            left = await self.world.rows.ask(
                "SELECT name, subject, leased_nano_usd, limit_nano_usd FROM budget_accounts "
                "WHERE leased_nano_usd > 0 ORDER BY leased_nano_usd DESC"
            )
            waited_s = time.monotonic() - began
            if not left or waited_s > QUIET_S:
                break
            await asyncio.sleep(0.5)
        self.say(f"{len(left)} accounts have something leased, {waited_s:.1f} s after the last request")
        self.still_leased = [(str(name), str(subject), int(rest)) for name, subject, rest, _ in left]


async def storm(chosen: argparse.Namespace, folder: Path) -> bool:
    """Runs one storm and prints what was seen; whether everything held."""
    redis_nodes = 6 if chosen.redis else 0
    plan = plan_for(
        chosen.seed,
        chosen.seconds,
        instances=chosen.instances,
        pauses=chosen.postgres and not chosen.quick,
        redis_nodes=redis_nodes,
        kills=chosen.kills,
    )
    print(
        f"seed {chosen.seed}: {chosen.seconds:g} s, {chosen.instances} instances x {chosen.workers} workers, "
        f"{'PostgreSQL' if chosen.postgres else 'SQLite'}{', Redis Cluster' if chosen.redis else ''}"
    )
    print("\n".join(f"  plan {line}" for line in plan.lines()))
    async with SimulatedProvider(seed=chosen.seed) as provider:
        world = World(
            folder,
            instances=chosen.instances,
            workers=chosen.workers,
            postgres=chosen.postgres,
            redis=chosen.redis,
            simulator_url=provider.base_url,
        )
        raging = Storm(chosen.seed, chosen.seconds, world, provider, plan)
        try:
            verdict, crowd = await raging.run()
        finally:
            world.end()
    _report(raging, verdict, crowd)
    return not verdict.wrong


def _report(raging: Storm, verdict: Verdict, crowd: Crowd) -> None:
    watch = raging.watch
    outcomes = Counter(answer.outcome for answer in crowd.answers.values())
    codes = Counter(f"{a.status} {a.code}" for a in crowd.answers.values() if a.outcome == "error")
    print(f"requests: {len(crowd.answers)} in {len(crowd.waves)} waves: {dict(outcomes.most_common())}")
    print(f"errors: {dict(codes.most_common(8))}")
    print(f"refused by budget: {dict(crowd.refused.most_common())}")
    print(f"struck: {dict(Counter(raging.struck))}")
    print(f"bill: {watch.charges} charges, ${watch.billed() / NANO_USD_PER_USD:.2f}")
    worst = ", ".join(f"{name} {ratio:.4f}" for name, ratio in sorted(watch.worst.items()))
    print(f"worst bill/limit at any charge: {worst}")
    for name, figure in verdict.figures.items():
        print(f"{name}: {figure}")
    if raging.not_judged:
        print(f"not spent to the end: {', '.join(raging.not_judged)}")
    for wrong in verdict.wrong[:20]:
        print(f"WRONG: {wrong}")
    print(f"seed {raging.seed}: {'held' if not verdict.wrong else 'NOT held'}")


def main() -> int:
    """0 when everything held."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overspend_storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=None, help="how long it rages; default 90, quick 12")
    parser.add_argument("--instances", type=int, default=None, help="default 3, 1 on SQLite")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--redis", action="store_true", help="with a Redis Cluster of six; needs --postgres")
    parser.add_argument("--quick", action="store_true", help="short, without the pause of the database")
    parser.add_argument("--keep", type=Path, help="an empty folder for logs and databases that stays")
    chosen = parser.parse_args()
    if chosen.redis and not chosen.postgres:
        parser.error("--redis needs --postgres: one machine with SQLite has no use for it")
    if chosen.seconds is None:
        chosen.seconds = 12.0 if chosen.quick else 90.0
    if chosen.instances is None:
        chosen.instances = 3 if chosen.postgres else 1
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        if chosen.keep is not None:
            chosen.keep.mkdir(parents=True, exist_ok=True)
        return 0 if uvloop.run(storm(chosen, chosen.keep or Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
