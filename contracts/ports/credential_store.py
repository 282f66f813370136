"""What every CredentialStore and every RotationLog promises."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.vault import CredentialStore, RotationLog
from contracts.ports._base import PortContract
from domain.errors import Conflict, CredentialDamaged, StoreUnavailable
from domain.vault.credential import Change, StoredCredential
from domain.vault.manifest import SignedManifest
from domain.vault.rotation import Rotation, RotationKind

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def row(credential_id: str = "cred_1", **changed: object) -> StoredCredential:
    made = StoredCredential(
        credential_id=credential_id,
        tenant_id="acme",
        name=f"name-of-{credential_id}",
        integration="provider",
        field="api_key",
        version=1,
        key_id="k1",
        sealed=b"\x01\x00sealed\xff" + credential_id.encode(),
        sealed_at=NOW,
        created_at=NOW - timedelta(days=1),
        updated_at=NOW,
        updated_by="Key000000001",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def new(made: StoredCredential) -> Change:
    return Change(made.credential_id, None, made)


def counting(old: SignedManifest | None, kept: int, changes: Sequence[Change]) -> SignedManifest:
    """A manifest that says what it was made of."""
    before = 0 if old is None else int(old.body.split(b" ")[0])
    return SignedManifest(b"%d %d %d" % (before + 1, kept, len(changes)), b"\x00signature\xff")


class CredentialStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> CredentialStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> CredentialStore:
        raise NotImplementedError

    async def test_a_new_store_holds_nothing(self, store: CredentialStore) -> None:
        assert await store.tenant("acme") == ((), None)
        assert await store.figures() == ({}, (), None)

    async def test_what_was_put_is_what_is_read_with_its_manifest(self, store: CredentialStore) -> None:
        signed, applied = await store.change("acme", [new(row("cred_2")), new(row())], counting)

        assert applied == ("cred_2", "cred_1")
        assert signed == SignedManifest(b"1 0 2", b"\x00signature\xff")
        assert await store.tenant("acme") == ((row(), row("cred_2")), signed)
        assert (await store.tenant("acme", ["cred_2", "cred_9"])).rows == (row("cred_2"),)

    async def test_a_tenant_sees_nothing_of_another(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)
        await store.change("other", [new(row("cred_2", tenant_id="other", name="name-of-cred_1"))], counting)

        assert [each.credential_id for each in (await store.tenant("other")).rows] == ["cred_2"]
        assert (await store.tenant("other", ["cred_1"])).rows == ()
        taken = Change("cred_1", row().digest, None)
        assert (await store.change("other", [taken], counting))[1] == ()
        assert (await store.tenant("acme")).rows == (row(),)

    async def test_a_row_is_replaced_only_where_it_is_what_was_read(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)
        second = row(version=2, sealed=b"second", key_id="k2", sealed_at=NOW + timedelta(seconds=1))

        _, applied = await store.change("acme", [Change("cred_1", row().digest, second)], counting)
        assert applied == ("cred_1",)
        signed, late = await store.change("acme", [Change("cred_1", row().digest, row(version=3))], counting)

        assert late == () and signed == SignedManifest(b"2 1 1", b"\x00signature\xff")
        assert (await store.tenant("acme")).rows == (second,)

    async def test_of_several_changes_those_apply_that_can(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row("cred_1")), new(row("cred_2")), new(row("cred_3"))], counting)
        changes = [
            Change("cred_1", b"another", row("cred_1", version=2)),
            Change("cred_2", row("cred_2").digest, None),
            Change("cred_3", None, row("cred_3")),
            new(row("cred_4")),
        ]

        signed, applied = await store.change("acme", changes, counting)

        assert applied == ("cred_2", "cred_4")
        assert signed is not None and signed.body == b"2 3 2"
        ids = [each.credential_id for each in (await store.tenant("acme")).rows]
        assert ids == ["cred_1", "cred_3", "cred_4"]

    async def test_a_name_is_taken_once_in_a_tenant(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)

        with pytest.raises(Conflict):
            await store.change("acme", [new(row("cred_2", name="name-of-cred_1"))], counting)

        kept = await store.tenant("acme")
        assert kept.rows == (row(),) and kept.manifest is not None and kept.manifest.body == b"1 0 1"

    async def test_what_the_manifest_refuses_does_not_happen(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)

        def refuse(old: SignedManifest | None, kept: int, changes: Sequence[Change]) -> SignedManifest:
            raise CredentialDamaged("no")

        with pytest.raises(CredentialDamaged):
            await store.change("acme", [Change("cred_1", row().digest, None)], refuse)

        assert (await store.tenant("acme")).rows == (row(),)

    async def test_the_manifest_alone_may_change(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)

        signed, applied = await store.change("acme", (), counting)

        assert applied == () and signed is not None and signed.body == b"2 1 0"
        assert await store.tenant("acme") == ((row(),), signed)

    async def test_figures_count_by_key_over_all_tenants(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row("cred_1")), new(row("cred_2", key_id="k2"))], counting)
        early = NOW - timedelta(days=9)
        await store.change("other", [new(row("cred_3", tenant_id="other", created_at=early))], counting)
        await store.change("gone", [new(row("cred_4", tenant_id="gone"))], counting)
        taken = Change("cred_4", row("cred_4", tenant_id="gone").digest, None)
        await store.change("gone", [taken], counting)

        assert await store.figures() == ({"k1": 2, "k2": 1}, ("acme", "gone", "other"), early)

    async def test_a_key_is_retired_when_nothing_is_under_it_and_then_nothing_comes_under_it(
        self, store: CredentialStore
    ) -> None:
        await store.change("acme", [new(row())], counting)
        assert await store.retire("k1") is False
        moved = row(key_id="k2")
        await store.change("acme", [Change("cred_1", row().digest, moved)], counting)

        assert await store.retire("k1") is True
        assert await store.retire("k1") is True

        with pytest.raises(Conflict, match="k1"):
            await store.change("acme", [new(row("cred_2"))], counting)
        assert (await store.tenant("acme")).rows == (moved,)

    async def test_the_generation_changes_with_every_change(self, store: CredentialStore) -> None:
        seen = [await store.generation()]
        await store.change("acme", [new(row())], counting)
        seen.append(await store.generation())
        await store.change("acme", [Change("cred_1", row().digest, None)], counting)
        seen.append(await store.generation())

        assert len(set(seen)) == 3
        await store.change("acme", [Change("cred_1", row().digest, None)], counting)
        assert await store.generation() == seen[-1]

    async def test_changes_at_once_all_count(self, store: CredentialStore) -> None:
        await asyncio.gather(
            *(store.change("acme", [new(row(f"cred_{n}"))], counting) for n in range(16)),
            *(store.change("other", [new(row(f"o_{n}", tenant_id="other"))], counting) for n in range(4)),
        )

        kept = await store.tenant("acme")
        assert len(kept.rows) == 16 and kept.manifest is not None
        assert kept.manifest.body == b"16 15 1"

    async def test_of_two_who_replace_the_same_one_wins(self, store: CredentialStore) -> None:
        await store.change("acme", [new(row())], counting)
        asked = [row(version=2, sealed=b"%d" % n) for n in range(6)]

        done = await asyncio.gather(
            *(store.change("acme", [Change("cred_1", row().digest, each)], counting) for each in asked)
        )

        assert sorted(len(applied) for _, applied in done) == [0] * 5 + [1]

    async def test_it_works_after_a_cancelled_call(self, store: CredentialStore) -> None:
        call = asyncio.create_task(store.tenant("acme"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await store.change("acme", [new(row())], counting)

        assert (await store.tenant("acme")).rows == (row(),)

    async def test_an_unreachable_store_says_so(self, unreachable_store: CredentialStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.tenant("acme")
        with pytest.raises(StoreUnavailable):
            await unreachable_store.change("acme", [new(row())], counting)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.figures()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.retire("k1")


ROTATION = Rotation(
    rotation_id="rot_1", kind=RotationKind.MASTER, started_at=NOW, started_by="Key000000001", total=7
)


class RotationLogContract(PortContract):
    """Bind `log`, and `unreachable_log`: the same adapter with its backend gone."""

    @pytest.fixture
    def log(self) -> RotationLog:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_log(self) -> RotationLog:
        raise NotImplementedError

    async def test_a_new_log_knows_of_none(self, log: RotationLog) -> None:
        assert await log.latest() is None

    async def test_what_was_noted_is_what_is_read(self, log: RotationLog) -> None:
        later = ROTATION.counted(done=5, failed=1).finished(NOW + timedelta(hours=1))

        assert await log.note(ROTATION, instead_of=None)
        assert await log.latest() == ROTATION
        assert await log.note(later, instead_of="rot_1")
        assert await log.latest() == later

    async def test_nobody_overtakes_another(self, log: RotationLog) -> None:
        other = replace(ROTATION, rotation_id="rot_2", kind=RotationKind.DATA)
        started = await asyncio.gather(*(log.note(each, instead_of=None) for each in (ROTATION, other)))

        assert sorted(started) == [False, True]
        assert not await log.note(other, instead_of="rot_9")

    async def test_an_unreachable_log_says_so(self, unreachable_log: RotationLog) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_log.latest()
        with pytest.raises(StoreUnavailable):
            await unreachable_log.note(ROTATION, instead_of=None)
