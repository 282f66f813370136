"""The index in this process: bounds, graphs, and what may happen while somebody searches."""

import asyncio
import sys
from collections.abc import AsyncIterator

import numpy as np
import pytest

from adapters.vectors.extra import numerics
from adapters.vectors.in_process import InProcessVectorIndex
from domain.errors import InvalidRequest
from tests.unit.vectors.world import (
    DIMENSIONS,
    LATER_US,
    NOW_US,
    count_of,
    directions,
    entries,
    keys_near,
    small_index,
)


@pytest.fixture
async def index() -> AsyncIterator[InProcessVectorIndex]:
    index = small_index()
    yield index
    await index.aclose()


async def test_a_graph_finds_what_looking_through_everything_finds(index: InProcessVectorIndex) -> None:
    vectors = directions(3_000)
    await index.add(entries(vectors))
    await index.settled()
    graph = index._partitions[b"p"].graph
    assert graph is not None and graph.live == 3_000

    queries = directions(100, seed=2)
    found = [await keys_near(index, query, limit=8) for query in queries]

    nearest = np.argsort(-(queries @ vectors.T), axis=1)[:, :8]
    right = sum(
        count_of(keys, [b"p%d" % number for number in row.tolist()])
        for keys, row in zip(found, nearest, strict=True)
    )
    assert right >= 0.97 * 800


async def test_the_vectors_that_expire_first_leave_when_room_is_short() -> None:
    index = small_index(4)
    vectors = directions(6)
    for number, entry in enumerate(entries(vectors)):
        await index.add([entry._replace(expires_at_us=LATER_US - number)])

    facts = await index.facts()

    assert facts.vectors == 4
    assert index.evicted == 2
    assert set(await keys_near(index, vectors[0], limit=9)) == {b"p0", b"p1", b"p2", b"p5"}
    await index.aclose()


async def test_bytes_bound_the_number_of_vectors() -> None:
    index = InProcessVectorIndex("test", DIMENSIONS, bytes_max=60_000)
    await index.add(entries(directions(200)))

    facts = await index.facts()

    assert facts.vectors is not None and facts.vectors < 120
    assert facts.bytes_used is not None and facts.bytes_used < 61_000
    await index.aclose()


async def test_a_graph_with_many_dead_is_built_anew_and_loses_nothing(index: InProcessVectorIndex) -> None:
    vectors = directions(800)
    await index.add(entries(vectors))
    await index.settled()
    before = index._partitions[b"p"].graph
    await index.remove([b"p%d" % number for number in range(0, 800, 2)])

    await index.settled()

    after = index._partitions[b"p"].graph
    assert after is not None and after is not before
    assert after.dead * 4 <= after.labels and after.live == 400
    for number in range(1, 800, 40):
        assert await keys_near(index, vectors[number]) == [b"p%d" % number]
    assert await keys_near(index, vectors[0]) != [b"p0"]


async def test_a_partition_that_shrinks_is_looked_through_again(index: InProcessVectorIndex) -> None:
    vectors = directions(200)
    await index.add(entries(vectors))
    await index.settled()

    await index.remove([b"p%d" % number for number in range(20, 200)])
    await index.settled()

    assert index._partitions[b"p"].graph is None
    assert len(index._partitions[b"p"]) == 20
    for number in range(20):
        assert await keys_near(index, vectors[number]) == [b"p%d" % number]


async def test_what_changes_while_a_graph_is_built_anew_is_neither_lost_nor_found_again(
    index: InProcessVectorIndex,
) -> None:
    vectors = directions(1_000)
    await index.add(entries(vectors[:900]))
    await index.settled()
    await index.remove([b"p%d" % number for number in range(300)])
    for number in range(300, 400):
        await index.remove([b"p%d" % number])
        await index.add(entries(vectors[number + 600 : number + 601], first=number + 600))
        await asyncio.sleep(0)
    await index.settled()

    for number in range(400, 1_000, 20):
        assert await keys_near(index, vectors[number]) == [b"p%d" % number]
    everything = await keys_near(index, vectors[0], limit=2_000)
    assert sorted(everything) == sorted(b"p%d" % number for number in range(400, 1_000))


async def test_searching_goes_on_past_many_that_are_over(index: InProcessVectorIndex) -> None:
    vectors = directions(1_000)
    near = np.repeat(vectors[:1], 400, axis=0) + 0.001 * directions(400, seed=3)
    await index.add(entries(near, first=5_000, expires_at_us=NOW_US + 1))
    await index.add(entries(vectors[:600]))
    await index.settled()

    assert await keys_near(index, vectors[0], now_us=NOW_US + 1) == [b"p0"]


async def test_an_equal_vector_under_its_key_only_lives_longer(index: InProcessVectorIndex) -> None:
    vectors = directions(200)
    await index.add(entries(vectors))
    await index.settled()
    for _ in range(3):
        await index.add(entries(vectors))
    await index.settled()

    graph = index._partitions[b"p"].graph
    assert graph is not None and graph.labels == 200


async def test_a_row_is_not_taken_again_while_somebody_reads_it(index: InProcessVectorIndex) -> None:
    vectors = directions(2)
    await index.add(entries(vectors[:1]))
    slot = index._rows.slot_of[b"p0"]
    reading = index._rows.read()

    await index.remove([b"p0"])
    await index.add(entries(vectors[1:], b"q"))
    assert index._rows.slot_of[b"q0"] != slot

    reading.release()
    await index.add(entries(vectors[1:], b"r"))
    assert index._rows.slot_of[b"r0"] != slot
    reading.release()
    await index.add(entries(vectors[1:], b"s"))
    assert index._rows.slot_of[b"s0"] == slot


async def test_what_goes_during_a_search_is_not_in_its_answer(index: InProcessVectorIndex) -> None:
    vectors = directions(300)
    await index.add(entries(vectors))
    await index.settled()
    search = asyncio.create_task(keys_near(index, vectors[7], limit=300))
    await asyncio.sleep(0)

    await index.remove([b"p7"])
    await index.add(entries(vectors[7:8], b"q"))

    assert b"p7" not in await search


async def test_a_cancelled_search_gives_its_rows_back(index: InProcessVectorIndex) -> None:
    vectors = directions(300)
    await index.add(entries(vectors))
    await index.settled()
    for _ in range(20):
        search = asyncio.create_task(keys_near(index, vectors[7]))
        await asyncio.sleep(0)
        search.cancel()
        await asyncio.wait([search])
    await keys_near(index, vectors[7])
    await asyncio.sleep(0.01)

    assert not index._rows._readers


async def test_partitions_that_are_empty_leave(index: InProcessVectorIndex) -> None:
    vectors = directions(1)
    for number in range(50):
        await index.add(entries(vectors, b"q%d-" % number, expires_at_us=NOW_US))
    assert (await index.facts()).partitions == 50

    assert await index.upkeep(NOW_US) == 50

    assert (await index.facts()).partitions == 0
    assert not index._by_number


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)

    with pytest.raises(InvalidRequest, match=r"pip install 'interchange\[semantic\]'"):
        numerics()


async def test_many_equal_vectors_hide_no_others(index: InProcessVectorIndex) -> None:
    vectors = directions(600)
    equal = entries(np.repeat(vectors[:1], 1_200, axis=0), first=5_000)
    others = entries(vectors)
    await index.add([each for pair in zip(others, equal[::2], equal[1::2], strict=True) for each in pair])
    await index.settled()

    found = [await keys_near(index, vectors[number], limit=1) for number in range(1, 600, 3)]

    assert sum(keys == [b"p%d" % number] for keys, number in zip(found, range(1, 600, 3), strict=True)) >= 196
