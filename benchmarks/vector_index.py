"""How fast, how large and how right the index in this process is (SPEC P3, C3).

Run: `python -m benchmarks.vector_index --data <folder of texts> [--vectors 1000000] [--models <folder>]`, or
with `--embedded <file.npy>`, float32 vectors that are there already. Nothing leaves the process. Asserts
nothing; about 1 GB of memory and four minutes for a million on two cores.

Real texts are embedded, by MiniLM where `--models` has it, else by hashed words; then each vector is turned
by a random angle (cosine 0.85 to 1) until there are enough. Three tenants: one has a single partition of
35 %, one has five of 5 %, the third has everything else in partitions of 50 to 2,000. Queries are vectors of
a partition turned once more (cosine 0.8 to 1), and recall compares with all vectors in float32: at 1 for
queries whose nearest has a cosine of 0.8 or more, at 8 for all.
"""

import argparse
import asyncio
import csv
import gc
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import psutil

from adapters.embeddings.hashing import HashingEmbedder
from adapters.embeddings.opening import open_local
from adapters.vectors.in_process import InProcessVectorIndex
from application.ports.vector_index import IndexedVector
from benchmarks.report import table
from domain.caching.entry import Position

Floats = npt.NDArray[np.float32]
CHUNK: Final = 10_000
TEXTS_MAX: Final = 20_000
NOW_US: Final = 1
LATER_US: Final = 10**15
NEAR: Final = 0.8


class Part(NamedTuple):
    """A partition to be: its name, its tenant, and which of all vectors are its."""

    name: bytes
    tenant_id: str
    first: int
    size: int


def texts_of(folder: Path) -> list[str]:
    """Every text in a folder's JSON lines and tables, once."""
    found: dict[str, None] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            for value in json.loads(line).values():
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, str) and " " in each and "X" not in each:
                        found[each] = None
    for path in sorted(folder.rglob("*.csv")):
        with path.open() as file:
            found.update(dict.fromkeys(row[0] for row in csv.reader(file) if row and " " in row[0]))
    return list(found)


async def embedded(arguments: argparse.Namespace) -> tuple[Floats, str]:
    if arguments.embedded:
        vectors: Floats = np.load(arguments.embedded).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
        return vectors, Path(arguments.embedded).name
    embedder = HashingEmbedder() if arguments.models is None else open_local(Path(arguments.models))[0]
    texts = [
        each for each in texts_of(Path(arguments.data)) if embedder.count_tokens(each) <= embedder.tokens_max
    ]
    chosen = [texts[place] for place in np.random.default_rng(7).permutation(len(texts))[:TEXTS_MAX]]
    made: list[bytes] = []
    for start in range(0, len(chosen), 64):
        made += await embedder.embed(chosen[start : start + 64])
    name, dimensions = embedder.id, embedder.dimensions
    await embedder.aclose()
    return np.frombuffer(b"".join(made), "<f4").reshape(-1, dimensions).astype(np.float32), name


def turned(vectors: Floats, cosines: Floats, chance: np.random.Generator) -> Floats:
    """Each vector turned into a random direction until it has this cosine with itself."""
    aside = chance.standard_normal(vectors.shape, dtype=np.float32)
    aside -= (aside * vectors).sum(1, keepdims=True) * vectors
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    made = cosines[:, None] * vectors + np.sqrt(1 - cosines**2)[:, None] * aside
    return made.astype(np.float32)


def chunks(base: Floats, part: Part) -> Iterator[Floats]:
    """The vectors of a partition, the same ones every time."""
    for start in range(part.first, part.first + part.size, CHUNK):
        chance = np.random.default_rng(start)
        count = min(CHUNK, part.first + part.size - start)
        cosines = chance.uniform(0.85, 1, count).astype(np.float32)
        yield turned(base[chance.integers(0, len(base), count)], cosines, chance)


def parts_of(count: int) -> list[Part]:
    sizes = [("large", int(0.35 * count))] + [("middle", int(0.05 * count))] * 5
    chance = np.random.default_rng(3)
    while (left := count - sum(size for _, size in sizes)) > 0:
        sizes.append(("small", min(left, int(chance.integers(50, 2_000)))))
    parts, first = [], 0
    for number, (tenant_id, size) in enumerate(sizes):
        parts.append(Part(b"%s-%d" % (tenant_id.encode(), number), tenant_id, first, size))
        first += size
    return parts


async def fill(index: InProcessVectorIndex, base: Floats, parts: list[Part]) -> None:
    for part in parts:
        number = part.first
        for chunk in chunks(base, part):
            entries = []
            for vector in chunk:
                key = blake2b(b"%d" % number, digest_size=32).digest()
                entries.append(IndexedVector(part.name, key, vector.tobytes(), LATER_US, part.tenant_id))
                number += 1
            await index.add(entries)


def queries_of(base: Floats, part: Part, count: int) -> Floats:
    chance = np.random.default_rng(part.first + 11)
    some = next(chunks(base, part))
    cosines = chance.uniform(NEAR, 1, count).astype(np.float32)
    return turned(some[chance.integers(0, len(some), count)], cosines, chance)


def nearest(base: Floats, part: Part, queries: Floats) -> tuple[Any, Any]:
    """Cosines and numbers of the eight nearest, by looking at all of them."""
    best: Any = np.full((len(queries), 8), -2, np.float32)
    which = np.zeros((len(queries), 8), np.int64)
    first = part.first
    for chunk in chunks(base, part):
        cosines = np.concatenate((best, queries @ chunk.T), axis=1)
        numbers = np.concatenate(
            (which, np.broadcast_to(np.arange(first, first + len(chunk)), (len(queries), len(chunk)))), axis=1
        )
        order = np.argsort(-cosines, axis=1)[:, :8]
        best, which = np.take_along_axis(cosines, order, 1), np.take_along_axis(numbers, order, 1)
        first += len(chunk)
    return best, which


async def searched(index: InProcessVectorIndex, base: Floats, part: Part, count: int) -> list[str]:
    queries = queries_of(base, part, count)
    took_ms, found = [], []
    for query in queries:
        vector = query.tobytes()
        begun = time.perf_counter()
        near = await index.search(part.name, vector, limit=8, similarity_min=0.0, now_us=NOW_US)
        took_ms.append(1e3 * (time.perf_counter() - begun))
        found.append([each.key for each in near])
    best, which = nearest(base, part, queries)
    at_1, of_1, at_8, of_8 = 0, 0, 0, 0
    for keys, cosines, numbers in zip(found, best, which, strict=True):
        right = [blake2b(b"%d" % number, digest_size=32).digest() for number in numbers.tolist()]
        if cosines[0] >= NEAR:
            of_1 += 1
            at_1 += keys[:1] == right[:1]
        at_8 += len(set(keys) & set(right))
        of_8 += len(right)
    p50, p95, p99 = np.quantile(took_ms, [0.5, 0.95, 0.99])
    times = [f"{each:.2f}" for each in (p50, p95, p99)]
    return [f"{part.tenant_id}, {part.size:,}", *times, f"{at_1 / max(1, of_1):.4f}", f"{at_8 / of_8:.4f}"]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def measured(arguments: argparse.Namespace) -> None:
    base, name = await embedded(arguments)
    parts = parts_of(arguments.vectors)
    process = psutil.Process()
    gc.collect()
    before = process.memory_info().rss
    index = InProcessVectorIndex(name, base.shape[1], vectors_max=arguments.vectors, bytes_max=1 << 40)
    begun = time.perf_counter()
    await fill(index, base, parts)
    added_s = time.perf_counter() - begun
    during = await searched(index, base, parts[0]._replace(tenant_id="large, while built"), arguments.queries)
    await index.settled()
    built_s = time.perf_counter() - begun
    gc.collect()
    grown = process.memory_info().rss - before
    small = max((part for part in parts if part.tenant_id == "small"), key=lambda part: part.size)
    chosen = [parts[0], parts[1], small, parts[-2]]
    rows = [during, *[await searched(index, base, part, arguments.queries) for part in chosen]]
    facts = await index.facts()
    print(
        f"{arguments.vectors:,} vectors of {base.shape[1]} dimensions ({name}), {len(parts):,} partitions\n"
    )
    print(table(["partition", "p50 ms", "p95 ms", "p99 ms", "recall@1", "recall@8"], rows))
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        await index.save(Path(folder), Position("benchmark", 1))
        saved_s = time.perf_counter() - begun
        size = size_of(Path(folder))
        await index.aclose()
        again = InProcessVectorIndex(name, base.shape[1], vectors_max=arguments.vectors, bytes_max=1 << 40)
        begun = time.perf_counter()
        heard = await again.load(Path(folder))
        loaded_s = time.perf_counter() - begun
        await again.aclose()
    whole = [
        ["added, s", f"{added_s:.1f}"],
        ["graphs built, s", f"{built_s:.1f}"],
        ["memory, MB", f"{grown / 1e6:.0f}"],
        ["memory per vector, bytes", f"{grown / arguments.vectors:.0f}"],
        ["memory it says of itself, MB", f"{(facts.bytes_used or 0) / 1e6:.0f}"],
        ["largest of the process, MB", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f}"],
        ["snapshot written, s", f"{saved_s:.2f}"],
        ["snapshot, MB", f"{size / 1e6:.0f}"],
        ["snapshot loaded, s", f"{loaded_s:.2f}" if heard else "not readable"],
    ]
    print()
    print(table(["whole", ""], whole))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", help="a folder with texts, as JSON lines or tables")
    source.add_argument("--embedded", help="vectors that are there already, as .npy")
    parser.add_argument("--models", help="the folder of installed models; without, words are hashed")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=300)
    asyncio.run(measured(parser.parse_args()))


if __name__ == "__main__":
    main()
