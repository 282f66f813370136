"""What the ledger costs in the database: exchanges, and postings beside usage rows.

    python -m benchmarks.ledger [--on sqlite] [--on postgres]

PostgreSQL is the wheel's, with the durability its tests use (fsync off): the figures are of our own work and
its statements, not of a disk.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.ledger import LeaseLine
from contracts.ports.ledger_world import NOW_US, account
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.budgets.budget import Account
from domain.budgets.posting import HoldOutcome, posting_text
from tests.contract.sql_world import AnySqlWorld, PostgresWorld, SqlWorld

HOLDER = "hold_01JABCDEFGHJKMNPQRST"
LIMIT = 10**15


def some(name: str, count: int) -> list[Account]:
    return [account(f"acc_{name:_>20}{number:04d}", LIMIT) for number in range(count)]


async def exchanges(world: AnySqlWorld, accounts: int, holders: int, total: int = 600) -> str:
    """Each holder takes a need and gives it back with the next exchange, as near a limit."""
    ledger = SqlLedger(world.database)
    about = some(f"{accounts}x{holders}", accounts)
    names = [f"{HOLDER}{accounts}{holders}{number}" for number in range(holders)]
    for name in names:
        await ledger.open(name, NOW_US)
    took_s: list[float] = []

    async def one(name: str) -> None:
        returned = 0
        for _ in range(total // holders):
            began = time.perf_counter()
            answer = await ledger.exchange(name, [LeaseLine(a, returned, 0, 100, 0) for a in about], NOW_US)
            took_s.append(time.perf_counter() - began)
            returned = answer.answers[0].granted_total

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(one, names))
    passed_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    took_s.sort()
    p50, p95 = (took_s[int(len(took_s) * share)] * 1e3 for share in (0.5, 0.95))
    return (
        f"{accounts} accounts, {holders} holders: {len(took_s) / passed_s:.0f}/s, p50 {p50:.2f} ms, "
        f"p95 {p95:.2f} ms, CPU {cpu_s / len(took_s) * 1e3:.2f} ms each"
    )


def rows(start: int, count: int, accounts: Sequence[Account]) -> list[RequestEvent]:
    ids = [each.account_id for each in accounts]
    text = posting_text(HoldOutcome.SETTLED, 1234, 5000, 1234, HOLDER, HOLDER, ids, []) if ids else ""
    made = []
    for number in range(start, start + count):
        event = usage_event(number)
        made.append(event._replace(attempts=(attempt(event.request_id, 0, ledger=text),)))
    return made


async def postings(world: AnySqlWorld, size: int, repeats: int = 6) -> list[str]:
    """CPU per row of a group: without the ledger, with rows that say nothing, with three accounts each."""
    about = some("rows", 3)
    ledger = SqlLedger(world.database)
    await ledger.open(HOLDER, NOW_US)
    await ledger.exchange(HOLDER, [LeaseLine(each, need=10**12) for each in about], NOW_US)
    follower = LedgerPostings(world.database.dialect)
    ways = {"no ledger": ((), ()), "no budget": ((follower,), ()), "3 accounts": ((follower,), about)}
    best = dict.fromkeys(ways, float("inf"))
    number = size * 1000
    for _ in range(repeats):
        for name, (followers, accounts) in ways.items():
            group = rows(number, size, accounts)
            number += size
            writer = SqlUsageWriter(world.database, followers)
            began = time.process_time()
            await writer.insert(group)
            best[name] = min(best[name], (time.process_time() - began) / size * 1e6)
    return [f"groups of {size}, {name}: CPU {took:.1f} us per row" for name, took in best.items()]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--on", action="append", choices=("sqlite", "postgres"))
    for kind in parser.parse_args().on or ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory() as directory:
            world: AnySqlWorld = SqlWorld(Path(directory)) if kind == "sqlite" else PostgresWorld()
            for accounts, holders in ((1, 1), (3, 1), (3, 4)):
                print(kind, await exchanges(world, accounts, holders), flush=True)
            for size in (200, 2000):
                print("\n".join(f"{kind} {line}" for line in await postings(world, size)), flush=True)
            await world.aclose()


if __name__ == "__main__":
    asyncio.run(main())
