"""What a restart finds: a whole snapshot or none."""

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from adapters.vectors.in_process import InProcessVectorIndex
from domain.caching.entry import Position
from domain.errors import StoreUnavailable
from tests.unit.vectors.world import DIMENSIONS, NOW_US, directions, entries, keys_near, small_index

HEARD = Position("epoch", 42)


async def filled() -> InProcessVectorIndex:
    """One partition with a graph of which some are dead, one without, one with a single vector."""
    index = small_index()
    vectors = directions(700)
    await index.add(entries(vectors[:600]))
    await index.settled()
    await index.remove([b"p%d" % number for number in range(50)])
    await index.add(entries(vectors[:5], first=600))
    await index.add(entries(vectors[600:650], b"q"))
    await index.add(entries(vectors[650:651], b"r", expires_at_us=NOW_US))
    return index


def folders(directory: Path) -> int:
    return len([each for each in directory.iterdir() if each.is_dir()])


def file_of(directory: Path, part: str) -> Path:
    return next(directory.rglob(part))


async def loaded(directory: Path) -> tuple[InProcessVectorIndex, Position | None]:
    index = small_index()
    return index, await index.load(directory)


async def test_a_snapshot_holds_everything_and_how_far_it_had_heard(tmp_path: Path) -> None:
    index = await filled()
    assert await index.save(tmp_path / "vectors", HEARD)
    vectors = directions(700)

    again, heard = await loaded(tmp_path / "vectors")

    assert heard == HEARD
    assert (await again.facts()).vectors == (await index.facts()).vectors == 606
    for number in range(50, 600, 50):
        near = await again.search(b"p", vectors[number].tobytes(), limit=1, similarity_min=0, now_us=NOW_US)
        was = await index.search(b"p", vectors[number].tobytes(), limit=1, similarity_min=0, now_us=NOW_US)
        assert near == was and near[0].key == b"p%d" % number
    assert await keys_near(again, vectors[3]) == [b"p603"]
    assert await keys_near(again, vectors[620], partition=b"q") == [b"q20"]
    assert await keys_near(again, vectors[650], partition=b"r") == []
    assert await keys_near(again, vectors[650], partition=b"r", now_us=NOW_US - 1) == [b"r0"]
    assert sorted(await again.within("acme", vectors[620].tobytes(), 0.999)) == [b"q20"]
    await index.aclose()
    await again.aclose()


async def test_a_loaded_index_goes_on_changing_and_is_saved_again(tmp_path: Path) -> None:
    index = await filled()
    await index.save(tmp_path, HEARD)
    await index.aclose()
    vectors = directions(700)
    again, _ = await loaded(tmp_path)

    await again.add(entries(vectors[:50]))
    await again.remove([b"p%d" % number for number in range(100, 400)])
    await again.settled()
    assert await again.save(tmp_path, Position("epoch", 43))
    third, heard = await loaded(tmp_path)

    assert heard == Position("epoch", 43)
    assert await keys_near(third, vectors[7], limit=2, similarity_min=0.99) == [b"p7"]
    assert b"p150" not in await keys_near(third, vectors[150])
    assert folders(tmp_path) == 1
    await again.aclose()
    await third.aclose()


async def test_an_empty_index_has_a_snapshot_too(tmp_path: Path) -> None:
    index = small_index()
    await index.save(tmp_path, HEARD)

    again, heard = await loaded(tmp_path)

    assert heard == HEARD
    assert (await again.facts()).vectors == 0
    await index.aclose()
    await again.aclose()


@pytest.mark.parametrize("part", ["rows", "facts", "graph-0", "manifest.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "empty"])
async def test_a_damaged_snapshot_is_none(tmp_path: Path, part: str, damage: str) -> None:
    index = await filled()
    await index.save(tmp_path, HEARD)
    await index.aclose()
    path = file_of(tmp_path, part)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "changed":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    else:
        path.write_bytes(b"")

    again, heard = await loaded(tmp_path)

    assert heard is None
    assert (await again.facts()).vectors == 0
    await again.add(entries(directions(3)))
    assert (await again.facts()).vectors == 3
    await again.aclose()


async def test_a_snapshot_of_another_embedder_or_size_is_none(tmp_path: Path) -> None:
    index = await filled()
    await index.save(tmp_path, HEARD)
    await index.aclose()

    for other in (
        InProcessVectorIndex("test/int8", DIMENSIONS),
        InProcessVectorIndex("test/f32", 2 * DIMENSIONS),
        InProcessVectorIndex("test/f32", DIMENSIONS, vectors_max=100),
    ):
        assert await other.load(tmp_path) is None
        await other.aclose()


async def test_no_folder_is_no_snapshot(tmp_path: Path) -> None:
    index, heard = await loaded(tmp_path / "nothing")

    assert heard is None
    await index.aclose()


async def test_one_process_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    index = await filled()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not await index.save(tmp_path, HEARD)

    assert await index.save(tmp_path, HEARD)
    await index.aclose()


async def test_a_disk_that_refuses_leaves_the_snapshot_before(tmp_path: Path) -> None:
    index = await filled()
    await index.save(tmp_path, HEARD)
    rows = index._rows.matrix
    index._rows.matrix = None

    with pytest.raises((StoreUnavailable, TypeError)):
        await index.save(tmp_path, Position("epoch", 99))

    index._rows.matrix = rows
    again, heard = await loaded(tmp_path)
    assert heard == HEARD
    assert folders(tmp_path) == 1
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StoreUnavailable):
        await index.save(blocked, HEARD)
    await index.aclose()
    await again.aclose()


async def test_what_changes_while_a_snapshot_is_written_is_never_mixed_up(tmp_path: Path) -> None:
    index = await filled()
    vectors = directions(700)
    saving = asyncio.create_task(index.save(tmp_path, HEARD))
    for number in range(50, 250):
        await index.remove([b"p%d" % number])
        await index.add(entries(vectors[number + 300 : number + 301], b"s", first=number))
        await asyncio.sleep(0)
    assert await saving

    again, heard = await loaded(tmp_path)

    assert heard == HEARD
    for number in range(50, 600, 7):
        near = await again.search(
            b"p", vectors[number].tobytes(), limit=1, similarity_min=0.9999, now_us=NOW_US
        )
        assert all(each.key == b"p%d" % number for each in near)
        assert near or number < 250
    for number in range(50, 250, 7):
        near = await again.search(
            b"s", vectors[number + 300].tobytes(), limit=1, similarity_min=0.9999, now_us=NOW_US
        )
        assert all(each.key == b"s%d" % number for each in near)
    await index.aclose()
    await again.aclose()


async def test_saving_goes_on_when_its_caller_leaves(tmp_path: Path) -> None:
    index = await filled()
    saving = asyncio.create_task(index.save(tmp_path, HEARD))
    await asyncio.sleep(0)
    saving.cancel()
    await asyncio.wait([saving])

    await index.aclose()

    _, heard = await loaded(tmp_path)
    assert heard == HEARD


async def test_nobody_else_on_the_machine_reads_a_snapshot(tmp_path: Path) -> None:
    index = await filled()
    before = os.umask(0)
    try:
        assert await index.save(tmp_path / "vectors", HEARD)
    finally:
        os.umask(before)
    places = [tmp_path / "vectors", *(each for each in (tmp_path / "vectors").iterdir() if each.is_dir())]
    assert {each.stat().st_mode & 0o777 for each in places} == {0o700}
