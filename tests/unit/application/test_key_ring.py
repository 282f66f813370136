"""Who holds a key, through changes, outages and expiry."""

import asyncio
from datetime import timedelta

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import START, SteppingClock
from application.key_ring import KeyRing
from application.use_cases.manage_keys import CreatedKey, CreateKey
from domain.errors import StoreUnavailable, Unauthenticated
from domain.tenancy.key import format_key
from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import local_operator


class World:
    def __init__(self) -> None:
        self.store = InMemoryKeyStore()
        self.clock = SteppingClock()
        self.hasher = PepperedKeyHasher({1: b"p" * 32})
        self.ring = KeyRing(self.store, self.hasher, self.clock)
        self.create_key = CreateKey(self.store, self.hasher, self.clock, self.ring.refresh)

    async def create(self, **changes: object) -> CreatedKey:
        wish = {"tenant_id": "acme", "name": "robot", "role": "agent"} | changes
        return await self.create_key(local_operator(), NewKey(**wish))  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_new_key_works_at_once_where_it_was_made(world: World) -> None:
    created = await world.create(
        scopes=frozenset({"llm.call"}), allowed_models=frozenset({"acme/*"}), name="my robot"
    )

    for _ in range(2):  # cold, then warm
        principal = world.ring.authenticate(created.key)
        assert (principal.tenant_id, principal.key_id, principal.key_name, principal.role) == (
            "acme",
            created.key_id,
            "my robot",
            "agent",
        )
        assert principal.permissions == {"llm.call"}
        assert principal.allowed_models == frozenset({"acme/*"})


@pytest.mark.parametrize(
    "token", ["", "hello", "ik_live_x", "Bearer ik", "sk-" + "a" * 40, "é\ud800", "x" * 999]
)
async def test_what_is_no_key_is_told_how_keys_look(world: World, token: str) -> None:
    await world.ring.refresh()

    with pytest.raises(Unauthenticated, match="ik_<env>_<id>_<secret>_<check>"):
        world.ring.authenticate(token)


async def test_a_typo_is_told_apart_from_an_unknown_key(world: World) -> None:
    created = await world.create()
    typo = created.key[:-1] + ("0" if created.key[-1] != "0" else "1")

    with pytest.raises(Unauthenticated, match="form"):
        world.ring.authenticate(typo)


async def test_unknown_wrong_expired_and_revoked_keys_sound_the_same(world: World) -> None:
    expiring = await world.create(expires_at=START + timedelta(hours=1))
    revoked = await world.create()
    world.ring.authenticate(expiring.key)
    world.ring.authenticate(revoked.key)
    await world.store.revoke("acme", revoked.key_id, START)
    await world.ring.refresh()
    world.clock.advance(3600)
    await world.ring.refresh()
    wrong_secret = format_key("live", expiring.key_id, bytes(32))
    unknown = format_key("live", "0" * 12, bytes(32))

    said = set()
    for key in (expiring.key, revoked.key, wrong_secret, unknown):
        with pytest.raises(Unauthenticated) as refused:
            world.ring.authenticate(key)
        said.add(refused.value.message)

    assert len(said) == 1


async def test_another_instance_follows_with_its_next_refresh(world: World) -> None:
    other = KeyRing(world.store, world.hasher, world.clock)
    await other.refresh()
    created = await world.create()
    with pytest.raises(Unauthenticated):
        other.authenticate(created.key)

    await other.refresh()
    assert other.authenticate(created.key).key_id == created.key_id

    await world.store.revoke("acme", created.key_id, START)
    await other.refresh()
    with pytest.raises(Unauthenticated):
        other.authenticate(created.key)


async def test_nothing_is_answered_before_the_store_was_ever_asked(world: World) -> None:
    with pytest.raises(StoreUnavailable):
        world.ring.authenticate("hello")
    assert world.ring.stale_for_s is None


async def test_an_outage_is_bridged_for_five_minutes_and_then_told_as_an_outage(world: World) -> None:
    created = await world.create()
    world.store.reachable = False
    world.clock.advance(300)
    with pytest.raises(StoreUnavailable):
        await world.ring.refresh()
    assert world.ring.authenticate(created.key).key_id == created.key_id

    world.clock.advance(1)
    with pytest.raises(StoreUnavailable):
        world.ring.authenticate(created.key)
    assert world.ring.stale_for_s == 301

    world.store.reachable = True
    await world.ring.refresh()
    assert world.ring.authenticate(created.key).key_id == created.key_id


async def test_the_memory_of_warm_keys_is_bounded(world: World) -> None:
    world.ring = KeyRing(world.store, world.hasher, world.clock, warm_keys_max=2)
    created = [await world.create() for _ in range(5)]
    await world.ring.refresh()

    for _ in range(2):
        for one in created:
            assert world.ring.authenticate(one.key).key_id == one.key_id
            assert len(world.ring._warm) <= 2


async def test_no_key_is_kept_in_memory_as_it_is(world: World) -> None:
    created = await world.create()
    world.ring.authenticate(created.key)

    assert created.key not in repr(vars(world.ring))
    assert created.key.split("_")[3] not in repr(vars(world.ring))


async def test_a_key_under_a_lost_pepper_is_unknown(world: World) -> None:
    created = await world.create()
    ring = KeyRing(world.store, PepperedKeyHasher({2: b"q" * 32}), world.clock)
    await ring.refresh()

    with pytest.raises(Unauthenticated):
        ring.authenticate(created.key)


async def test_watching_survives_an_outage_and_catches_up(world: World) -> None:
    world.store.reachable = False
    watching = asyncio.create_task(world.ring.watch(every_s=0.001))
    await asyncio.sleep(0.005)
    assert world.ring.stale_for_s is None

    world.store.reachable = True
    async with asyncio.timeout(5):
        while world.ring.stale_for_s is None:  # noqa: ASYNC110 (the ring tells nobody when it is current)
            await asyncio.sleep(0.001)

    watching.cancel()
    await asyncio.wait([watching])


async def test_overlapping_refreshes_end_with_the_newest_keys(world: World) -> None:
    await asyncio.gather(*(world.create() for _ in range(5)), *(world.ring.refresh() for _ in range(5)))
    await world.ring.refresh()

    assert len(world.ring._holders) == 5


async def test_the_holder_of_a_key_is_known_by_its_id_with_the_rights_of_this_moment(world: World) -> None:
    created = await world.create(expires_at=START + timedelta(hours=1))
    assert world.ring.holder_of("acme", created.key_id) == world.ring.authenticate(created.key)
    with pytest.raises(Unauthenticated):
        world.ring.holder_of("other", created.key_id)
    world.clock.advance(3601)
    await world.ring.refresh()
    with pytest.raises(Unauthenticated):
        world.ring.holder_of("acme", created.key_id)


async def test_nobody_holds_a_revoked_key(world: World) -> None:
    created = await world.create()
    await world.store.revoke("acme", created.key_id, START)
    await world.ring.refresh()
    with pytest.raises(Unauthenticated):
        world.ring.holder_of("acme", created.key_id)
