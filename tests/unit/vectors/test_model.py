"""Whatever happens in whatever order, the index finds what a dictionary would, and nothing else."""

import asyncio
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from application.ports.vector_index import IndexedVector
from tests.unit.vectors.world import directions, small_index

VECTORS = directions(40)
PARTITIONS = (b"p", b"q")
STEP = st.one_of(
    st.tuples(
        st.just("add"),
        st.lists(
            st.tuples(st.integers(0, 29), st.integers(0, 39), st.integers(0, 1), st.integers(1, 9)),
            min_size=1,
            max_size=12,
        ),
    ),
    st.tuples(st.just("remove"), st.lists(st.integers(0, 29), max_size=8)),
    st.tuples(st.just("settle"), st.none()),
    st.tuples(st.just("upkeep"), st.none()),
    st.tuples(st.just("later"), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_the_index_agrees_with_a_dictionary(steps: list[tuple[str, Any]]) -> None:
    asyncio.run(_agrees(steps))


async def _agrees(steps: list[tuple[str, Any]]) -> None:
    index = small_index(1_000, exact_max=6)
    kept: dict[bytes, tuple[bytes, int, int]] = {}
    now_us = 0
    for what, told in steps:
        if what == "add":
            await index.add(
                [
                    IndexedVector(
                        PARTITIONS[partition], b"k%d" % key, VECTORS[vector].tobytes(), expires, "acme"
                    )
                    for key, vector, partition, expires in told
                ]
            )
            for key, vector, partition, expires in told:
                kept[b"k%d" % key] = (PARTITIONS[partition], vector, expires)
        elif what == "remove":
            await index.remove([b"k%d" % key for key in told])
            for key in told:
                kept.pop(b"k%d" % key, None)
        elif what == "settle":
            await index.settled()
        elif what == "upkeep":
            await index.upkeep(now_us)
            kept = {key: each for key, each in kept.items() if each[2] > now_us}
        else:
            now_us += 1
        for partition in PARTITIONS:
            live = {key for key, each in kept.items() if each[0] == partition and each[2] > now_us}
            near = await index.search(
                partition, VECTORS[0].tobytes(), limit=99, similarity_min=-1.1, now_us=now_us
            )
            assert {each.key for each in near} == live
            assert len(near) == len(live)
            for each in near:
                cosine = float(np.dot(VECTORS[0], VECTORS[kept[each.key][1]]))
                assert abs(each.similarity - cosine) < 0.01
    assert (await index.facts()).vectors == len(kept)
    await index.aclose()
