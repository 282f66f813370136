"""What holding and settling money costs a request, in process and at the stores.

    python -m benchmarks.money [--rounds 20000]

In process: an attempt's accounts, worst cost, hold on every one of them, place on the board (a real file),
settling, posting line and the place's end, with 0, 1, 3 and 6 hard budgets; the target is 100 us. Then the
board alone, and one exchange about three accounts with SQLite and PostgreSQL (`benchmarks.ledger` has more of
those, `benchmarks.redis_ledger` the ones with Redis).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median

import uvloop

from adapters.disk.hold_board import DiskHoldBoard
from adapters.memory.ledger import InMemoryLedger
from adapters.system.clock import SystemClock
from application.budget_book import BudgetBook
from application.holds import BudgetHolds
from application.job import Job
from application.lease_book import LeaseBook
from application.ports.hold_board import HoldGroup
from application.ports.system import Clock
from benchmarks.ledger import exchanges
from domain.budgets.budget import Budget
from domain.budgets.period import make_period
from domain.budgets.scope import make_scope
from domain.time import Deadline
from tests.contract.sql_world import AnySqlWorld, PostgresWorld, SqlWorld
from tests.unit.application.upstreams import OK, Bench

BUDGETS = (0, 1, 3, 6)
LIMIT_NANO_USD = 10**17
REQUESTS_PER_ROUND = 100
COST_NANO_USD = 150_000
_SCOPES = (
    {"tenant": "default"},
    {"agent": "*"},
    {"session": "*"},
    {"provider": "alpha"},
    {"key": "*"},
    {"model": "alpha/m"},
)


def some_budgets(number: int) -> tuple[Budget, ...]:
    """So many hard ones, each counting something else."""
    return tuple(
        Budget(
            budget_id=f"bud_{place}",
            owner="default",
            name=f"budget {place}",
            scope=make_scope(dict(scope)),
            period=make_period("month" if place % 2 else "total"),
            limit_nano_usd=LIMIT_NANO_USD,
            hard=True,
        )
        for place, scope in enumerate(_SCOPES[:number])
    )


async def hold_and_settle(folder: Path, number: int, rounds: int) -> list[float]:
    """Microseconds per request, one figure for each round of a hundred."""
    board, clock = DiskHoldBoard(), SystemClock()
    board.open(folder)
    names = count()

    async def nothing_waits() -> None:
        return None

    def money(_: Clock) -> BudgetHolds:
        leases = LeaseBook([InMemoryLedger()], board, clock, lambda: f"h{next(names)}", nothing_waits)
        return BudgetHolds(BudgetBook(some_budgets(number)), leases, board, clock)

    bench = Bench({"alpha/m": OK}, money=money)
    holds = bench.holds
    assert holds is not None
    job = bench.job(max_tokens=64)
    job.attribution.agent_id, job.attribution.session_id = "planner", "conversation-1"
    job.deadline = Deadline(clock.monotonic() + 3600)
    took: list[float] = []
    for place in range(rounds // REQUESTS_PER_ROUND + 5):
        began = time.perf_counter_ns()
        for _ in range(REQUESTS_PER_ROUND):
            await _one(holds, job)
        if place >= 5:
            took.append((time.perf_counter_ns() - began) / REQUESTS_PER_ROUND / 1e3)
        await holds.leases.look()
    board.close()
    return took


async def _one(holds: BudgetHolds, job: Job) -> None:
    if holds.book.empty:
        return
    hold, _ = await holds.begin(job, job.plan.targets[0], "", job.request)
    assert hold is not None
    hold.settle(COST_NANO_USD, known=True)
    holds.recorded(job)


def board_alone(folder: Path, rounds: int) -> float:
    """Microseconds of one place taken and given back."""
    board = DiskHoldBoard()
    board.open(folder)
    group = HoldGroup("h", "h", ("acc_a", "acc_b", "acc_c"), ())
    began = time.perf_counter_ns()
    for _ in range(rounds):
        board.clear(board.put("req_01a1fcf06ff127c4aee65565cb3d.0", 1000, group))
    took = (time.perf_counter_ns() - began) / rounds / 1e3
    board.close()
    return took


async def _stores(folder: Path) -> list[str]:
    lines = []
    worlds: tuple[tuple[str, Callable[[], AnySqlWorld]], ...] = (
        ("SQLite", lambda: SqlWorld(folder)),
        ("PostgreSQL", PostgresWorld),
    )
    for name, make in worlds:
        world = await asyncio.to_thread(make)
        try:
            lines.append(f"{name}: {await exchanges(world, 3, 1)}")
        finally:
            await world.aclose()
    return lines


async def measure(rounds: int) -> None:
    """Prints a line per figure."""
    with tempfile.TemporaryDirectory(prefix="bench-money-") as name:
        folder = Path(name)
        for number in BUDGETS:
            own = folder / str(number)
            own.mkdir()
            took = sorted(await hold_and_settle(own, number, rounds))
            print(
                f"hold and settle, {number} hard budgets: {median(took):6.1f} us, "
                f"p99 of rounds of a hundred {took[int(len(took) * 0.99)]:6.1f} us"
            )
        alone = folder / "board"
        alone.mkdir()
        print(f"of that, a place on the board: {board_alone(alone, rounds):6.1f} us")
        print("\n".join(await _stores(folder)))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.money", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000)
    uvloop.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
