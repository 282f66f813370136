"""Turning keys: nothing is lost, whoever works on it and whoever leaves in the middle."""

import asyncio
from datetime import timedelta

import pytest

from domain.errors import Conflict, Forbidden, NotFound
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from domain.vault.rotation import KeyInfo, KeyList, Rotation, RotationKind, check_retirement, is_due
from tests.unit.vault.vault_world import NOW, VaultWorld, named, secret, vault_world

BY = local_operator()
NOBODY = Principal(tenant_id="acme", key_id="k", key_name="n", role="agent", permissions=frozenset())


async def filled(count: int = 5) -> VaultWorld:
    world = vault_world()
    for n in range(count):
        await world.vault.put(named(f"c{n}", f"t{n % 2}"), secret(f"sk-{n}"), "x")
    world.clock.now_s += 60
    return world


async def all_open(world: VaultWorld, count: int = 5) -> None:
    for n in range(count):
        opened = await world.vault.open(f"t{n % 2}", {f"c{n}"})
        assert opened[f"c{n}"].reveal().decode() == f"sk-{n}"
    assert await world.vault.check(deep=True) == []


async def test_a_rotation_brings_everything_under_a_new_key() -> None:
    world = await filled()
    seen: list[tuple[int, int]] = []

    begun = await world.rotate.begin(BY, RotationKind.MASTER)
    done = await world.rotate.run(lambda rotation: seen.append((rotation.done, rotation.total)))

    assert begun.total == 6, "five, and the signer of the manifests"
    assert done is not None and done.finished_at is not None and (done.done, done.failed) == (6, 0)
    assert seen[-1] == (6, 6) and seen == sorted(seen)
    figures = await world.store.figures()
    assert figures.by_key == {"k2": 6}
    await all_open(world)
    await all_open(world.neighbour())


async def test_data_keys_turn_without_a_new_master_key() -> None:
    world = await filled()
    before = {row.credential_id: row for row in (await world.store.tenant("t0")).rows}

    await world.rotate.begin(BY, RotationKind.DATA)
    await world.rotate.run()

    after = (await world.store.tenant("t0")).rows
    assert all(row.sealed != before[row.credential_id].sealed for row in after)
    assert all(row.version == before[row.credential_id].version for row in after)
    assert (await world.store.figures()).by_key == {"k1": 6}
    await all_open(world)


async def test_one_that_was_stopped_goes_on_where_it_was() -> None:
    world = await filled(8)

    class Killed(BaseException):
        pass

    def kill(rotation: Rotation) -> None:
        raise Killed

    await world.rotate.begin(BY, RotationKind.MASTER)
    with pytest.raises(Killed):
        await world.rotate.run(kill)
    half = (await world.store.figures()).by_key
    assert set(half) == {"k1", "k2"}
    await all_open(world, 8)

    successor = world.neighbour()
    done = await successor.rotate.run()

    assert done is not None and done.finished_at is not None
    assert (await world.store.figures()).by_key == {"k2": 9}, "and no third key was made"
    await all_open(world, 8)
    assert await successor.rotate.run() is None


async def test_two_at_once_do_each_other_no_harm() -> None:
    world = await filled(9)
    other = world.neighbour()
    await world.rotate.begin(BY, RotationKind.MASTER)
    with pytest.raises(Conflict, match="under way"):
        await other.rotate.begin(BY, RotationKind.MASTER)

    await asyncio.gather(world.rotate.run(), other.rotate.run())

    figures = await world.store.figures()
    listed = await world.keys.keys()
    assert set(figures.by_key) == {listed.primary.key_id} and sum(figures.by_key.values()) == 10
    await all_open(world, 9)
    await all_open(other, 9)


async def test_what_does_not_open_is_left_alone_and_counted() -> None:
    world = await filled()
    row = (await world.store.tenant("t0")).rows[0]
    world.store.rows[row.credential_id] = type(row)(  # type: ignore[attr-defined]
        **{name: getattr(row, name) for name in row.__slots__} | {"sealed": row.sealed[:-1] + b"\x00"}
    )

    await world.rotate.begin(BY, RotationKind.MASTER)
    done = await world.rotate.run()

    assert done is not None and done.finished_at is not None and (done.done, done.failed) == (5, 1)
    findings = await world.vault.check(deep=True)
    assert [each.code for each in findings] == ["changed"], "rotating does not sign it"
    with pytest.raises(Conflict, match="1 credentials"):
        await world.rotate.retire(BY, "k1")


async def test_a_key_is_dropped_when_nothing_is_under_it() -> None:
    world = await filled()
    with pytest.raises(Conflict, match="seals"):
        await world.rotate.retire(BY, "k1")
    await world.rotate.begin(BY, RotationKind.MASTER)
    late = world.neighbour()
    await world.rotate.run()

    await world.rotate.retire(BY, "k1")

    assert [key.key_id for key in (await world.keys.keys()).keys] == ["k2"]
    with pytest.raises(NotFound):
        await world.rotate.retire(BY, "k1")
    await late.vault.put(named("late"), secret("x"), "x")
    status = await world.rotate.status(BY)
    assert [(use.key.key_id, use.credentials, use.primary) for use in status.keys] == [("k2", 7, True)]


async def test_only_who_may_turns_keys() -> None:
    world = await filled(1)
    with pytest.raises(Forbidden):
        await world.rotate.begin(NOBODY, RotationKind.MASTER)
    with pytest.raises(Forbidden):
        await world.rotate.status(NOBODY)
    with pytest.raises(Forbidden):
        await world.rotate.retire(NOBODY, "k1")


async def test_a_schedule_begins_once_when_it_is_time() -> None:
    world = await filled()
    other = world.neighbour()
    assert await world.rotate.begin_if_due(None) is None
    assert await world.rotate.begin_if_due(1) is None
    world.clock.now_s += 86_400

    begun = [await world.rotate.begin_if_due(1), await other.rotate.begin_if_due(1)]
    assert [rotation is None for rotation in begun] == [False, True]
    await other.rotate.run()

    assert await world.rotate.begin_if_due(1) is None
    world.clock.now_s += 86_400
    again = await world.rotate.begin_if_due(1)
    assert again is not None and again.started_by == "schedule"


def test_when_it_is_due() -> None:
    day = timedelta(days=1)
    last = Rotation(rotation_id="r", kind=RotationKind.MASTER, started_at=NOW, started_by="x", total=0)

    assert not is_due(None, last=None, first_sealed_at=NOW, now=NOW + 999 * day)
    assert not is_due(1, last=None, first_sealed_at=None, now=NOW)
    assert is_due(30, last=None, first_sealed_at=NOW, now=NOW + 30 * day)
    assert not is_due(30, last=last, first_sealed_at=NOW - 900 * day, now=NOW + 29 * day)
    assert is_due(30, last=last, first_sealed_at=NOW, now=NOW + 30 * day)


def test_a_rotation_makes_one_key_however_often_it_is_resumed() -> None:
    rotation = Rotation(rotation_id="r", kind=RotationKind.MASTER, started_at=NOW, started_by="x", total=0)
    older = KeyInfo("k1", NOW - timedelta(days=1))

    assert rotation.needs_a_key(KeyList((older,), True))
    assert not rotation.needs_a_key(KeyList((KeyInfo("k2", NOW), older), True))
    assert not rotation.needs_a_key(KeyList((older,), False))


def test_a_used_key_is_never_dropped() -> None:
    keys = [KeyInfo("new"), KeyInfo("old")]
    check_retirement("old", keys, {"new": 3})
    with pytest.raises(Conflict):
        check_retirement("old", keys, {"old": 1})
    with pytest.raises(NotFound):
        check_retirement("none", keys, {})


@pytest.mark.parametrize("work", ["replace", "delete"])
async def test_a_rotation_in_between_is_nobodys_conflict(work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await filled(1)
    [row] = (await world.store.tenant("t0")).rows
    look, turned = world.vault.row, False

    async def looked_at(tenant_id: str, credential_id: str) -> object:
        nonlocal turned
        found = await look(tenant_id, credential_id)
        if not turned:
            turned = True
            await world.rotate.begin(BY, RotationKind.MASTER)
            await world.rotate.run()
        return found

    monkeypatch.setattr(world.vault, "row", looked_at)
    if work == "replace":
        made = await world.vault.replace("t0", row.credential_id, secret("sk-new"), "x")
        assert made.version == 2
        assert (await world.vault.open("t0", {"c0"}))["c0"].reveal() == b"sk-new"
    else:
        await world.vault.delete("t0", row.credential_id)
        assert (await world.store.tenant("t0")).rows == ()
    assert await world.vault.check(deep=True) == []
