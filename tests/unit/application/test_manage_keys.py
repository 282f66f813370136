"""Keys from the first one to the recovered one."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.system import SteppingClock
from adapters.sql.keys import SqlKeyStore
from application.key_ring import KeyRing
from application.use_cases.manage_keys import BootstrapFirstKey, CreateKey, ListKeys, RecoverKey, RevokeKey
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, StoreUnavailable
from domain.tenancy.key_rules import NewKey
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from tests.contract.sql_world import SqlWorld

START_ONE = """
import asyncio, sys
from pathlib import Path
from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.sql.database import SqlDatabase
from adapters.sql.keys import SqlKeyStore
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import upgrade
from adapters.system.clock import SystemClock
from application.use_cases.manage_keys import BootstrapFirstKey

async def main(folder):
    url = f"sqlite:///{folder / 'interchange.db'}"
    upgrade(url)
    store = SqlKeyStore(SqlDatabase(url, BlockingThread("first")))
    hasher = PepperedKeyHasher(load_peppers(folder, None))
    await BootstrapFirstKey(store, hasher, SystemClock(), PrivateOwnerKeyFile(folder / "admin.key"))()

asyncio.run(main(Path(sys.argv[1])))
"""


class World:
    def __init__(self, directory: Path) -> None:
        self.store = InMemoryKeyStore()
        self.clock = SteppingClock()
        self.hasher = PepperedKeyHasher({1: b"p" * 32})
        self.path = directory / "admin.key"
        self.ring = KeyRing(self.store, self.hasher, self.clock)
        file = PrivateOwnerKeyFile(self.path)
        self.first = BootstrapFirstKey(self.store, self.hasher, self.clock, file)
        self.create = CreateKey(self.store, self.hasher, self.clock, self.ring.refresh)
        self.list = ListKeys(self.store)
        self.revoke = RevokeKey(self.store, self.clock, self.ring.refresh)
        self.recover = RecoverKey(self.store, self.hasher, self.clock, file, self.ring.refresh)

    async def caller(self, role: str, tenant_id: str = "acme") -> Principal:
        created = await self.create(local_operator(), NewKey(tenant_id=tenant_id, name=role, role=role))
        return self.ring.authenticate(created.key)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_the_first_key_is_an_owner_and_lies_in_a_private_file(world: World) -> None:
    created = await world.first()
    await world.ring.refresh()

    assert created is not None
    assert world.path.read_text() == f"{created.key}\n"
    assert world.path.stat().st_mode & 0o777 == 0o600
    principal = world.ring.authenticate(created.key)
    assert (principal.tenant_id, principal.role) == ("default", "owner")
    assert principal.may("tenants.manage")


async def test_the_second_start_makes_no_further_key(world: World) -> None:
    await world.first()
    before = world.path.read_bytes()

    assert await world.first() is None

    assert len(await world.store.all()) == 1
    assert world.path.read_bytes() == before


async def test_a_crash_between_file_and_store_is_mended_by_the_next_start(world: World) -> None:
    world.path.write_text(f"{world.hasher.new_key('live')}\n")

    created = await world.first()
    await world.ring.refresh()

    assert created is not None
    assert world.path.read_text().strip() == created.key
    assert world.ring.authenticate(created.key).role == "owner"


async def test_a_file_that_holds_something_else_is_not_touched(world: World) -> None:
    world.path.write_text("my notes")

    with pytest.raises(Conflict, match="not a key"):
        await world.first()

    assert world.path.read_text() == "my notes"
    assert await world.store.all() == []


def test_processes_that_start_together_share_one_first_key(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    started = [subprocess.Popen([sys.executable, "-c", START_ONE, str(tmp_path)], cwd=root) for _ in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]

    async def kept() -> list[str]:
        sql = SqlWorld(tmp_path)
        records = await SqlKeyStore(sql.database).all()
        await sql.aclose()
        return [record.key_id for record in records]

    assert asyncio.run(kept()) == [(tmp_path / "admin.key").read_text().split("_")[2]]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_a_recovered_key_replaces_the_file_and_leaves_other_keys_alone(world: World) -> None:
    first = await world.first()
    recovered = await world.recover()

    assert first is not None
    assert world.path.read_text().strip() == recovered.key
    assert world.path.stat().st_mode & 0o777 == 0o600
    for key in (first.key, recovered.key):
        assert world.ring.authenticate(key).role == "owner"


async def test_a_malformed_wish_and_an_excessive_one_make_no_key(world: World) -> None:
    admin = await world.caller("admin")
    before = await world.store.generation()

    with pytest.raises(InvalidRequest):
        await world.create(admin, NewKey(tenant_id="acme", name="x", role="king"))
    with pytest.raises(Forbidden):
        await world.create(admin, NewKey(tenant_id="acme", name="x", role="owner"))
    with pytest.raises(Forbidden):
        await world.create(admin, NewKey(tenant_id="other", name="x", role="agent"))

    assert await world.store.generation() == before


async def test_a_key_is_returned_even_when_the_news_do_not_get_through(world: World) -> None:
    async def nobody_listens() -> None:
        raise StoreUnavailable("gone")

    create = CreateKey(world.store, world.hasher, world.clock, nobody_listens)

    created = await create(local_operator(), NewKey(tenant_id="acme", name="x", role="agent"))

    assert [record.key_id for record in await world.store.all()] == [created.key_id]


async def test_lists_end_at_the_border_of_the_tenant(world: World) -> None:
    mine, other = await world.caller("owner", "acme"), await world.caller("owner", "other")

    assert {record.tenant_id for record in await world.list(mine)} == {"acme"}
    assert {record.tenant_id for record in await world.list(local_operator())} == {"acme", "other"}
    assert {record.tenant_id for record in await world.list(local_operator(), "other")} == {"other"}
    with pytest.raises(Forbidden):
        await world.list(mine, other.tenant_id)
    with pytest.raises(Forbidden):
        await world.list(await world.caller("agent"))


async def test_a_revoked_key_is_refused_at_once_and_revoking_again_is_no_error(world: World) -> None:
    agent, owner = await world.caller("agent"), await world.caller("owner")

    record = await world.revoke(owner, agent.key_id)
    world.clock.advance(60)
    again = await world.revoke(owner, agent.key_id)

    assert record == again
    assert record.revoked_at is not None
    assert agent.key_id not in world.ring._holders


async def test_another_tenants_key_does_not_exist_for_me(world: World) -> None:
    theirs, me = await world.caller("agent", "other"), await world.caller("owner", "acme")

    with pytest.raises(NotFound):
        await world.revoke(me, theirs.key_id)
    with pytest.raises(NotFound):
        await world.revoke(me, "nothere")

    assert theirs.key_id in world.ring._holders


async def test_without_the_permission_nothing_is_revoked(world: World) -> None:
    developer, agent = await world.caller("developer"), await world.caller("agent")

    with pytest.raises(Forbidden):
        await world.revoke(developer, agent.key_id)
