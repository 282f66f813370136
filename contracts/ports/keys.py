"""What every KeyStore and every KeyHasher promises."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.keys import KeyHash, KeyHasher, KeyStore
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.key import KeyRecord, parse_key

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def record(key_id: str = "Key000000001", tenant_id: str = "acme") -> KeyRecord:
    return KeyRecord(
        key_id=key_id,
        tenant_id=tenant_id,
        name="Überwachung",
        role="agent",
        hash=bytes(range(32)),
        pepper_version=3,
        created_at=NOW,
        permissions=frozenset({"llm.call"}),
        allowed_models=frozenset({"acme/*", "assistant"}),
        expires_at=NOW + timedelta(days=1),
    )


class KeyStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`: the same adapter with its backend gone."""

    @pytest.fixture
    def store(self) -> KeyStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> KeyStore:
        raise NotImplementedError

    async def test_a_new_store_holds_no_key(self, store: KeyStore) -> None:
        assert await store.all() == []

    async def test_what_was_added_is_what_is_read(self, store: KeyStore) -> None:
        plain = KeyRecord(
            key_id="Key000000002",
            tenant_id="other",
            name="x",
            role="owner",
            hash=b"h",
            pepper_version=1,
            created_at=NOW,
        )
        imported = replace(plain, key_id="Key000000003", scheme="sha256", note="from elsewhere; spent 1.50")
        await store.add(record())
        await store.add(plain)
        await store.add(imported)

        kept = {one.key_id: one for one in await store.all()}

        assert kept == {"Key000000001": record(), "Key000000002": plain, "Key000000003": imported}

    async def test_an_id_is_taken_once(self, store: KeyStore) -> None:
        await store.add(record())
        before = await store.generation()

        with pytest.raises(Conflict):
            await store.add(record(tenant_id="other"))

        assert await store.all() == [record()]
        assert await store.generation() == before

    async def test_a_revoked_key_stays_with_its_time(self, store: KeyStore) -> None:
        await store.add(record())

        assert await store.revoke("acme", "Key000000001", NOW) is True

        (kept,) = await store.all()
        assert kept.revoked_at == NOW

    async def test_a_key_is_revoked_once(self, store: KeyStore) -> None:
        await store.add(record())
        await store.revoke("acme", "Key000000001", NOW)

        assert await store.revoke("acme", "Key000000001", NOW + timedelta(hours=1)) is False

        (kept,) = await store.all()
        assert kept.revoked_at == NOW

    async def test_another_tenant_cannot_revoke_it(self, store: KeyStore) -> None:
        await store.add(record())

        assert await store.revoke("other", "Key000000001", NOW) is False

        (kept,) = await store.all()
        assert kept.revoked_at is None

    async def test_an_unknown_key_cannot_be_revoked(self, store: KeyStore) -> None:
        assert await store.revoke("acme", "Key000000009", NOW) is False

    async def test_the_generation_changes_with_every_change_and_only_then(self, store: KeyStore) -> None:
        seen = [await store.generation()]
        await store.add(record())
        seen.append(await store.generation())
        await store.revoke("acme", "Key000000001", NOW)
        seen.append(await store.generation())
        await store.revoke("acme", "Key000000001", NOW)
        await store.all()

        assert len(set(seen)) == 3
        assert await store.generation() == seen[-1]

    async def test_of_many_adding_the_same_id_one_wins(self, store: KeyStore) -> None:
        outcomes = await asyncio.gather(*(store.add(record()) for _ in range(8)), return_exceptions=True)

        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7

    async def test_it_works_after_a_cancelled_call(self, store: KeyStore) -> None:
        call = asyncio.create_task(store.all())
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await store.add(record())

        assert len(await store.all()) == 1

    async def test_an_unreachable_store_says_so(self, unreachable_store: KeyStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.generation()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.all()
        with pytest.raises(StoreUnavailable):
            await unreachable_store.add(record())
        with pytest.raises(StoreUnavailable):
            await unreachable_store.revoke("acme", "Key000000001", NOW)


class KeyHasherContract(PortContract):
    """Bind `hasher`."""

    @pytest.fixture
    def hasher(self) -> KeyHasher:
        raise NotImplementedError

    def test_a_new_key_is_well_formed_and_matches_its_hash(self, hasher: KeyHasher) -> None:
        key = parse_key(hasher.new_key("live"))

        assert key is not None
        assert key.env == "live"
        assert hasher.matches(key, hasher.hash(key))

    def test_new_keys_differ_in_id_and_secret(self, hasher: KeyHasher) -> None:
        keys = [parse_key(hasher.new_key("live")) for _ in range(50)]

        assert len({key.key_id for key in keys if key}) == 50
        assert len({key.secret for key in keys if key}) == 50

    def test_another_secret_or_another_id_does_not_match(self, hasher: KeyHasher) -> None:
        key, other = parse_key(hasher.new_key("live")), parse_key(hasher.new_key("live"))
        assert key is not None and other is not None
        kept = hasher.hash(key)

        assert not hasher.matches(key._replace(secret=other.secret), kept)
        assert not hasher.matches(key._replace(key_id=other.key_id), kept)

    def test_a_lost_pepper_matches_nothing(self, hasher: KeyHasher) -> None:
        key = parse_key(hasher.new_key("live"))
        assert key is not None

        assert not hasher.matches(key, KeyHash(hasher.hash(key).digest, 999))

    def test_an_imported_key_is_among_its_candidates_and_no_other_is(self, hasher: KeyHasher) -> None:
        digest, other = (hashlib.sha256(text).digest() for text in (b"sk-one", b"sk-two"))
        kept = hasher.hash_imported(digest)

        assert kept == hasher.imported_candidates(digest)[0]
        assert kept not in hasher.imported_candidates(other)
        assert kept.digest != digest, "what is kept is keyed"

    def test_the_hash_does_not_contain_the_secret(self, hasher: KeyHasher) -> None:
        key = parse_key(hasher.new_key("live"))
        assert key is not None

        assert key.secret.encode() not in hasher.hash(key).digest
