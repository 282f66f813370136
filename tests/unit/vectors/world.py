"""Vectors for tests of the index in this process."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from adapters.vectors.in_process import InProcessVectorIndex
from adapters.vectors.tending import Tending
from application.ports.vector_index import IndexedVector

DIMENSIONS = 32
NOW_US = 1_000_000
LATER_US = 10**15
Floats = npt.NDArray[np.float32]


def directions(count: int, seed: int = 1) -> Floats:
    """Unit vectors, in clusters as those of questions are."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((max(1, count // 20), DIMENSIONS))
    made = centres[chance.integers(0, len(centres), count)] + 0.5 * chance.standard_normal(
        (count, DIMENSIONS)
    )
    unit: Floats = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def entries(
    vectors: Floats, partition: bytes = b"p", *, first: int = 0, expires_at_us: int = LATER_US
) -> list[IndexedVector]:
    return [
        IndexedVector(partition, b"%b%d" % (partition, number), vector.tobytes(), expires_at_us, "acme")
        for number, vector in enumerate(vectors, first)
    ]


def small_index(vectors_max: int = 10_000, *, exact_max: int = 64) -> InProcessVectorIndex:
    """One whose graphs begin early."""
    tending = Tending(exact_max=exact_max, head_max=8, step=16)
    return InProcessVectorIndex("test/f32", DIMENSIONS, vectors_max=vectors_max, tending=tending)


async def keys_near(
    index: InProcessVectorIndex,
    vector: Floats,
    *,
    partition: bytes = b"p",
    limit: int = 1,
    similarity_min: float = -1.1,
    now_us: int = NOW_US,
) -> list[bytes]:
    neighbours = await index.search(
        partition, vector.tobytes(), limit=limit, similarity_min=similarity_min, now_us=now_us
    )
    return [each.key for each in neighbours]


def count_of(found: Sequence[bytes], wanted: Sequence[bytes]) -> int:
    return len(set(found) & set(wanted))
