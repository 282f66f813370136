"""What every VectorIndex promises."""

import asyncio
import math
import random
import struct
from collections.abc import Sequence

import pytest

from application.ports.embedder import Vector
from application.ports.vector_index import IndexedVector, Neighbour, VectorIndex
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

DIMENSIONS = 16
NOW_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000
CLOSE = 0.01
"""Within which similarities are right, also where vectors are kept in eight bits."""


def unit(numbers: Sequence[float]) -> Vector:
    """A vector of length 1 in the direction of these numbers, the rest zeros."""
    padded = [*numbers, *[0.0] * (DIMENSIONS - len(numbers))]
    length = math.sqrt(sum(each * each for each in padded))
    return struct.pack(f"<{DIMENSIONS}f", *(each / length for each in padded))


def at(similarity: float) -> Vector:
    """A vector of this cosine with `NORTH`."""
    return unit([similarity, math.sqrt(1 - similarity**2)])


NORTH = unit([1.0])


def indexed(key: bytes, vector: Vector = NORTH, **changed: object) -> IndexedVector:
    made = IndexedVector(b"p" * 32, key, vector, NOW_US + HOUR_US, "acme")
    return made._replace(**changed)  # type: ignore[arg-type]


def scattered(seed: int) -> Vector:
    chance = random.Random(seed)
    return unit([chance.gauss(0, 1) for _ in range(DIMENSIONS)])


async def found(
    index: VectorIndex,
    vector: Vector = NORTH,
    *,
    partition: bytes = b"p" * 32,
    limit: int = 8,
    similarity_min: float = 0.5,
    now_us: int = NOW_US,
) -> list[bytes]:
    return [
        each.key
        for each in await index.search(
            partition, vector, limit=limit, similarity_min=similarity_min, now_us=now_us
        )
    ]


class VectorIndexContract(PortContract):
    """Bind `index` for vectors of `DIMENSIONS`, and `unreachable_index` where there is a backend to lose."""

    @pytest.fixture
    def index(self) -> VectorIndex:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_index(self) -> VectorIndex | None:
        return None

    async def test_an_empty_index_finds_nothing(self, index: VectorIndex) -> None:
        assert await found(index) == []
        assert await index.within("acme", NORTH, 0.0) == []

    async def test_the_most_similar_come_first_with_their_cosines(self, index: VectorIndex) -> None:
        await index.add([indexed(b"far", at(0.6)), indexed(b"near", at(0.97)), indexed(b"mid", at(0.8))])

        neighbours = await index.search(b"p" * 32, NORTH, limit=8, similarity_min=0.5, now_us=NOW_US)

        assert [each.key for each in neighbours] == [b"near", b"mid", b"far"]
        assert all(isinstance(each, Neighbour) for each in neighbours)
        for each, similarity in zip(neighbours, (0.97, 0.8, 0.6), strict=True):
            assert abs(each.similarity - similarity) < CLOSE

    async def test_opposite_vectors_have_a_negative_cosine(self, index: VectorIndex) -> None:
        await index.add([indexed(b"south", unit([-1.0]))])

        neighbours = await index.search(b"p" * 32, NORTH, limit=1, similarity_min=-1.1, now_us=NOW_US)

        assert abs(neighbours[0].similarity + 1) < CLOSE

    async def test_no_more_than_asked_for_and_nothing_less_similar(self, index: VectorIndex) -> None:
        await index.add([indexed(b"a", at(0.99)), indexed(b"b", at(0.9)), indexed(b"c", at(0.7))])

        assert await found(index, limit=1) == [b"a"]
        assert await found(index, similarity_min=0.85) == [b"a", b"b"]

    async def test_no_search_looks_over_the_wall_of_its_partition(self, index: VectorIndex) -> None:
        await index.add([indexed(b"mine"), indexed(b"theirs", partition=b"q" * 32, tenant_id="other")])

        assert await found(index) == [b"mine"]
        assert await found(index, partition=b"q" * 32) == [b"theirs"]
        assert await found(index, partition=b"r" * 32) == []

    async def test_what_is_over_is_not_found(self, index: VectorIndex) -> None:
        await index.add([indexed(b"short", expires_at_us=NOW_US + 1), indexed(b"long")])

        assert sorted(await found(index)) == [b"long", b"short"]
        assert await found(index, now_us=NOW_US + 1) == [b"long"]

    async def test_a_key_that_is_there_is_replaced(self, index: VectorIndex) -> None:
        await index.add([indexed(b"k", at(0.99))])

        await index.add([indexed(b"k", at(0.6))])
        assert await found(index, similarity_min=0.9) == []
        assert await found(index) == [b"k"]

        await index.add([indexed(b"k", at(0.6), expires_at_us=NOW_US + 2 * HOUR_US)])
        assert await found(index, now_us=NOW_US + HOUR_US) == [b"k"]

    async def test_of_equal_keys_in_one_call_the_later_counts(self, index: VectorIndex) -> None:
        await index.add([indexed(b"k", at(0.99)), indexed(b"k", at(0.6))])

        assert await found(index, similarity_min=0.9) == []
        assert await found(index) == [b"k"]

    async def test_a_key_that_moves_to_another_partition_leaves_the_first(self, index: VectorIndex) -> None:
        await index.add([indexed(b"k")])

        await index.add([indexed(b"k", partition=b"q" * 32)])

        assert await found(index) == []
        assert await found(index, partition=b"q" * 32) == [b"k"]

    async def test_what_was_removed_is_gone_and_may_come_again(self, index: VectorIndex) -> None:
        await index.add([indexed(b"a"), indexed(b"b", at(0.9))])

        await index.remove([b"a", b"unknown"])
        assert await found(index) == [b"b"]

        await index.add([indexed(b"a")])
        assert await found(index) == [b"a", b"b"]
        await index.remove([])

    async def test_keys_of_any_bytes_come_back_as_they_were(self, index: VectorIndex) -> None:
        keys = [bytes(range(32)), b"\xff" * 32, b"\0" * 32, b"x"]
        await index.add([indexed(key) for key in keys])

        assert sorted(await found(index)) == sorted(keys)

    async def test_a_radius_finds_all_of_one_tenant_and_nothing_of_another(self, index: VectorIndex) -> None:
        await index.add(
            [
                indexed(b"a", at(0.95)),
                indexed(b"b", at(0.9), partition=b"q" * 32),
                indexed(b"c", at(0.6), partition=b"q" * 32),
                indexed(b"d", at(0.95), partition=b"r" * 32, tenant_id="other"),
            ]
        )

        assert sorted(await index.within("acme", NORTH, 0.8)) == [b"a", b"b"]
        assert await index.within("other", NORTH, 0.8) == [b"d"]
        assert await index.within("nobody", NORTH, 0.8) == []

    async def test_upkeep_forgets_what_is_over_and_nothing_else(self, index: VectorIndex) -> None:
        await index.add([indexed(b"short", expires_at_us=NOW_US + 1), indexed(b"long")])

        await index.upkeep(NOW_US + 1)

        assert await found(index) == [b"long"]
        assert await found(index, now_us=NOW_US - 1) == [b"long"]

    async def test_the_nearest_of_many_is_found(self, index: VectorIndex) -> None:
        many = [indexed(b"%d" % seed, scattered(seed)) for seed in range(300)]
        await index.add(many)

        for seed in range(0, 300, 25):
            assert (await found(index, scattered(seed), limit=1, similarity_min=0.99)) == [b"%d" % seed]

    async def test_adding_searching_and_removing_go_on_side_by_side(self, index: VectorIndex) -> None:
        async def one(number: int) -> None:
            key = b"%d" % number
            await index.add([indexed(key, scattered(number))])
            assert key in await found(index, scattered(number), similarity_min=0.99)
            await index.remove([key])
            assert key not in await found(index, scattered(number), similarity_min=0.99)

        await asyncio.gather(*(one(number) for number in range(24)))

        assert await found(index, similarity_min=-1.1) == []

    async def test_it_works_after_a_cancelled_call(self, index: VectorIndex) -> None:
        await index.add([indexed(b"a")])
        call = asyncio.create_task(found(index))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])

        assert await found(index) == [b"a"]

    async def test_vectors_of_another_length_are_refused(self, index: VectorIndex) -> None:
        with pytest.raises(StoreUnavailable):
            await index.add([indexed(b"a", NORTH + NORTH)])
        with pytest.raises(StoreUnavailable):
            await found(index, NORTH[:-4])

        assert await found(index) == []

    async def test_vectors_without_a_direction_are_refused(self, index: VectorIndex) -> None:
        for numbers in ([0.0] * DIMENSIONS, [math.nan] * DIMENSIONS, [math.inf] * DIMENSIONS):
            with pytest.raises(StoreUnavailable):
                await index.add([indexed(b"a", struct.pack(f"<{DIMENSIONS}f", *numbers))])

        assert await found(index, similarity_min=-1.1) == []

    async def test_facts_are_told(self, index: VectorIndex) -> None:
        await index.add([indexed(b"a"), indexed(b"b", partition=b"q" * 32)])

        facts = await index.facts()

        assert facts.kind
        assert facts.vectors in (None, 2)

    async def test_an_unreachable_index_says_so(self, unreachable_index: VectorIndex | None) -> None:
        if unreachable_index is None:
            return  # nothing that could be lost
        with pytest.raises(StoreUnavailable):
            await unreachable_index.add([indexed(b"a")])
        with pytest.raises(StoreUnavailable):
            await found(unreachable_index)
        with pytest.raises(StoreUnavailable):
            await unreachable_index.remove([b"a"])
        with pytest.raises(StoreUnavailable):
            await unreachable_index.within("acme", NORTH, 0.9)
        with pytest.raises(StoreUnavailable):
            await unreachable_index.upkeep(NOW_US)
