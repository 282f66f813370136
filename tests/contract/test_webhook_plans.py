"""How SQLite finds rows of webhooks: never by going through all deliveries, which are kept for weeks."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from contracts.ports.webhooks import NOW_US, S, Stores, claim, endpoint, settle, settled, tell
from domain.webhooks.delivery import Outcome
from tests.contract.sql_world import SqlWorld
from tests.contract.test_webhooks import in_sql

Statement = tuple[str, Any]
_OPEN = "ix_webhook_deliveries_head"
"""Holds only what is open."""


@contextmanager
def listened(world: SqlWorld) -> Iterator[list[Statement]]:
    heard: list[Statement] = []

    def hear(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        heard.append((statement, parameters[0] if many else parameters))

    event.listen(world.database._engine, "before_cursor_execute", hear)
    yield heard
    event.remove(world.database._engine, "before_cursor_execute", hear)


def searched(path: Path, statements: list[Statement]) -> Iterator[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        for statement, parameters in statements:
            if "webhook_deliveries" not in statement and "webhook_attempts" not in statement:
                continue
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                yield statement, str(row[3])


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    made = SqlWorld(tmp_path)
    yield made
    await made.aclose()


async def test_deliveries_are_found_by_their_indexes(world: SqlWorld) -> None:
    stores: Stores = in_sql(world)
    for name, ordered in (("wh_a", False), ("wh_b", True), ("wh_c", False)):
        await stores.endpoints.add(endpoint(name, ordered=ordered), endpoints_max=9)
    await tell(stores, *(f"e{number}" for number in range(5)))

    with listened(world) as heard:
        got = await claim(stores, "wh_a", "wh_b", "wh_c")
        first, *rest = got
        await settle(stores, settled(first), *(settled(each, Outcome.TOO_LARGE) for each in rest[:3]))
        await stores.queue.release([each.delivery for each in rest[3:]], NOW_US)
        await stores.upkeep.expire(NOW_US - S, NOW_US)
        await stores.upkeep.forget(NOW_US + S)
        await stores.log.page("acme", "wh_a", None)

    bad = [
        (plan, statement)
        for statement, plan in searched(world.path, heard)
        if "settled (settled_at_us=?" in plan or (plan.startswith("SCAN webhook") and _OPEN not in plan)
    ]
    assert len(got) == 11 and not bad, bad
