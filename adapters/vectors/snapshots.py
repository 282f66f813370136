"""An index as files: a folder per snapshot, and a manifest beside them that names the one that counts.

The manifest is replaced last and at once, and holds a digest of every file, so that a reader sees a whole
snapshot or none. Whatever is not as expected is no snapshot: everything in it can be heard again.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from adapters.vectors.extra import Numerics
from adapters.vectors.graph import SIGNS, Graph, Signs
from adapters.vectors.partition import Partition
from adapters.vectors.rows import Rows
from domain.caching.entry import Position
from domain.errors import StoreUnavailable

FORMAT: Final = 1
ROWS_AT_ONCE: Final = 8_192
MANIFEST: Final = "manifest.json"
_LOCK: Final = "lock"
_ROWS: Final = "rows"
_FACTS: Final = "facts"
_BLOCK_BYTES: Final = 1 << 20


class SnapshotFacts(NamedTuple):
    """Whose vectors they are, and how far their owner had heard."""

    embedder_id: str
    dimensions: int
    heard: Position


class Loaded(NamedTuple):
    """A whole index."""

    rows: Rows
    partitions: list[Partition]
    heard: Position


class _Manifest(msgspec.Struct):
    format: int
    signs: int
    embedder_id: str
    dimensions: int
    epoch: str
    number: int
    count: int
    folder: str
    files: dict[str, str]


class _Partition(msgspec.Struct):
    name: bytes
    tenant_id: str
    labels: bytes | None = None
    """Of its graph: the row that each label stands for."""


class _Facts(msgspec.Struct):
    partitions: list[_Partition]
    keys: list[bytes]
    owners: bytes
    factors: bytes
    expires: bytes


def write_snapshot(
    directory: Path, facts: SnapshotFacts, rows: Rows, partitions: Sequence[Partition]
) -> bool:
    """False: another process writes there. Graphs must not change meanwhile, rows may.

    Raises:
        StoreUnavailable: the disk refuses; the snapshot before it still counts.
    """
    try:
        # A vector tells much of its question.
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (directory / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            _write(directory, facts, rows, partitions)
    except (OSError, RuntimeError) as error:
        raise StoreUnavailable(f"a snapshot of vectors cannot be written: {error}") from error
    return True


def _write(directory: Path, facts: SnapshotFacts, rows: Rows, partitions: Sequence[Partition]) -> None:
    folder = directory / f"v{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        count = _write_files(folder, rows, partitions)
        manifest = _Manifest(
            FORMAT,
            SIGNS,
            facts.embedder_id,
            facts.dimensions,
            facts.heard.epoch,
            facts.heard.number,
            count,
            folder.name,
            {each.name: _digest(each) for each in folder.iterdir()},
        )
        new = folder / MANIFEST
        new.write_bytes(msgspec.json.encode(manifest))
        _sync(new)
        new.replace(directory / MANIFEST)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for other in directory.glob("v*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def _write_files(folder: Path, rows: Rows, partitions: Sequence[Partition]) -> int:
    np = rows.np
    owner = rows.owner[: len(rows.keys)].copy()
    number_to_place = {each.number: place for place, each in enumerate(partitions)}
    live = np.flatnonzero(np.isin(owner, np.asarray(list(number_to_place), np.int64)))
    keys = [rows.keys[slot] for slot in live.tolist()]
    kept = np.asarray([key is not None for key in keys], np.bool_)  # some went a moment ago
    live = live[kept]
    places = np.full(len(owner), -1, np.int32)
    places[live] = np.arange(len(live), dtype=np.int32)
    written = []
    for number, each in enumerate(partitions):
        labels = None
        if each.graph is not None:
            slots = each.graph.slots[: each.graph.labels].copy()
            # A row that was taken anew since is not this graph's.
            mine = (slots >= 0) & (slots < len(owner))
            mine &= owner[np.where(mine, slots, 0)] == each.number
            labels = np.where(mine, places[np.where(mine, slots, 0)], -1).astype("<i4").tobytes()
            each.graph.index.save(str(folder / f"graph-{number}"))
        written.append(_Partition(each.name, each.tenant_id, labels))
    with (folder / _ROWS).open("wb") as file:
        for start in range(0, len(live), ROWS_AT_ONCE):
            file.write(rows.matrix[live[start : start + ROWS_AT_ONCE]].tobytes())
    found = _Facts(
        partitions=written,
        keys=[key for key in keys if key is not None],
        owners=np.asarray([number_to_place[each] for each in owner[live].tolist()], "<i4").tobytes(),
        factors=rows.factor[live].astype("<f4").tobytes(),
        expires=rows.expires[live].astype("<i8").tobytes(),
    )
    (folder / _FACTS).write_bytes(msgspec.msgpack.encode(found))
    for path in folder.iterdir():
        _sync(path)
    return len(live)


def _digest(path: Path) -> str:
    hashed = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            hashed.update(block)
    return hashed.hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_snapshot(
    directory: Path, facts: SnapshotFacts, tools: Numerics, signs: Signs, vectors_max: int
) -> Loaded | None:
    """None: none, or not all of it as it was written, or not of this embedder."""
    for path in _manifests(directory):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError):
            manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
            fits = (FORMAT, SIGNS, facts.embedder_id, facts.dimensions) == (
                manifest.format, manifest.signs, manifest.embedder_id, manifest.dimensions,
            )  # fmt: skip
            folder = directory / Path(manifest.folder).name
            if not fits or manifest.count > vectors_max:
                return None
            if {name: _digest(folder / Path(name).name) for name in manifest.files} != manifest.files:
                return None
            return _read(folder, manifest, tools, signs, vectors_max)
    return None


def _manifests(directory: Path) -> Iterator[Path]:
    """Twice: the first one's files may have been replaced while they were read."""
    yield directory / MANIFEST
    yield directory / MANIFEST


def _read(folder: Path, manifest: _Manifest, tools: Numerics, signs: Signs, vectors_max: int) -> Loaded:
    np = tools.numpy
    facts = msgspec.msgpack.decode((folder / _FACTS).read_bytes(), type=_Facts)
    count = manifest.count
    rows = Rows(np, manifest.dimensions, vectors_max)
    with (folder / _ROWS).open("rb") as file:
        if count and file.readinto(memoryview(rows.matrix[:count]).cast("B")) != count * manifest.dimensions:
            raise ValueError("rows are missing")
    places = np.frombuffer(facts.owners, "<i4")
    rows.factor[:count] = np.frombuffer(facts.factors, "<f4")
    rows.expires[:count] = np.frombuffer(facts.expires, "<i8")
    rows.owner[:count] = places + 1
    rows.keys.extend(facts.keys)
    rows.slot_of.update(zip(facts.keys, range(count), strict=True))
    if len(rows.slot_of) != count:
        raise ValueError("a key is there twice")
    partitions = [
        Partition(number, each.name, each.tenant_id) for number, each in enumerate(facts.partitions, 1)
    ]
    for number, (partition, told) in enumerate(zip(partitions, facts.partitions, strict=True)):
        if told.labels is not None:
            labels = np.frombuffer(told.labels, "<i4").astype(np.int32)
            partition.graph = _graph(folder / f"graph-{number}", labels, rows, tools, signs)
    order = np.argsort(places, kind="stable")
    bounds = np.searchsorted(places[order], np.arange(len(partitions) + 1))
    for partition, start, end in zip(partitions, bounds[:-1], bounds[1:], strict=True):
        mine = order[start:end]
        mine = mine[~rows.in_graph[mine]]
        partition.head = array("i", mine.astype(np.int32).tobytes())
        rows.place[mine] = np.arange(len(mine), dtype=np.int32)
    heard = Position(manifest.epoch, manifest.number)
    return Loaded(rows, [each for each in partitions if len(each)], heard)


def _graph(path: Path, labels: Any, rows: Rows, tools: Numerics, signs: Signs) -> Graph:
    graph = Graph(tools, signs, rows)
    graph.index.load(str(path))
    live = labels >= 0
    if len(graph.index) != len(labels) or graph.index.ndim != SIGNS:
        raise ValueError("a graph has other labels")
    graph.adopt(labels)
    rows.place[labels[live]] = tools.numpy.flatnonzero(live)
    rows.in_graph[labels[live]] = True
    return graph
