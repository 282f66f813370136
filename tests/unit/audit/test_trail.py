"""Acts are entered before they are done, whatever becomes of them; refusals are entered in groups."""

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.memory.audit import InMemoryAuditStore
from adapters.sql.audit import SqlAuditStore
from adapters.sql.audit_log import SqlAuditLog
from adapters.sql.database import SqlDatabase
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import upgrade
from adapters.system.clock import SystemClock
from application import audit_trail
from application.audit_denials import GROUPS_MAX, PER_TENANT_MAX, Denials
from application.audit_trail import AuditTrail, details_text
from application.ports.audit import AuditQuestion
from application.use_cases.read_audit import ReadAudit
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from tests.unit.audit.trail_world import ToldClock, memory_world

BY = local_operator()


async def outcomes(store: InMemoryAuditStore) -> list[str]:
    return [entry.draft.outcome for entry in await store.read("default", 1, 100)]


@pytest.fixture
def store() -> InMemoryAuditStore:
    return InMemoryAuditStore(ToldClock())


@pytest.fixture
def trail(store: InMemoryAuditStore) -> AuditTrail:
    return AuditTrail(store, ToldClock())


async def test_an_act_is_begun_before_and_done_after(store: InMemoryAuditStore, trail: AuditTrail) -> None:
    async with trail.act(BY, "keys.create", "one") as act:
        assert await outcomes(store) == ["begun"]
        act.details["key_id"] = "k"

    assert await outcomes(store) == ["begun", "done"]
    [_, ended] = await store.read("default", 1, 2)
    assert (ended.draft.refers_to, json.loads(ended.draft.details)) == (1, {"key_id": "k"})


async def test_an_act_is_not_done_when_it_cannot_be_entered(
    store: InMemoryAuditStore, trail: AuditTrail
) -> None:
    store.reachable = False
    done = False

    with pytest.raises(StoreUnavailable):
        async with trail.act(BY, "keys.create", "one"):
            done = True

    assert not done


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Conflict("there"), "conflict"), (ValueError("oh"), "failed"), (StoreUnavailable("gone"), "unknown")],
)
async def test_an_act_that_fails_says_how(
    store: InMemoryAuditStore, trail: AuditTrail, error: Exception, outcome: str
) -> None:
    with pytest.raises(type(error)):
        async with trail.act(BY, "keys.create", "one"):
            raise error

    assert await outcomes(store) == ["begun", outcome]


async def test_a_caller_who_leaves_does_not_take_the_outcome_along(
    store: InMemoryAuditStore, trail: AuditTrail
) -> None:
    begun = asyncio.Event()

    async def act() -> None:
        async with trail.act(BY, "keys.create", "one"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(act())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await outcomes(store) == ["begun", "unknown"]


async def test_an_outcome_that_cannot_be_entered_waits_until_it_can(
    store: InMemoryAuditStore, trail: AuditTrail
) -> None:
    async with trail.act(BY, "keys.create", "one"):
        store.reachable = False

    store.reachable = True
    assert await outcomes(store) == ["begun"]
    await trail.flush()
    assert await outcomes(store) == ["begun", "done"]


async def test_of_outcomes_that_wait_too_many_the_oldest_are_given_up(
    store: InMemoryAuditStore, trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "OUTCOMES_WAITING_MAX", 2)
    for number in range(3):
        async with trail.act(BY, "keys.create", str(number)):
            store.reachable = False
        store.reachable = True

    await trail.flush()

    assert trail.lost_outcomes == 1
    assert [
        entry.draft.subject for entry in await store.read("default", 1, 9) if entry.draft.outcome == "done"
    ] == [
        "1",
        "2",
    ]


_KILLED = """
import asyncio, os, signal, sys
from adapters.sql.audit import SqlAuditStore
from adapters.sql.database import SqlDatabase
from adapters.sql.thread import BlockingThread
from adapters.system.clock import SystemClock
from application.audit_trail import AuditTrail
from domain.tenancy.role import local_operator

async def main():
    database = SqlDatabase(sys.argv[1], BlockingThread("sql"))
    async with AuditTrail(SqlAuditStore(database, SystemClock()), SystemClock()).act(
        local_operator(), "keys.create", "one"
    ):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_a_killed_process_had_begun_is_shown_with_an_unknown_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'interchange.db'}"
    upgrade(url)

    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _KILLED, url], timeout=30, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    thread = BlockingThread("sql")
    database = SqlDatabase(url, thread)
    store = SqlAuditStore(database, SystemClock())
    page = await ReadAudit(store, SqlAuditLog(database), memory_world().signer).page(
        BY, AuditQuestion("default", 10)
    )
    assert [entry.draft.outcome for entry in page.entries] == ["begun"]
    assert page.outcomes == {}
    await database.aclose()
    await thread.aclose()


def test_details_that_are_too_long_are_named_only() -> None:
    assert json.loads(details_text({"a": "x" * 10_000}))["names"] == ["a"]


async def test_refusals_alike_are_one_entry(store: InMemoryAuditStore) -> None:
    denials = Denials(store, ToldClock())
    for _ in range(1000):
        denials.note(None, "authenticate", "invalid_api_key", "192.0.2.1")

    await denials.write()
    await denials.write()

    [entry] = await store.read("default", 1, 10)
    assert json.loads(entry.draft.details)["times"] == 1000


async def test_a_flood_of_different_refusals_fills_neither_memory_nor_the_store(
    store: InMemoryAuditStore,
) -> None:
    denials = Denials(store, ToldClock())
    for number in range(3 * GROUPS_MAX):
        denials.note(None, "authenticate", "invalid_api_key", f"192.0.2.{number}")
        by = Principal(tenant_id=f"t{number}", key_id="k", key_name="", role="agent", permissions=frozenset())
        denials.note(by, "authenticate", "forbidden", "192.0.2.1")

    assert len(denials._counts) <= 2 * GROUPS_MAX + 1
    await denials.write()

    assert len(await store.read("default", 1, 10_000)) <= PER_TENANT_MAX + 2


async def test_refusals_that_cannot_be_entered_are_counted_on(store: InMemoryAuditStore) -> None:
    denials = Denials(store, ToldClock())
    denials.note(BY, "stops.create", "forbidden", "")
    store.reachable = False
    with pytest.raises(StoreUnavailable):
        await denials.write()
    denials.note(BY, "stops.create", "forbidden", "")
    store.reachable = True

    await denials.write()

    [entry] = await store.read("default", 1, 10)
    assert json.loads(entry.draft.details)["times"] == 2


async def test_refusals_of_tokens_name_nobody(store: InMemoryAuditStore) -> None:
    denials = Denials(store, ToldClock())
    alice = replace(local_operator(), kind="token", key_id="jwt_1", key_name="alice", subject="alice")

    denials.note(alice, "keys.create", "forbidden", "10.0.0.1")
    await denials.write()

    [entry] = await store.read(alice.tenant_id, 1, 10)
    assert entry.draft.actor_id == "jwt_1"
    assert "alice" not in str(entry)
