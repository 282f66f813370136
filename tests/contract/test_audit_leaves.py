"""Every request's audit entry is in the database exactly when its usage row is."""

import asyncio
import hashlib
import json

import msgspec
import pytest

from adapters.memory.audit import RememberingSink
from adapters.sql.audit import SqlAuditStore
from adapters.sql.audit_leaves import COLUMNS_AT_FIRST, AuditLeaves, access_of, usage_digest
from adapters.sql.audit_log import SqlAuditLog
from adapters.sql.audit_retention import SqlAuditRetention
from adapters.sql.database import Database
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.usage_rows import SqlUsageWriter
from adapters.system.clock import SystemClock
from contracts.ports.audit import draft, is_chain
from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.audit.entry import ACCESS
from domain.errors import StoreUnavailable
from domain.tenancy.identity import ID_BEGINS
from tests.contract.sql_world import AnySqlWorld
from tests.unit.audit.trail_world import ToldClock, TrailWorld

TENANTS = ("acme", "beta", "gamma")
WRITERS = 4
GROUPS = 6
GROUP = 20


def writer(database: Database) -> SqlUsageWriter:
    clock = SystemClock()
    return SqlUsageWriter(database, (AuditLeaves(database.dialect, clock), LedgerPostings(database.dialect)))


def row(number: int, tenant_id: str = "acme") -> RequestEvent:
    event = usage_event(number)._replace(tenant_id=tenant_id)
    return event._replace(attempts=(attempt(event.request_id, 0),))


async def test_an_entry_says_who_reached_what_and_holds_the_rows_digest(sql: AnySqlWorld) -> None:
    event = row(1)._replace(user_id="somebody", outcome="ok")

    await writer(sql.database).insert([event])

    [entry] = await SqlAuditStore(sql.database, SystemClock()).read("acme", 1, 10)
    said = json.loads(entry.draft.details)
    assert entry.draft.kind == ACCESS
    assert entry.draft.request_id == event.request_id
    assert entry.draft.actor_id == event.key_id
    assert entry.draft.action == f"llm.{event.operation}"
    nobody = event._replace(user_id="", session_id="", client_request_id="", metadata="")
    assert said["usage_sha256"] == hashlib.sha256(msgspec.json.encode(nobody)).hexdigest()
    assert said["usage_columns"] == len(event) - 1
    assert said["attempts"] == [
        [each.provider, each.model, each.via, each.outcome] for each in event.attempts
    ]
    assert "somebody" not in str(entry)
    assert entry.draft.actor_kind == "key"
    assert access_of(event._replace(key_id=f"{ID_BEGINS}0123")).actor_kind == "token"


def test_the_digest_of_a_row_holds_when_rows_get_further_columns() -> None:
    event = row(1)._replace(user_id="somebody", cache_similarity=0.5, entry_us=7, task="code")
    fields = event._asdict()
    then = list(fields)[: list(fields).index("entry_us")]
    row_then = ["" if name == "user_id" else fields[name] for name in then]

    entered = hashlib.sha256(msgspec.json.encode([*row_then, event.attempts])).hexdigest()

    assert usage_digest(event, COLUMNS_AT_FIRST) == entered
    assert usage_digest(event) != entered


async def test_rows_that_come_again_are_entered_once(sql: AnySqlWorld) -> None:
    writing = writer(sql.database)

    await writing.insert([row(1), row(2)])
    await writing.insert([row(2), row(3)])

    kept = await SqlAuditStore(sql.database, SystemClock()).read("acme", 1, 10)
    assert [entry.draft.request_id for entry in kept] == [row(n).request_id for n in (1, 2, 3)]
    assert is_chain(kept)


async def test_several_writers_and_acts_at_once_make_one_clean_trail(sql: AnySqlWorld) -> None:
    databases = [sql.another() for _ in range(WRITERS)]
    store = SqlAuditStore(sql.database, SystemClock())

    async def write(number: int) -> None:
        writing = writer(databases[number])
        for group in range(GROUPS):
            first = (number * GROUPS + group) * GROUP
            order = TENANTS if number % 2 else TENANTS[::-1]
            await writing.insert([row(first + each, order[each % len(order)]) for each in range(GROUP)])

    async def act() -> None:
        for number in range(10):
            await store.append([draft(number, tenant_id) for tenant_id in TENANTS])

    await asyncio.gather(act(), *(write(number) for number in range(WRITERS)))
    for database in databases:
        await database.aclose()

    world = TrailWorld(
        ToldClock(), store, SqlAuditLog(sql.database), SqlAuditRetention(sql.database), RememberingSink()
    )
    await world.keep.checkpoint()
    await world.keep.publish()
    total = 0
    for tenant_id in TENANTS:
        kept = await store.read(tenant_id, 1, 10_000)
        assert is_chain(kept)
        total += len(kept)
    assert total == WRITERS * GROUPS * GROUP + 30
    assert world.findings(await world.records(), world.sink.notes) == []


async def test_two_keepers_of_the_log_make_one_log(sql: AnySqlWorld) -> None:
    store = SqlAuditStore(sql.database, SystemClock())
    worlds = [
        TrailWorld(
            ToldClock(), store, SqlAuditLog(sql.database), SqlAuditRetention(sql.database), RememberingSink()
        )
        for _ in range(3)
    ]
    for turn in range(5):
        await store.append([draft(turn, tenant_id) for tenant_id in TENANTS])
        await asyncio.gather(*(world.keep.checkpoint() for world in worlds))
        for world in worlds:
            await world.keep.publish()

    notes = [note for world in worlds for note in world.sink.notes]
    assert notes
    assert worlds[0].findings(await worlds[0].records(), notes) == []


async def test_neither_row_nor_entry_is_there_while_the_database_is_down(sql: AnySqlWorld) -> None:
    writing = writer(sql.database)
    sql.lose()

    with pytest.raises(StoreUnavailable):
        await writing.insert([row(1)])

    sql.restore()
    await writing.insert([row(1)])
    kept = await SqlAuditStore(sql.database, SystemClock()).read("acme", 1, 10)
    assert [entry.draft.request_id for entry in kept] == [row(1).request_id]
