"""A process that works with the ledger as hard as it can: `python -m tests.unit.sql.ledger_child URL NAME S`.

Says as JSON what it charged, how often it asked, and everything that went wrong.
"""

import asyncio
import json
import sys
import time
from typing import Any

from adapters.sql.database import SqlDatabase
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.ledger import LeaseLine
from contracts.ports.ledger_world import NOW_US, account
from contracts.ports.usage import attempt, usage_event
from domain.budgets.posting import HoldOutcome, posting_text

LIMIT = 2_000_000
BILL = 7
ACCOUNTS = (account("acc_a", LIMIT), account("acc_b", LIMIT * 3 // 4), account("acc_c", LIMIT // 2))
ROWS_PER_GROUP = 20


async def hammer(url: str, name: str, for_s: float) -> dict[str, Any]:
    """Leases, spends what it leased through usage rows, and gives some back."""
    threads = [BlockingThread(f"{name}-{each}") for each in ("ledger", "rows")]
    databases = [SqlDatabase(url, thread) for thread in threads]
    ledger = SqlLedger(databases[0])
    writer = SqlUsageWriter(databases[1], [LedgerPostings(databases[1].dialect)])
    said: dict[str, Any] = {"charged": 0, "exchanges": 0, "groups": 0, "wrong": []}
    granted = dict.fromkeys((each.account_id for each in ACCOUNTS), 0)
    returned = dict.fromkeys(granted, 0)
    used = 0
    ends_at = time.monotonic() + for_s
    await ledger.open(name, NOW_US)

    async def lease() -> None:
        while time.monotonic() < ends_at:
            for each in granted if said["exchanges"] % 8 == 7 else ():
                returned[each] += (granted[each] - returned[each] - used) // 2
            lines = [LeaseLine(each, returned[each.account_id], 0, 200, 500) for each in ACCOUNTS]
            answer = await ledger.exchange(name, lines, NOW_US)
            said["exchanges"] += 1
            for told in answer.answers:
                granted[told.state.account_id] = told.granted_total
                state = told.state
                if state.committed_nano_usd + state.leased_nano_usd > state.limit_nano_usd:
                    said["wrong"].append(f"beyond the limit: {state}")

    async def spend() -> None:
        nonlocal used
        number = int(name.removeprefix("p")) * 1_000_000
        while time.monotonic() < ends_at:
            room = min(granted[each] - returned[each] for each in granted) - used
            rows = []
            for _ in range(min(ROWS_PER_GROUP, room // BILL)):
                number += 1
                ids = [each.account_id for each in ACCOUNTS]
                text = posting_text(HoldOutcome.SETTLED, BILL, BILL, BILL, name, name, ids, [])
                event = usage_event(number)
                rows.append(event._replace(attempts=(attempt(event.request_id, 0, ledger=text),)))
            used += BILL * len(rows)
            if rows:
                await writer.insert(rows)
                said["charged"] += BILL * len(rows)
                said["groups"] += 1
            else:
                await asyncio.sleep(0.002)

    done = await asyncio.gather(lease(), spend(), return_exceptions=True)
    said["wrong"] += [repr(each) for each in done if each is not None]
    await ledger.close(name, NOW_US)
    for database, thread in zip(databases, threads, strict=True):
        await database.aclose()
        await thread.aclose()
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(hammer(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
