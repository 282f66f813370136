"""The trail in a database: what its triggers refuse, and what is found when somebody got past them."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.memory.audit import RememberingSink
from adapters.sql.audit import SqlAuditStore
from adapters.sql.audit_log import SqlAuditLog
from adapters.sql.audit_protection import writer_role
from adapters.sql.audit_retention import SqlAuditRetention
from adapters.sql.audit_tables import APPEND_ONLY, audit_entries
from adapters.sql.partitions import ensure_partitions, partitions_of
from application.audit_walk import PlacedEntry
from contracts.ports.audit import draft
from domain.audit.verification import Finding
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld
from tests.unit.audit.trail_world import ToldClock, TrailWorld

TABLES = (audit_entries.name, *APPEND_ONLY)


@pytest.fixture
async def world(sql: AnySqlWorld) -> TrailWorld:
    """A trail of two tenants, ten entries each, in two checkpoints; the last two entries are in neither."""
    clock = ToldClock()
    store = SqlAuditStore(sql.database, clock)
    made = TrailWorld(
        clock, store, SqlAuditLog(sql.database), SqlAuditRetention(sql.database), RememberingSink()
    )
    for turn in range(9):
        await store.append([draft(turn, "acme"), draft(turn, "beta")])
        if turn in (4, 8):
            await made.keep.checkpoint()
            await made.keep.publish()
    await store.append([draft(9, "acme"), draft(9, "beta")])
    return made


async def execute(sql: AnySqlWorld, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await sql.database.write(work)


async def past_triggers(sql: AnySqlWorld, *statements: str) -> None:
    """As the owner of the tables, who can take triggers away."""
    if sql.database.dialect.name == "postgresql":
        off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES]
        off.append("ALTER TABLE audit_entries_default DISABLE TRIGGER USER")
    else:
        off = [f"DROP TRIGGER {table}_{what}" for table in TABLES for what in ("unchanged", "kept")]
    await execute(sql, *off, *statements)


async def findings(world: TrailWorld) -> list[Finding]:
    return world.findings(await world.records(), world.sink.notes)


async def test_an_untouched_trail_in_a_database_is_clean(world: TrailWorld) -> None:
    assert await findings(world) == []
    assert sum(isinstance(record, PlacedEntry) for record in await world.records()) == 20


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET subject = 'x' WHERE seq = 3",
        "DELETE FROM audit_entries WHERE seq = 3",
        "UPDATE audit_checkpoints SET note = 'x'",
        "DELETE FROM audit_checkpoints",
        "UPDATE audit_stretches SET last_seq = 1",
        "DELETE FROM audit_stretches",
    ],
)
async def test_triggers_refuse_every_change(world: TrailWorld, sql: AnySqlWorld, statement: str) -> None:
    with pytest.raises((SQLAlchemyError, StoreUnavailable), match="append-only"):
        await execute(sql, statement)

    assert await findings(world) == []


async def test_no_table_of_the_trail_can_be_emptied_on_postgresql(
    world: TrailWorld, sql: AnySqlWorld
) -> None:
    if sql.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    await sql.database.write(lambda connection: ensure_partitions(connection, world.clock.now))
    parts = await sql.database.read(lambda connection: partitions_of(connection, "audit_entries"))

    assert len(parts) > 3
    for table in (*TABLES, *(part.name for part in parts)):
        with pytest.raises((SQLAlchemyError, StoreUnavailable), match="append-only"):
            await execute(sql, f"TRUNCATE {table} CASCADE")
    assert await findings(world) == []


CHANGES = {
    "subject": "'x'", "outcome": "'done'", "actor_id": "'x'", "actor_name": "''", "role": "'owner'",
    "address": "''", "action": "'x'", "kind": "'read'", "details": "'{}'", "request_id": "'x'",
    "at_us": "at_us + 1", "written_at_us": "written_at_us + 1", "refers_to": "1", "actor_kind": "'x'",
}  # fmt: skip


@pytest.mark.parametrize("column", CHANGES)
async def test_a_changed_column_names_its_entry(world: TrailWorld, sql: AnySqlWorld, column: str) -> None:
    await past_triggers(
        sql,
        f"UPDATE audit_entries SET {column} = {CHANGES[column]} WHERE tenant_id = 'beta' AND seq = 4",
    )

    found = await findings(world)

    assert found[0].where == "beta.4"


@pytest.mark.parametrize(
    ("statements", "where"),
    [
        (["DELETE FROM audit_entries WHERE tenant_id = 'beta' AND seq = 4"], "beta.4"),
        (["DELETE FROM audit_entries WHERE tenant_id = 'beta' AND seq = 1"], "beta.1"),
        (["DELETE FROM audit_entries WHERE tenant_id = 'beta' AND seq = 10"], "beta.10"),
        (["DELETE FROM audit_entries WHERE tenant_id = 'beta'"], "beta."),
        (
            [
                "UPDATE audit_entries SET seq = 99 WHERE tenant_id = 'acme' AND seq = 2",
                "UPDATE audit_entries SET seq = 2 WHERE tenant_id = 'acme' AND seq = 3",
                "UPDATE audit_entries SET seq = 3 WHERE tenant_id = 'acme' AND seq = 99",
            ],
            "acme.2",
        ),
        (["UPDATE audit_entries SET tenant_id = 'acme', seq = 11 WHERE tenant_id = 'beta' AND seq = 10"], ""),
        (["DELETE FROM audit_checkpoints WHERE size = 18"], ""),
        (["DELETE FROM audit_checkpoints", "DELETE FROM audit_stretches"], "checkpoint"),
        (
            [
                "DELETE FROM audit_entries WHERE seq > 7",
                "DELETE FROM audit_checkpoints WHERE size = 18",
                "DELETE FROM audit_stretches WHERE first_index >= 10",
                "UPDATE audit_heads SET seq = 7, hash = (SELECT hash FROM audit_entries e"
                " WHERE e.tenant_id = audit_heads.tenant_id AND e.seq = 7)",
            ],
            "checkpoint 18",
        ),
    ],
)
async def test_what_was_removed_moved_or_cut_off_is_found(
    world: TrailWorld, sql: AnySqlWorld, statements: Sequence[str], where: str
) -> None:
    await past_triggers(sql, *statements)

    found = await findings(world)

    assert found
    assert any(finding.where.startswith(where) for finding in found)


async def test_entries_after_the_last_checkpoint_that_vanish_with_their_head_are_not_found(
    world: TrailWorld, sql: AnySqlWorld
) -> None:
    # This is the window that the checkpoint interval states.
    await past_triggers(
        sql,
        "DELETE FROM audit_entries WHERE seq = 10",
        "UPDATE audit_heads SET seq = 9, hash = (SELECT hash FROM audit_entries e"
        " WHERE e.tenant_id = audit_heads.tenant_id AND e.seq = 9)",
    )

    assert await findings(world) == []


async def test_old_entries_go_behind_an_anchor_and_only_behind_one(
    world: TrailWorld, sql: AnySqlWorld
) -> None:
    await sql.database.write(lambda connection: ensure_partitions(connection, world.clock.now))
    await world.keep.checkpoint()
    world.clock.pass_days(500)
    await sql.database.write(lambda connection: ensure_partitions(connection, world.clock.now))
    await world.store.append([draft(1, "gamma"), draft(11, "beta")])
    await world.keep.checkpoint()
    await world.keep.publish()

    gone = await world.retain(400)
    await world.keep.checkpoint()
    await world.keep.publish()

    assert gone == 20
    assert await findings(world) == []
    left = await world.store.read("beta", 1, 10)
    assert [entry.seq for entry in left] == [11]
    assert [entry.draft.action for entry in await world.store.read("default", 1, 10)] == ["audit.remove"] * 2


async def test_the_writers_role_may_add_and_nothing_else(world: TrailWorld, sql: AnySqlWorld) -> None:
    if sql.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no roles")
    await execute(sql, *writer_role())
    become = "SET LOCAL ROLE interchange_audit_writer"
    whom = "SELECT set_config('interchange.tenant', '*', true)"

    await execute(sql, become, whom, "INSERT INTO audit_anchors VALUES ('acme', 1, 'x', 'unsigned')")

    for statement in (
        "DELETE FROM audit_entries",
        "UPDATE audit_entries SET subject = 'x'",
        "TRUNCATE audit_nodes",
    ):
        with pytest.raises((SQLAlchemyError, StoreUnavailable), match="permission denied"):
            await execute(sql, become, whom, statement)
