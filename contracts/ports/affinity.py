"""What every store of conversations' places promises."""

import asyncio

import pytest

from application.ports.affinity import AffinityRow, AffinityStore
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.routing.conversation import Place

HOUR_US = 3_600_000_000


def row(
    key: bytes = b"k1", target: str = "alpha/large", used_at_us: int = HOUR_US, **place: int
) -> AffinityRow:
    """A place with everything filled in."""
    tokens = {"prefix_tokens": 40_000, "cached_tokens": 39_936, **place}
    return AffinityRow(
        key,
        "acme",
        Place(target, "key-1", tokens["prefix_tokens"], tokens["cached_tokens"], True, used_at_us),
    )


class AffinityStoreContract(PortContract):
    """Bind `store`, and `unreachable_store`, whose database is away."""

    @pytest.fixture
    def store(self) -> AffinityStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> AffinityStore:
        raise NotImplementedError

    async def test_what_was_saved_is_read_back_field_by_field(self, store: AffinityStore) -> None:
        rows = [row(), row(target="beta/large"), row(b"\x00\xff\x10", prefix_tokens=2**40)]
        await store.save(rows)

        assert (await store.changes(0, limit=10)).rows == rows

    async def test_nothing_saved_is_nothing_changed(self, store: AffinityStore) -> None:
        await store.save([])

        assert await store.changes(0, limit=10) == ([], 0)
        assert await store.changes(7, limit=10) == ([], 7)

    async def test_a_later_use_replaces_an_earlier_one_and_not_the_other_way(
        self, store: AffinityStore
    ) -> None:
        await store.save([row(used_at_us=20, prefix_tokens=2)])
        await store.save([row(used_at_us=30, prefix_tokens=3)])
        await store.save([row(used_at_us=10, prefix_tokens=1)])

        (kept,) = (await store.changes(0, limit=10)).rows
        assert (kept.place.used_at_us, kept.place.prefix_tokens) == (30, 3)

    async def test_only_what_changed_since_is_told(self, store: AffinityStore) -> None:
        await store.save([row(b"a"), row(b"b")])
        seen = await store.changes(0, limit=10)
        await store.save([row(b"a", used_at_us=2 * HOUR_US)])

        news = await store.changes(seen.revision, limit=10)

        assert [(one.key, one.place.used_at_us) for one in news.rows] == [(b"a", 2 * HOUR_US)]
        assert await store.changes(news.revision, limit=10) == ([], news.revision)

    async def test_many_changes_are_read_in_bounded_pieces(self, store: AffinityStore) -> None:
        await store.save([row(bytes([number])) for number in range(25)])

        read: list[bytes] = []
        revision = 0
        while True:
            piece = await store.changes(revision, limit=10)
            if not piece.rows:
                break
            assert len(piece.rows) <= 10
            read += [one.key for one in piece.rows]
            revision = piece.revision

        assert read == [bytes([number]) for number in range(25)]

    async def test_the_old_and_what_is_too_much_are_forgotten(self, store: AffinityStore) -> None:
        await store.save([row(bytes([number]), used_at_us=number) for number in range(10)])

        assert await store.forget(before_us=4, keep_max=100) == 4
        assert await store.forget(before_us=0, keep_max=2) == 4

        kept = (await store.changes(0, limit=100)).rows
        assert sorted(one.place.used_at_us for one in kept) == [8, 9]

    async def test_writers_at_once_lose_nothing(self, store: AffinityStore) -> None:
        await asyncio.gather(*(store.save([row(bytes([number]))]) for number in range(16)))

        changes = await store.changes(0, limit=100)
        assert {one.key for one in changes.rows} == {bytes([number]) for number in range(16)}

    async def test_it_works_after_a_cancelled_call(self, store: AffinityStore) -> None:
        call = asyncio.create_task(store.save([row(b"a")]))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        await store.save([row(b"b")])

        assert b"b" in {one.key for one in (await store.changes(0, limit=10)).rows}

    async def test_an_unreachable_store_says_so(self, unreachable_store: AffinityStore) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_store.save([row()])
        with pytest.raises(StoreUnavailable):
            await unreachable_store.changes(0, limit=1)
        with pytest.raises(StoreUnavailable):
            await unreachable_store.forget(before_us=0, keep_max=1)
