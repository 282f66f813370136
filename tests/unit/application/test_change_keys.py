"""Keys that turn and change, and what nobody gets by it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.crypto.pepper_file import PepperFile
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import START, SteppingClock
from application.key_ring import KeyRing
from application.role_book import RoleBook
from application.use_cases.import_keys import ImportKeys
from application.use_cases.page_keys import WantedKeys
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated
from domain.tenancy.imported_key import ImportedKey
from domain.tenancy.key_rules import NewKey
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from entrypoints.access import KeyBackends, make_access
from entrypoints.settings import Settings


class World:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = InMemoryKeyStore()
        self.clock = SteppingClock()
        peppers = load_peppers(directory, None)
        self.hasher = PepperedKeyHasher(peppers)
        self.peppers = PepperFile(directory, self.hasher, peppers)
        self.ring = KeyRing(self.store, self.hasher, self.clock)
        backends = KeyBackends(
            store=self.store,
            pages=self.store,
            uses=self.store,
            hasher=self.hasher,
            peppers=self.peppers,
            owner_file=PrivateOwnerKeyFile(directory / "admin.key"),
        )
        access = make_access(backends, self.ring, self.clock, Settings(), None, RoleBook(), None)
        self.keys, self.page, self.following = access.keys, access.page, access.following

    async def key(self, by: Principal | None = None, **wish: Any) -> str:
        wanted = {"tenant_id": "acme", "name": "robot", "role": "agent"} | wish
        created = await self.keys.create(by or local_operator(), NewKey(**wanted))
        await self.following.look()
        return created.key

    async def holder(self, **wish: Any) -> Principal:
        return self.ring.authenticate(await self.key(**wish))

    def lets_in(self, text: str) -> bool:
        try:
            self.ring.authenticate(text)
        except Unauthenticated:
            return False
        return True


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_both_secrets_of_a_rotated_key_work_until_the_overlap_ends(world: World) -> None:
    old = await world.key()
    key_id = world.ring.authenticate(old).key_id

    new = (await world.keys.rotate(local_operator(), key_id, 60)).key
    assert world.lets_in(old) and world.lets_in(new)
    assert world.ring.authenticate(old) == world.ring.authenticate(new)

    world.clock.advance(59)
    assert world.lets_in(old)
    world.clock.advance(1)
    assert not world.lets_in(old) and world.lets_in(new)


async def test_revoking_ends_both_secrets(world: World) -> None:
    old = await world.key()
    key_id = world.ring.authenticate(old).key_id
    new = (await world.keys.rotate(local_operator(), key_id)).key

    ended: list[frozenset[str]] = []
    world.ring.on_revoked = ended.append
    record = await world.keys.revoke(local_operator(), key_id, "it leaked")

    assert not world.lets_in(old) and not world.lets_in(new)
    assert (record.revoked_by, record.revoked_reason, ended) == ("local", "it leaked", [frozenset({key_id})])
    with pytest.raises(Conflict):
        await world.keys.rotate(local_operator(), key_id, 0)
    with pytest.raises(Conflict):
        await world.keys.change(local_operator(), key_id, {"name": "x"})


async def test_an_expired_key_is_not_saved_by_its_overlap(world: World) -> None:
    old = await world.key(expires_at=START + timedelta(seconds=30))
    await world.keys.rotate(local_operator(), world.ring.authenticate(old).key_id, 60)

    world.clock.advance(30)

    assert not world.lets_in(old)


async def test_an_imported_key_turns_into_one_of_ours(world: World) -> None:
    import hashlib

    digest = hashlib.sha256(b"sk-old-gateway").digest()
    imported = ImportedKey(digest=digest, tenant_id="acme", name="i", role="agent", created_at=START)
    (key_id,) = (await ImportKeys(world.store, world.hasher, world.clock)(local_operator(), [imported])).new
    await world.following.look()
    assert world.ring.authenticate("sk-old-gateway").key_id == key_id

    new = (await world.keys.rotate(local_operator(), key_id, 60)).key
    assert world.ring.authenticate(new).key_id == key_id
    assert world.lets_in("sk-old-gateway")

    world.clock.advance(60)
    assert world.lets_in(new) and not world.lets_in("sk-old-gateway")


async def test_nobody_gets_the_secret_of_a_key_that_holds_more(world: World) -> None:
    bound = await world.holder(role="admin", networks=("10.0.0.0/8",))
    admin = await world.holder(role="admin")
    owner = await world.holder(role="owner")
    free = await world.holder()

    for by, victim in ((bound, free), (bound, admin), (admin, owner)):
        with pytest.raises(Forbidden):
            await world.keys.rotate(by, victim.key_id)
        with pytest.raises(Forbidden):
            await world.keys.change(by, victim.key_id, {"name": "mine"})
    with pytest.raises(Forbidden):
        await world.keys.rotate(free, free.key_id)
    assert (await world.keys.rotate(admin, free.key_id)).record.key_id == free.key_id


WIDER: list[dict[str, Any]] = [
    {"networks": ()},
    {"networks": ("10.0.0.0/7",)},
    {"networks": ("10.1.0.0/16", "::/0")},
    {"assertable": None},
    {"assertable": frozenset({"agent:*"})},
    {"assertable": frozenset({"agent:crawler-1", "user:x"})},
    {"integrations": None},
    {"integrations": frozenset({"jira", "slack"})},
    {"managed_budgets": None},
    {"managed_budgets": frozenset({"*"})},
    {"role": "owner"},
    {"scopes": None, "role": "owner"},
]


@pytest.mark.parametrize("wider", WIDER, ids=range(len(WIDER)))
async def test_a_change_widens_nothing_beyond_whoever_makes_it(world: World, wider: dict[str, Any]) -> None:
    limits: dict[str, Any] = {
        "networks": ("10.0.0.0/8",),
        "assertable": frozenset({"agent:crawler-*"}),
        "integrations": frozenset({"jira"}),
        "managed_budgets": frozenset({"team-*"}),
    }
    by = await world.holder(role="admin", **limits)
    child = world.ring.authenticate(await world.key(by))
    assert {name: getattr(child, name) for name in limits} == limits, "limits are passed on"

    taken_over = {name for name, value in wider.items() if value in (None, ())}
    if taken_over >= set(wider):
        record = await world.keys.change(by, child.key_id, wider)
        assert {name: getattr(record, name) for name in wider} == {name: limits[name] for name in wider}
    else:
        with pytest.raises(Forbidden):
            await world.keys.change(by, child.key_id, wider)


async def test_a_change_is_what_counts_from_then_on(world: World) -> None:
    holder = await world.holder(expires_at=START + timedelta(days=1))

    changed = await world.keys.change(
        local_operator(), holder.key_id, {"scopes": frozenset({"llm.call"}), "assertable": frozenset()}
    )

    now = world.ring.holder_of("acme", holder.key_id)
    assert now.permissions == {"llm.call"}
    assert now.assertable == frozenset()
    assert changed.expires_at == START + timedelta(days=1)
    for wrong in ({"scopes": frozenset({"king"})}, {"expires_at": START}, {"tenant_id": "other"}):
        with pytest.raises(InvalidRequest):
            await world.keys.change(local_operator(), holder.key_id, wrong)


async def test_another_tenants_key_does_not_exist(world: World) -> None:
    theirs, me = await world.holder(tenant_id="other"), await world.holder(role="owner")

    with pytest.raises(NotFound):
        await world.keys.show(me, theirs.key_id)
    with pytest.raises(NotFound):
        await world.keys.rotate(me, theirs.key_id)
    with pytest.raises(NotFound):
        await world.keys.change(me, theirs.key_id, {"name": "x"})
    found = await world.page(me, WantedKeys())
    assert {record.tenant_id for record in found.records} == {"acme"}
    with pytest.raises(Forbidden):
        await world.page(me, WantedKeys(tenant_id="other"))


async def test_pages_follow_each_other_through_their_cursors(world: World) -> None:
    for number in range(5):
        await world.key(name=f"robot {number}")
    seen, cursor = [], None
    while True:
        page = await world.page(local_operator(), WantedKeys(limit=2, cursor=cursor))
        seen += [record.name for record in page.records]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == [f"robot {number}" for number in range(5)]
    for wrong in ("x", "1.", "\u0661.Key000000001", f"{10**20}.Key000000001", "-1.Key000000001"):
        with pytest.raises(InvalidRequest):
            await world.page(local_operator(), WantedKeys(cursor=wrong))


async def test_uses_are_noted_in_groups_and_not_twice(world: World) -> None:
    key = await world.key()
    key_id = world.ring.authenticate(key).key_id
    world.ring.authenticate(key)
    await world.following.flush()
    first = (await world.keys.show(local_operator(), key_id)).last_used_at
    world.clock.advance(60)
    await world.following.flush()

    assert first == START
    assert (await world.keys.show(local_operator(), key_id)).last_used_at == first


async def test_secrets_move_to_the_newest_pepper_when_they_are_used(world: World) -> None:
    used, idle = await world.key(), await world.key()
    await world.keys.peppers.turn()
    await world.following.look()
    assert world.lets_in(used)

    await world.following.flush()
    await world.following.look()

    standings = {each.version: each.secrets for each in await world.keys.peppers.standings()}
    assert standings == {1: 1, 2: 1}
    assert world.lets_in(used) and world.lets_in(idle)
    with pytest.raises(Conflict, match="1 secrets"):
        await world.keys.peppers.drop(1)
    await world.following.flush()
    await world.keys.peppers.drop(1)
    assert world.lets_in(used) and world.lets_in(idle)
