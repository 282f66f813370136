"""What every KeyStore and every KeyHasher promises."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from application.ports.keys import KeyHash, KeyHasher, KeyPages, KeyQuery, KeyStore, KeyUses, Rehash
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable
from domain.tenancy.key import KeyRecord, OldSecret, parse_key

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
        networks=("203.0.113.0/24", "2001:db8::/32"),
        assertable=frozenset({"user:alice", "agent:crawler-*"}),
        integrations=frozenset(),
        managed_budgets=frozenset({"team-*"}),
        old_secret=OldSecret(b"old", 2, "sha256", NOW + timedelta(hours=1)),
        rotated_at=NOW,
        created_by="Key000000000",
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

    async def test_one_key_is_found_by_its_id(self, store: KeyStore) -> None:
        await store.add(record())
        await store.add(record("Key000000002"))

        assert await store.get("Key000000001") == record()
        assert await store.get("Key000000009") is None

    async def test_a_revocation_says_who_and_why(self, store: KeyStore) -> None:
        await store.add(record())

        await store.revoke("acme", "Key000000001", NOW, by="Key000000007", reason="it leaked")

        kept = await store.get("Key000000001")
        assert kept is not None
        assert (kept.revoked_at, kept.revoked_by, kept.revoked_reason) == (NOW, "Key000000007", "it leaked")

    async def test_a_change_takes_the_place_of_what_was_read(self, store: KeyStore) -> None:
        await store.add(record())
        read = await store.get("Key000000001")
        assert read is not None

        changed = await store.change(replace(read, name="other", assertable=None, old_secret=None))

        assert changed is not None and changed.revision > read.revision
        assert await store.get("Key000000001") == changed
        assert (changed.name, changed.assertable, changed.old_secret) == ("other", None, None)

    async def test_of_two_changes_of_the_same_key_one_is_refused(self, store: KeyStore) -> None:
        await store.add(record())
        read = await store.get("Key000000001")
        assert read is not None

        outcomes = await asyncio.gather(*(store.change(replace(read, name=f"n{n}")) for n in range(4)))

        assert sum(outcome is not None for outcome in outcomes) == 1
        before = await store.generation()
        assert await store.change(replace(read, name="late")) is None
        assert await store.generation() == before

    async def test_a_revoked_key_cannot_be_changed(self, store: KeyStore) -> None:
        await store.add(record())
        await store.revoke("acme", "Key000000001", NOW)
        read = await store.get("Key000000001")
        assert read is not None

        assert await store.change(replace(read, revoked_at=None)) is None

        assert await store.get("Key000000001") == read

    async def test_only_what_changed_since_is_told(self, store: KeyStore) -> None:
        await store.add(record())
        await store.add(record("Key000000002"))
        first = await store.changes(-1)
        assert {one.key_id for one in first.records} == {"Key000000001", "Key000000002"}
        assert (await store.changes(first.generation)) == (first.generation, [])

        await store.revoke("acme", "Key000000002", NOW)
        second = await store.changes(first.generation)

        assert second.generation == await store.generation()
        assert [(one.key_id, one.revoked_at) for one in second.records] == [("Key000000002", NOW)]

    async def test_a_store_that_has_not_come_so_far_tells_everything(self, store: KeyStore) -> None:
        await store.add(record())

        told = await store.changes(1000)

        assert [one.key_id for one in told.records] == ["Key000000001"]
        assert told.generation < 1000

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
        with pytest.raises(StoreUnavailable):
            await unreachable_store.changes(-1)


class KeyPagesContract(PortContract):
    """Bind `store` and `pages`: two ports of the same backend."""

    @pytest.fixture
    def store(self) -> KeyStore:
        raise NotImplementedError

    @pytest.fixture
    def pages(self) -> KeyPages:
        raise NotImplementedError

    async def test_pages_go_on_where_the_last_one_ended(self, store: KeyStore, pages: KeyPages) -> None:
        for number in range(5):
            # Two were made in the same moment: the id decides.
            made = NOW + timedelta(seconds=number // 2)
            await store.add(replace(record(f"Key00000000{number}"), created_at=made))

        seen: list[str] = []
        query = KeyQuery(NOW, limit=2)
        while found := await pages.page(query):
            assert len(found) <= 2
            seen += [one.key_id for one in found]
            query = query._replace(after=(found[-1].created_at, found[-1].key_id))

        assert seen == [f"Key00000000{number}" for number in range(5)]

    async def test_filters_hold_together(self, store: KeyStore, pages: KeyPages) -> None:
        await store.add(record())
        await store.add(replace(record("Key000000002"), role="admin", name="Deploy 100%"))
        await store.add(replace(record("Key000000003"), expires_at=NOW, name="deploys"))
        await store.add(record("Key000000004", "other"))
        await store.revoke("acme", "Key000000001", NOW)

        async def ids(**wanted: str) -> list[str]:
            query = KeyQuery(NOW, limit=10)._replace(**wanted)  # type: ignore[arg-type]
            return [one.key_id for one in await pages.page(query)]

        assert await ids(tenant_id="other") == ["Key000000004"]
        assert await ids(role="admin") == ["Key000000002"]
        assert await ids(state="revoked") == ["Key000000001"]
        assert await ids(state="expired") == ["Key000000003"]
        assert await ids(state="live", tenant_id="acme") == ["Key000000002"]
        assert await ids(name="DEPLOY") == ["Key000000002", "Key000000003"]
        assert await ids(name="0%") == ["Key000000002"]
        assert await ids(name="_") == []
        assert await ids(name="deploy", tenant_id="other") == []

    async def test_secrets_are_counted_by_pepper_while_they_let_anybody_in(
        self, store: KeyStore, pages: KeyPages
    ) -> None:
        await store.add(record())  # under 3, its old secret under 2
        await store.add(replace(record("Key000000002"), old_secret=None))
        await store.add(replace(record("Key000000003"), expires_at=NOW))
        await store.add(record("Key000000004"))
        await store.revoke("acme", "Key000000004", NOW)

        assert dict(await pages.per_pepper(NOW)) == {3: 2, 2: 1}
        assert dict(await pages.per_pepper(NOW + timedelta(hours=1))) == {3: 2}


class KeyUsesContract(PortContract):
    """Bind `store` and `uses`: two ports of the same backend."""

    @pytest.fixture
    def store(self) -> KeyStore:
        raise NotImplementedError

    @pytest.fixture
    def uses(self) -> KeyUses:
        raise NotImplementedError

    async def test_the_last_use_is_known_and_is_no_change(self, store: KeyStore, uses: KeyUses) -> None:
        await store.add(record())
        before = await store.generation()

        await uses.used(["Key000000001", "Key000000001"], NOW)
        await uses.used(["Key000000001"], NOW - timedelta(minutes=1))

        kept = await store.get("Key000000001")
        assert kept is not None and kept.last_used_at == NOW
        assert await store.generation() == before

    async def test_many_uses_are_written_at_once(self, store: KeyStore, uses: KeyUses) -> None:
        await store.add(record())
        many = [f"Key{number:09}" for number in range(1500)]

        await uses.used(many, NOW)

        kept = await store.get("Key000000001")
        assert kept is not None and kept.last_used_at == NOW

    async def test_a_secret_is_kept_under_another_pepper_only_while_it_is_the_same(
        self, store: KeyStore, uses: KeyUses
    ) -> None:
        await store.add(record())
        before, after = KeyHash(record().hash, 3), KeyHash(b"under four", 4)
        generation = await store.generation()

        assert await uses.rehash([Rehash("Key000000001", KeyHash(b"another", 3), after)]) == 0
        assert await store.generation() == generation
        assert await uses.rehash([Rehash("Key000000001", before, after)]) == 1

        kept = await store.get("Key000000001")
        assert kept is not None and (kept.hash, kept.pepper_version) == after
        told = await store.changes(generation)
        assert [one.key_id for one in told.records] == ["Key000000001"]
        assert await uses.rehash([Rehash("Key000000001", before, after)]) == 0


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

    def test_new_secrets_are_hashed_under_the_newest_pepper(self, hasher: KeyHasher) -> None:
        key = parse_key(hasher.new_key("live"))
        assert key is not None

        assert hasher.hash(key).pepper_version == hasher.newest

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
