"""Turning keys on real databases, while others put in, replace and open; and what a stolen copy tells."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.crypto.ed25519 import Ed25519Signing
from adapters.crypto.envelope import AesGcmEnvelope
from adapters.crypto.keyring_file import KeyringFile
from adapters.crypto.manifest_pins import PinsFile
from adapters.sql.database import Database
from adapters.sql.vault import SqlCredentialStore, SqlRotationLog
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from application.use_cases import rotate_vault
from application.use_cases.rotate_vault import RotateVault
from application.vault import Vault
from application.vault_manifests import ManifestBook
from domain.errors import Conflict
from domain.tenancy.role import local_operator
from domain.vault.credential import Change, NewCredential, StoredCredential
from domain.vault.rotation import Rotation, RotationKind
from domain.vault.secret import SecretBytes
from tests.contract.sql_world import AnySqlWorld

BY = local_operator()
BATCH = 20
ROWS = 3 * BATCH - 10


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches of few rows: every change reads all rows of its tenant, so many would only take long."""
    assert rotate_vault.BATCH_ROWS > BATCH
    monkeypatch.setattr(rotate_vault, "BATCH_ROWS", BATCH)


class Instance(NamedTuple):
    vault: Vault
    rotate: RotateVault


def instance(database: Database, directory: Path, name: str) -> Instance:
    """One process's vault; all of them share the keyring file."""
    clock, ids = SystemClock(), TimeOrderedIds()
    keys = KeyringFile(directory / "vault.keys", may_create=True, now=SystemClock().utc_now)
    book = ManifestBook(Ed25519Signing(), PinsFile(directory / f"{name}.manifest"), clock)
    vault = Vault(SqlCredentialStore(database), AesGcmEnvelope(keys), keys, book, clock, ids)
    return Instance(vault, RotateVault(vault, SqlRotationLog(database), clock, ids))


async def fill(vault: Vault, count: int = ROWS) -> None:
    """Many at once, as nobody would put them in by hand."""
    await vault.put(NewCredential(tenant_id="t0", name="first"), SecretBytes(b"first"), "x")
    row = (await vault.store.tenant("t0")).rows[0]
    changes = [await _sealed(vault, row, n) for n in range(count)]
    for start in range(0, count, 100):
        await vault.change("t0", changes[start : start + 100])


async def _sealed(vault: Vault, like: StoredCredential, n: int) -> Change:
    bare = like.__class__(
        **{name: getattr(like, name) for name in like.__slots__}
        | {"credential_id": f"cred_{n:05}", "name": f"c{n}", "sealed": b""}
    )
    sealed = await vault._envelope.seal(bare.address, bare.key_id, SecretBytes(b"value-%d" % n))
    made = bare.__class__(**{name: getattr(bare, name) for name in bare.__slots__} | {"sealed": sealed})
    return Change(made.credential_id, None, made)


async def values(vault: Vault, count: int) -> list[bytes]:
    opened = await vault.open("t0", {f"c{n}" for n in range(count)})
    return [opened[f"c{n}"].reveal() for n in range(count)]


async def test_a_rotation_under_load_loses_nothing(sql: AnySqlWorld, tmp_path: Path) -> None:
    here = instance(sql.database, tmp_path, "here")
    other_database = sql.another()
    there = instance(other_database, tmp_path, "there")
    await fill(here.vault)
    written: dict[str, bytes] = {}
    done = asyncio.Event()

    async def writer(number: int, vault: Vault) -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            name, value = f"w{number}-{turn}", b"written-%d-%d" % (number, turn)
            row = await vault.put(NewCredential(tenant_id="t0", name=name), SecretBytes(value), "x")
            try:
                await vault.replace("t0", row.credential_id, SecretBytes(value + b"!"), "x")
                written[name] = value + b"!"
            except Conflict:
                written[name] = value  # the rotation was first; the operator would try again
            await asyncio.sleep(0.005)

    async def reader(vault: Vault) -> None:
        while not done.is_set():
            opened = await vault.open("t0", {"c7", "first"})
            assert (opened["c7"].reveal(), opened["first"].reveal()) == (b"value-7", b"first")
            await asyncio.sleep(0.005)

    async def turning() -> None:
        await here.rotate.begin(BY, RotationKind.MASTER)
        await asyncio.gather(here.rotate.run(), there.rotate.run())
        await there.rotate.begin(BY, RotationKind.DATA)
        await there.rotate.run()
        done.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(writer(1, here.vault))
        group.create_task(writer(2, there.vault))
        group.create_task(reader(there.vault))
        group.create_task(turning())

    assert await values(there.vault, ROWS) == [b"value-%d" % n for n in range(ROWS)]
    opened = await here.vault.open("t0", set(written))
    assert {name: opened[name].reveal() for name in written} == written and written
    assert await here.vault.check(deep=True) == await there.vault.check(deep=True) == []
    primary = (await here.vault.keys.keys()).primary.key_id
    assert set((await here.vault.store.figures()).by_key) == {primary}
    await other_database.aclose()


async def test_a_rotation_that_was_killed_goes_on_in_another_process(
    sql: AnySqlWorld, tmp_path: Path
) -> None:
    here = instance(sql.database, tmp_path, "here")
    await fill(here.vault)
    halfway = asyncio.Event()

    def stop(rotation: Rotation) -> None:
        if rotation.done >= BATCH:
            halfway.set()
            raise asyncio.CancelledError

    await here.rotate.begin(BY, RotationKind.MASTER)
    with pytest.raises(asyncio.CancelledError):
        await here.rotate.run(stop)
    assert halfway.is_set() and len((await here.vault.store.figures()).by_key) == 2

    successor = instance(sql.database, tmp_path, "successor")
    done = await successor.rotate.run()

    assert done is not None and done.finished_at is not None and done.failed == 0
    assert len((await successor.vault.store.figures()).by_key) == 1
    assert await values(successor.vault, ROWS) == [b"value-%d" % n for n in range(ROWS)]
    old = (await successor.vault.keys.keys()).keys[-1].key_id
    await successor.rotate.retire(BY, old)
    assert await values(successor.vault, 3) == [b"value-0", b"value-1", b"value-2"]


@contextmanager
def revealed(keys: Path) -> Iterator[list[bytes]]:
    """What must not be in a copy: the master keys in every form they have."""
    found: list[bytes] = []
    yield found
    for line in keys.read_text().splitlines():
        if not line.startswith("#"):
            digits = line.split()[1]
            found += [digits.encode(), bytes.fromhex(digits)]


async def test_a_copied_database_tells_nothing_without_the_keys(tmp_path: Path) -> None:
    """Every byte of the files beside the keyring, before and after turning keys and replacing values."""
    from tests.contract.sql_world import SqlWorld

    data = tmp_path / "data"
    data.mkdir()
    world = SqlWorld(data)
    data_keys: list[bytes] = []
    here = instance(world.database, tmp_path, "here")
    seal = here.vault._envelope

    class Watching(AesGcmEnvelope):
        """Remembers what it unwrapped."""

        async def open(self, *asked: object) -> SecretBytes:
            opened = await seal.open(*asked)  # type: ignore[arg-type]
            data_keys.append(opened.reveal())
            return opened

    await fill(here.vault, 20)
    here.vault._envelope = Watching(here.vault.keys)
    await here.rotate.begin(BY, RotationKind.MASTER)
    await here.rotate.run()
    row = (await here.vault.store.tenant("t0")).rows[0]
    await here.vault.replace("t0", row.credential_id, SecretBytes(b"replaced-4242"), "x")
    await world.database.make_durable()
    await world.aclose()

    copied = b"".join(file.read_bytes() for file in sorted(data.iterdir()) if file.is_file())
    with revealed(tmp_path / "vault.keys") as secrets:
        pass
    secrets += [b"value-", b"first", b"replaced-4242", *data_keys]
    assert len(secrets) > 20
    texts = [secret for secret in secrets if len(secret) > 5 and secret != b"first"]
    assert not [secret for secret in texts if secret in copied or secret.hex().encode() in copied]
    assert b"vault_credentials" in copied and b"cred_00001" in copied, "the search would have found it"


async def test_a_dump_of_postgres_tells_nothing_without_the_keys(tmp_path: Path) -> None:
    from sqlalchemy import Connection, text

    from tests.contract.sql_world import PostgresWorld

    world = PostgresWorld()
    here = instance(world.database, tmp_path, "here")
    await fill(here.vault, 20)

    def everything(connection: Connection) -> bytes:
        rows: list[str] = []
        for table in ("vault_credentials", "vault_manifests", "vault_state", "vault_retired_keys"):
            rows += [
                str(tuple(map(_plain, row))) for row in connection.execute(text(f"SELECT * FROM {table}"))
            ]
        return "\n".join(rows).encode()

    dumped = await world.database.read(everything)
    await world.aclose()

    with revealed(tmp_path / "vault.keys") as secrets:
        pass
    for secret in (*secrets, b"value-"):
        assert secret not in dumped and secret.hex().encode() not in dumped
    assert b"cred_00001" in dumped


def _plain(value: object) -> object:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value


def test_the_keyring_is_read_only_from_a_private_file(tmp_path: Path) -> None:
    """As it is made, and as an administrator may leave it."""
    from domain.errors import InvalidRequest, VaultLocked

    path = tmp_path / "vault.keys"
    keys = KeyringFile(path, may_create=True, now=SystemClock().utc_now)
    asyncio.run(keys.keys())
    assert path.stat().st_mode & 0o777 == 0o600

    path.chmod(0o640)
    with pytest.raises(VaultLocked, match="chmod 600"):
        asyncio.run(KeyringFile(path, may_create=True, now=SystemClock().utc_now).keys())
    path.chmod(0o600)
    link = tmp_path / "link.keys"
    link.symlink_to(path)
    with pytest.raises(VaultLocked):
        asyncio.run(KeyringFile(link, may_create=True, now=SystemClock().utc_now).keys())
    path.write_text("k1 nonsense\n")
    with pytest.raises(InvalidRequest) as refused:
        asyncio.run(KeyringFile(path, may_create=True, now=SystemClock().utc_now).keys())
    assert "nonsense" not in refused.value.message
    path.unlink()
    with pytest.raises(VaultLocked):
        asyncio.run(KeyringFile(path, may_create=False, now=SystemClock().utc_now).keys())
    assert not path.exists()
