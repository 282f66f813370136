"""Whatever is done to a trail that was checkpointed is found, and an untouched one is clean."""

import asyncio
from functools import cache
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto.audit_key import Ed25519CheckpointSigner
from application.audit_walk import Beginning, End, Note, PlacedEntry, Record
from contracts.ports.audit import draft
from domain.audit.chain import ChainHead, empty_chain, hash_of
from domain.audit.checkpoint import parse_note, signed_note
from domain.audit.entry import AuditDraft, AuditEntry
from tests.unit.audit.trail_world import TrailWorld, memory_world

TENANTS = ("acme", "beta", "gamma")
FIELDS = AuditDraft._fields


class Kept(NamedTuple):
    world: TrailWorld
    records: tuple[Record, ...]
    notes: tuple[str, ...]


async def _fill(world: TrailWorld) -> None:
    for turn in range(6):
        for tenant_id in TENANTS[: 1 + turn % 3]:
            await world.store.append([draft(10 * turn + n, tenant_id) for n in range(1 + turn)])
        if turn % 2:
            await world.keep.checkpoint()
            await world.keep.publish()


@cache
def kept() -> Kept:
    """A trail of three checkpoints, the last of them over everything, and what was heard of it elsewhere."""

    async def make() -> Kept:
        world = memory_world()
        await _fill(world)
        return Kept(world, tuple(await world.records()), tuple(world.sink.notes))

    return asyncio.run(make())


def places(records: tuple[Record, ...]) -> list[int]:
    return [at for at, record in enumerate(records) if isinstance(record, PlacedEntry)]


def test_an_untouched_trail_is_clean() -> None:
    world, records, notes = kept()

    assert world.findings(list(records), list(notes)) == []
    assert len(notes) == 3
    assert len(places(records)) > 30


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_change_of_any_field_names_the_entry(draw: st.DataObject) -> None:
    world, records, notes = kept()
    at = draw.draw(st.sampled_from(places(records)))
    record = records[at]
    assert isinstance(record, PlacedEntry)
    entry = record.entry
    field = draw.draw(st.sampled_from(FIELDS[1:]))
    old = getattr(entry.draft, field)
    new = old + 1 if isinstance(old, int) else draw.draw(st.text(max_size=8).filter(lambda text: text != old))
    changed = entry._replace(draft=AuditDraft(**{**entry.draft._asdict(), field: new}))

    found = world.findings([*records[:at], record._replace(entry=changed), *records[at + 1 :]], list(notes))

    assert found[0].where == entry.entry_id


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_a_hash_is_found(draw: st.DataObject) -> None:
    world, records, notes = kept()
    at = draw.draw(st.sampled_from(places(records)))
    bit = draw.draw(st.integers(0, 255))
    record = records[at]
    assert isinstance(record, PlacedEntry)
    flipped = (int.from_bytes(record.entry.hash, "big") ^ 1 << bit).to_bytes(32, "big")
    changed = record._replace(entry=record.entry._replace(hash=flipped))

    found = world.findings([*records[:at], changed, *records[at + 1 :]], list(notes))

    assert found[0].where == record.entry.entry_id


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_removed_entry_is_found_wherever_it_was(draw: st.DataObject) -> None:
    world, records, notes = kept()
    at = draw.draw(st.sampled_from(places(records)))

    assert world.findings([*records[:at], *records[at + 1 :]], list(notes))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_two_swapped_entries_are_found(draw: st.DataObject) -> None:
    world, records, notes = kept()
    first, second = sorted(
        draw.draw(st.lists(st.sampled_from(places(records)), min_size=2, max_size=2, unique=True))
    )
    changed = list(records)
    changed[first], changed[second] = records[second], records[first]

    assert world.findings(changed, list(notes))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_chain_made_anew_from_some_entry_on_is_found_by_checkpoints_kept_elsewhere(
    draw: st.DataObject,
) -> None:
    world, records, notes = kept()
    at = draw.draw(st.sampled_from(places(records)))
    forged = forge(list(records), at)

    found = world.findings(forged, list(notes))

    assert found
    assert found[0].where.startswith("checkpoint")


def forge(records: list[Record], at: int) -> list[Record]:
    """Changes one entry, makes every later hash of its chain anew, and takes the trail's own notes out."""
    target = records[at]
    assert isinstance(target, PlacedEntry)
    tenant_id = target.entry.draft.tenant_id
    before = empty_chain(tenant_id).hash
    heads: dict[str, ChainHead] = {}
    for place, record in enumerate(records):
        if isinstance(record, PlacedEntry):
            entry = record.entry
            if entry.draft.tenant_id == tenant_id:
                if place == at:
                    entry = entry._replace(draft=entry.draft._replace(subject="forged"))
                before = hash_of(before, entry)
                entry = entry._replace(hash=before)
                records[place] = record._replace(entry=entry)
            heads[entry.draft.tenant_id] = ChainHead(entry.seq, entry.hash, entry.written_at_us)
        elif isinstance(record, End):
            records[place] = End(heads)
    return [record for record in records if not isinstance(record, Note)]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_trail_cut_off_before_the_last_checkpoint_is_found(draw: st.DataObject) -> None:
    world, records, notes = kept()
    at = draw.draw(st.sampled_from(places(records)))
    heads: dict[str, ChainHead] = {}
    left = list(records[:at])
    for record in left:
        if isinstance(record, PlacedEntry):
            entry: AuditEntry = record.entry
            heads[entry.draft.tenant_id] = ChainHead(entry.seq, entry.hash, entry.written_at_us)
    only = [record for record in left if not isinstance(record, Note)]

    found = world.findings([*only, End(heads)], list(notes))

    assert any("cut off" in finding.what for finding in found)


def test_an_export_without_its_end_is_found() -> None:
    world, records, notes = kept()

    found = world.findings(list(records[:-1]), list(notes))

    assert [finding.where for finding in found] == ["end"]


def test_a_tenant_that_vanished_as_a_whole_is_found() -> None:
    world, records, notes = kept()
    left: list[Record] = []
    leaf = 0
    for record in records:
        if isinstance(record, PlacedEntry):
            if record.entry.draft.tenant_id == "gamma":
                continue
            record = record._replace(leaf=leaf)
            leaf += 1
        elif isinstance(record, End):
            record = End({name: head for name, head in record.heads.items() if name != "gamma"})
        if not isinstance(record, Note):
            left.append(record)

    assert world.findings(left, list(notes))


def test_a_checkpoint_of_another_key_does_not_count() -> None:
    world, records, notes = kept()
    text = parse_note(notes[0])[0]
    other = Ed25519CheckpointSigner(world.signer.key.name, b"o" * 32)
    note = signed_note(text, world.signer.key, other.sign(text.encode()))

    found = world.findings(list(records), [note])

    assert "signature is wrong" in found[0].what


def test_a_beginning_that_hides_entries_needs_an_anchor() -> None:
    world, records, notes = kept()
    assert isinstance(records[0], Beginning)
    hidden = records[0]._replace(size=1, peaks=(b"x" * 32,), removed_until=1)

    assert world.findings([hidden, *records[2:]], list(notes))
