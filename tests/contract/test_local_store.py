"""The object store on a disk: the suite, and what only a disk can do wrong."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.storage.local import LocalStore
from application.ports.object_store import ObjectStore, Writing
from contracts.ports.object_store import Count, Fetch, ObjectStoreContract, chunks, content_of, put, rest_of
from contracts.ports.object_store_faults import ObjectStoreFaultsContract
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    InvalidParameters,
    ObjectNotFound,
    ToolFailed,
    ToolRefused,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "objects"
    made.mkdir()
    return made


class TestLocalStore(ObjectStoreContract, ObjectStoreFaultsContract):
    @pytest.fixture
    async def store(self, root: Path) -> AsyncIterator[ObjectStore]:
        store = LocalStore(root)
        yield store
        await store.aclose()

    @pytest.fixture
    def unfinished(self, root: Path) -> Count:
        def left() -> int:
            return sum(1 for kind in ("incoming", "uploads") for _ in root.glob(f".interchange/{kind}/*"))

        async def count() -> int:
            return left()

        return count

    @pytest.fixture
    def fetch(self) -> Fetch:
        async def nobody(*_: object) -> tuple[int, bytes]:
            return 0, b""

        return nobody

    async def test_links_lead_nowhere(self, store: ObjectStore, root: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("outside")
        (tmp_path / "elsewhere").mkdir()
        (root / "file").symlink_to(tmp_path / "secret")
        (root / "folder").symlink_to(tmp_path / "elsewhere")
        (root / "up").symlink_to(tmp_path)

        for key in ("file", "folder/new", "up/secret"):
            with pytest.raises((ToolRefused, ObjectNotFound)):
                await store.open(key)
        for key in ("folder/new", "up/new"):
            with pytest.raises(ToolRefused):
                await put(store, key)
        await put(store, "file", b"inside")

        assert (tmp_path / "secret").read_text() == "outside"
        assert not list((tmp_path / "elsewhere").iterdir())
        assert [each.key for each in (await store.page("")).objects] == ["file"]
        assert (await store.page("up/")).objects == []

    @pytest.mark.parametrize(
        "key",
        ["../x", "a/../../x", "/etc/passwd", ".interchange/lock", ".Interchange/lock", "a//b", "a/.", "."],
    )
    async def test_keys_that_lead_out_are_refused(self, store: ObjectStore, key: str) -> None:
        for asking in (store.open(key), put(store, key), store.delete(key), store.begin(key, Writing())):
            with pytest.raises((ToolRefused, InvalidParameters)):
                await asking

    async def test_private_files_are_not_listed(self, store: ObjectStore) -> None:
        await put(store, "a", metadata={"k": "v"})
        assert [each.key for each in (await store.page("")).objects] == ["a"]
        assert list((await store.page("", delimiter="/")).prefixes) == []
        with pytest.raises(ToolRefused):
            await store.page(".interchange/")

    async def test_a_file_that_others_wrote_is_an_object(self, store: ObjectStore, root: Path) -> None:
        await put(store, "notes.txt", b"ours", content_type="text/x-mine", metadata={"k": "v"})
        before = (await store.head("notes.txt")).etag
        (root / "notes.txt").write_bytes(b"theirs!")

        info = await store.head("notes.txt")

        assert info.etag != before and info.content_type == "text/plain"
        assert not info.metadata and not info.checksums
        assert await content_of(store, "notes.txt") == b"theirs!"

    async def test_a_file_changed_in_place_while_it_is_read_is_noticed(
        self, store: ObjectStore, root: Path
    ) -> None:
        (root / "a").write_bytes(b"o" * 3_000_000)
        stream = await store.open("a")
        await stream.next_chunk()
        with (root / "a").open("r+b") as file:
            file.write(b"n")
            os.utime(file.fileno(), ns=(1, 1))
        with pytest.raises(ToolFailed, match="changed"):
            await rest_of(stream)
        await stream.aclose()

    async def test_damage_on_the_disk_is_noticed(self, store: ObjectStore, root: Path) -> None:
        await put(store, "a", b"content")
        found = (root / "a").stat()
        (root / "a").write_bytes(b"CONTENT")
        os.utime(root / "a", ns=(found.st_atime_ns, found.st_mtime_ns))
        with pytest.raises(ChecksumMismatch):
            await content_of(store, "a")

    async def test_folders_and_files_do_not_take_each_others_place(self, store: ObjectStore) -> None:
        await put(store, "a/b")
        with pytest.raises(ToolRefused):
            await put(store, "a")
        with pytest.raises(ToolRefused):
            await put(store, "a/b/c")
        await store.delete("a/b")
        await put(store, "a")

    async def test_only_whole_files_are_objects(self, store: ObjectStore, root: Path) -> None:
        os.mkfifo(root / "pipe")
        (root / "folder").mkdir()
        for key in ("pipe", "folder"):
            with pytest.raises(ObjectNotFound):
                await store.open(key)
        assert not (await store.page("")).objects
        assert not (await store.page("", delimiter="/")).prefixes

    async def test_what_a_crash_left_is_swept(self, store: ObjectStore, root: Path) -> None:
        incoming = root / ".interchange" / "incoming"
        incoming.mkdir(parents=True)
        (incoming / "old").write_bytes(b"x")
        (incoming / "new").write_bytes(b"x")
        os.utime(incoming / "old", (1, 1))
        await store.put("a", chunks(b"x"), Writing())
        assert [path.name for path in incoming.iterdir()] == ["new"]


async def test_a_folder_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "gone")
    for asking in (store.head("a"), store.page(""), store.check(), put(store, "a")):
        with pytest.raises(IntegrationUnavailable):
            await asking
    await store.aclose()
