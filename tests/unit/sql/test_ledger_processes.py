"""Several processes at one ledger in one SQLite file."""

import asyncio
import json
import sys
from pathlib import Path

from adapters.sql.ledger import SqlLedger
from application.ports.ledger import AccountFilter
from tests.contract.sql_world import SqlWorld
from tests.unit.sql.ledger_child import ACCOUNTS

ROOT = Path(__file__).parents[3]
FOR_S = 4.0


async def test_two_processes_at_once_never_pass_a_limit_nor_find_the_database_locked(sql: SqlWorld) -> None:
    program = [sys.executable, "-m", "tests.unit.sql.ledger_child", sql.url]
    children = [
        await asyncio.create_subprocess_exec(
            *program, f"p{number}", str(FOR_S), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for number in (1, 2)
    ]
    try:
        async with asyncio.timeout(90):
            outputs = [(await child.communicate())[0] for child in children]
    finally:
        for child in children:
            if child.returncode is None:
                child.kill()

    said = [json.loads(output) for output in outputs]
    assert [each["wrong"] for each in said] == [[], []]
    assert all(each["exchanges"] and each["groups"] for each in said)
    rows = await SqlLedger(sql.database).accounts(AccountFilter())
    assert len(rows) == len(ACCOUNTS)
    for row in rows:
        assert row.state.spent_nano_usd == sum(each["charged"] for each in said)
        assert row.state.leased_nano_usd == 0
        assert row.state.committed_nano_usd <= row.account.limit_nano_usd
