"""Old entries go behind a signed anchor, and what is left can still be checked and proved."""

import pytest

from application.audit_log_reading import LogReading
from application.audit_walk import Beginning, PlacedEntry, RemovedLeaf
from contracts.ports.audit import draft
from domain.audit.checkpoint import parse_checkpoint, parse_note
from domain.audit.merkle import root_from_path
from tests.unit.audit.trail_world import TrailWorld, memory_world

DAYS = 400


async def _years(world: TrailWorld, entries: int) -> None:
    """Entries of two tenants with one checkpoint across the border of what is kept."""
    for turn in range(entries):
        await world.store.append([draft(turn, "acme"), draft(turn, "beta")])
    await world.keep.checkpoint()
    for turn in range(5):
        await world.store.append([draft(turn, "acme"), draft(turn, "beta")])
    world.clock.pass_days(DAYS + 1)
    for turn in range(7):
        await world.store.append([draft(turn, "beta"), draft(turn, "gamma")])
    await world.keep.checkpoint()
    await world.keep.publish()


@pytest.mark.parametrize("entries", [3, 200, 700])
async def test_a_trail_whose_old_part_was_removed_is_clean(entries: int) -> None:
    world = memory_world()
    await _years(world, entries)

    gone = await world.retain(DAYS)
    await world.keep.checkpoint()
    records = await world.records()

    assert gone == 2 * (entries + 5)
    assert world.findings(records, world.sink.notes) == []
    assert isinstance(records[0], Beginning)
    assert sum(isinstance(record, PlacedEntry) for record in records) == 14 + 2


async def test_removing_twice_leaves_a_clean_trail() -> None:
    world = memory_world()
    await _years(world, 300)
    await world.retain(DAYS)
    await _years(world, 10)

    assert await world.retain(DAYS) > 0
    await world.keep.checkpoint()
    await world.keep.publish()

    assert world.findings(await world.records(), world.sink.notes) == []
    assert await world.retain(DAYS) == 0


async def test_what_no_checkpoint_covers_is_not_removed() -> None:
    world = memory_world()
    await world.store.append([draft(1)])
    world.clock.pass_days(DAYS + 1)

    assert await world.retain(DAYS) == 0
    assert len(await world.store.read("acme", 1, 10)) == 1


async def test_an_anchor_that_was_not_signed_does_not_count() -> None:
    world = memory_world()
    await _years(world, 10)
    await world.retain(DAYS)
    records = await world.records()
    beginning = records[0]
    assert isinstance(beginning, Beginning)
    forged = tuple(
        anchor._replace(note=anchor.note.replace("cut acme", "cut ACME")) for anchor in beginning.anchors
    )

    found = world.findings([beginning._replace(anchors=forged), *records[1:]])

    assert any("does not count" in finding.what for finding in found)


async def test_a_removed_leaf_cannot_hide_an_entry_that_no_anchor_covers() -> None:
    world = memory_world()
    await _years(world, 10)
    await world.retain(DAYS)
    await world.keep.checkpoint()
    records = await world.records()
    at = next(
        place
        for place, record in enumerate(records)
        if isinstance(record, PlacedEntry) and record.entry.draft.tenant_id == "gamma"
    )
    hidden = records[at]
    assert isinstance(hidden, PlacedEntry) and hidden.leaf is not None
    leaf = RemovedLeaf(hidden.leaf, hidden.entry.hash, "gamma", hidden.entry.seq)

    assert world.findings([*records[:at], leaf, *records[at + 1 :]])


@pytest.mark.parametrize("entries", [3, 700])
async def test_entries_are_proved_before_and_after_a_removal(entries: int) -> None:
    world = memory_world()
    await _years(world, entries)
    reading = LogReading(world.log)

    for removed in (False, True):
        if removed:
            await world.retain(DAYS)
        newest = await world.log.newest()
        assert newest is not None
        checkpoint = parse_checkpoint(parse_note(newest.note)[0])
        for entry in await world.store.read("gamma", 1, 100):
            leaf = await world.log.place("gamma", entry.seq)
            assert leaf is not None
            path = await reading.inclusion(leaf, checkpoint.size)
            assert root_from_path(leaf, checkpoint.size, entry.hash, path) == checkpoint.root
