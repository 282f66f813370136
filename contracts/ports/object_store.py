"""What every ObjectStore promises. The faults half is in `contracts.ports.object_store_faults`.

A binding fills the holes of `ObjectStoreHoles`; features a store does not have are said by `features`, and
the suite then looks that they are refused.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from application.ports.object_store import (
    PART_BYTES_MIN,
    ByteRange,
    Checksum,
    ObjectInfo,
    ObjectStore,
    ObjectStream,
    Writing,
)
from contracts.ports._base import PortContract
from domain.errors import (
    ChecksumMismatch,
    InvalidParameters,
    ObjectNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
)

LARGE = bytes(range(256)) * (13 * 4096)
"""13 MiB: more than one part, and not a whole number of any."""

Fetch = Callable[..., Awaitable[tuple[int, bytes]]]
Count = Callable[[], Awaitable[int]]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def pieces(content: bytes, size: int = 256 * 1024) -> AsyncIterator[bytes]:
    """As a caller sends it."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def rest_of(stream: ObjectStream) -> bytes:
    received = bytearray()
    while chunk := await stream.next_chunk():
        received += chunk
    await stream.aclose()
    return bytes(received)


async def content_of(store: ObjectStore, key: str, **more: Any) -> bytes:
    return await rest_of(await store.open(key, **more))


async def put(store: ObjectStore, key: str, content: bytes = b"content", **more: Any) -> ObjectInfo:
    return await store.put(key, chunks(content), Writing(**more))


def sha256_of(content: bytes) -> Checksum:
    return Checksum("sha256", hashlib.sha256(content).hexdigest())


class ObjectStoreHoles:
    """What a binding provides."""

    @pytest.fixture
    async def store(self) -> ObjectStore:
        """Empty, with versions where it can have them, with parts as small as it can."""
        raise NotImplementedError

    @pytest.fixture
    def unfinished(self, store: ObjectStore) -> Count:
        """How many uploads are begun and neither completed nor aborted, leftovers of any kind included."""
        raise NotImplementedError

    @pytest.fixture
    def fetch(self) -> Fetch:
        """`await fetch(method, url, headers, body)` without any credential of ours; status and body."""
        raise NotImplementedError


class ObjectStoreContract(ObjectStoreHoles, PortContract):
    """Behaviour and concurrency."""

    async def test_what_was_put_is_what_is_read(self, store: ObjectStore) -> None:
        written = await put(store, "folder/a.txt", b"hello", content_type="text/plain")

        stream = await store.open("folder/a.txt")
        assert await rest_of(stream) == b"hello"
        for info in (written, stream.info, await store.head("folder/a.txt")):
            assert (info.key, info.size_bytes, info.content_type) == ("folder/a.txt", 5, "text/plain")
            assert info.etag == written.etag and info.modified_at_us > 1_600_000_000_000_000
        assert stream.length == 5

    async def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        await store.put("empty", chunks(), Writing(size_bytes=0))
        assert (await store.head("empty")).size_bytes == 0
        assert await content_of(store, "empty") == b""

    @pytest.mark.parametrize("announced", [True, False])
    async def test_a_large_object_passes_in_parts(
        self, store: ObjectStore, unfinished: Count, announced: bool
    ) -> None:
        writing = Writing(size_bytes=len(LARGE) if announced else None, checksum=sha256_of(LARGE))

        written = await store.put("large", pieces(LARGE), writing)

        assert written.size_bytes == len(LARGE)
        assert await content_of(store, "large") == LARGE
        assert await unfinished() == 0

    async def test_keys_and_metadata_may_be_any_text(self, store: ObjectStore) -> None:
        key = "Überblick 2026/日本語 & more+%41?#.txt"
        metadata = {"author": "Zoë Ñandú", "note-2": " spaces kept ", "plain": "=?not=encoded?=", "e": "😀"}

        await put(store, key, metadata=metadata)

        assert dict((await store.head(key)).metadata) == metadata
        assert [each.key for each in (await store.page("Über")).objects] == [key]
        assert await content_of(store, key) == b"content"

    async def test_a_later_put_takes_the_place(self, store: ObjectStore) -> None:
        first = await put(store, "a", b"first", metadata={"n": "1"})
        second = await put(store, "a", b"second")

        assert first.etag != second.etag
        assert await content_of(store, "a") == b"second"
        assert (await store.head("a")).metadata == {}

    async def test_ranges(self, store: ObjectStore) -> None:
        await put(store, "a", b"0123456789")

        assert await content_of(store, "a", byte_range=ByteRange(2, 3)) == b"234"
        assert await content_of(store, "a", byte_range=ByteRange(7)) == b"789"
        assert await content_of(store, "a", byte_range=ByteRange(8, 100)) == b"89"
        partial = await store.open("a", byte_range=ByteRange(2, 3))
        assert (partial.length, partial.info.size_bytes) == (3, 10)
        await partial.aclose()
        with pytest.raises(RangeNotSatisfiable):
            await store.open("a", byte_range=ByteRange(10, 1))

    async def test_a_read_can_demand_the_object_it_knows(self, store: ObjectStore) -> None:
        first = await put(store, "a", b"first")
        assert await content_of(store, "a", if_match=first.etag) == b"first"
        await put(store, "a", b"second")
        with pytest.raises(PreconditionFailed):
            await store.open("a", if_match=first.etag)

    async def test_writes_can_have_conditions(self, store: ObjectStore) -> None:
        first = await put(store, "a", b"first", only_if_absent=True)
        with pytest.raises(PreconditionFailed):
            await put(store, "a", b"second", only_if_absent=True)
        await put(store, "a", b"second", if_match=first.etag)
        with pytest.raises(PreconditionFailed):
            await put(store, "a", b"third", if_match=first.etag)
        with pytest.raises((PreconditionFailed, ObjectNotFound)):
            await put(store, "b", b"third", if_match=first.etag)
        assert await content_of(store, "a") == b"second"

    async def test_checksums_are_checked_on_the_way(self, store: ObjectStore, unfinished: Count) -> None:
        assert "sha256" in store.features.checksums
        await put(store, "a", b"right", checksum=sha256_of(b"right"))
        with pytest.raises(ChecksumMismatch):
            await put(store, "a", b"wrong", checksum=sha256_of(b"other"))
        with pytest.raises(ChecksumMismatch):
            await store.put("large", pieces(LARGE), Writing(checksum=sha256_of(b"other")))

        info = await store.head("a")
        assert sha256_of(b"right") in info.checksums
        assert await content_of(store, "a") == b"right"
        with pytest.raises(ObjectNotFound):
            await store.head("large")
        assert await unfinished() == 0

    async def test_crc32c_is_checked_where_it_can_be(self, store: ObjectStore) -> None:
        # The check value of the polynomial, from RFC 3720 and everywhere else.
        right, wrong = Checksum("crc32c", "e3069283"), Checksum("crc32c", "e3069284")
        if "crc32c" not in store.features.checksums:
            with pytest.raises(InvalidParameters):
                await put(store, "a", b"123456789", checksum=right)
            return
        await put(store, "a", b"123456789", checksum=right)
        with pytest.raises(ChecksumMismatch):
            await put(store, "b", b"123456789", checksum=wrong)
        with pytest.raises(ObjectNotFound):
            await store.head("b")

    async def test_lists_have_pages(self, store: ObjectStore) -> None:
        keys = [f"list/{number:02}" for number in range(7)]
        for key in [*reversed(keys), "lisa", "listen"]:
            await put(store, key)

        seen: list[str] = []
        cursor = None
        for _ in range(20):
            page = await store.page("list/", cursor=cursor, limit=3)
            assert len(page.objects) <= 3
            seen += [each.key for each in page.objects]
            if (cursor := page.cursor) is None:
                break

        assert seen == keys
        assert (await store.page("nothing")).objects in ([], ())

    async def test_a_delimiter_folds_what_is_below(self, store: ObjectStore) -> None:
        for key in ("a.txt", "b/1", "b/2", "b/c/3", "d/4"):
            await put(store, key, key.encode())

        top = await store.page("", delimiter="/")
        below = await store.page("b/", delimiter="/")

        assert [each.key for each in top.objects] == ["a.txt"] and list(top.prefixes) == ["b/", "d/"]
        assert [each.key for each in below.objects] == ["b/1", "b/2"] and list(below.prefixes) == ["b/c/"]
        assert below.objects[0].size_bytes == 3 and below.objects[0].etag

    async def test_a_folded_list_has_pages_too(self, store: ObjectStore) -> None:
        for key in ("a/1", "a/2", "b/1", "c", "d/1"):
            await put(store, key)
        seen: list[str] = []
        cursor = None
        for _ in range(20):
            page = await store.page("", delimiter="/", cursor=cursor, limit=1)
            seen += [*(each.key for each in page.objects), *page.prefixes]
            if (cursor := page.cursor) is None:
                break
        assert sorted(seen) == ["a/", "b/", "c", "d/"]

    async def test_a_copy_has_everything_of_its_source(self, store: ObjectStore) -> None:
        first = await put(store, "a ü", b"content", content_type="text/plain", metadata={"k": "wörd"})

        await store.copy("a ü", "b/c", if_match=first.etag)

        info = await store.head("b/c")
        assert (info.content_type, dict(info.metadata), info.size_bytes) == ("text/plain", {"k": "wörd"}, 7)
        assert await content_of(store, "b/c") == b"content"
        with pytest.raises(ObjectNotFound):
            await store.copy("nothing", "b/c")
        with pytest.raises(PreconditionFailed):
            await store.copy("a ü", "b/c", if_match="another")

    async def test_what_is_deleted_is_gone_once(self, store: ObjectStore) -> None:
        await put(store, "a")
        await store.delete("a")
        await store.delete("a")
        with pytest.raises(ObjectNotFound):
            await store.open("a")
        assert not (await store.page("")).objects

    async def test_versions_stay_readable(self, store: ObjectStore) -> None:
        first = await put(store, "a", b"first")
        if not store.features.versions:
            with pytest.raises(InvalidParameters):
                await store.versions("")
            with pytest.raises(InvalidParameters):
                await store.open("a", version_id="1")
            return
        second = await put(store, "a", b"second")
        gone = await store.delete("a")

        assert first.version_id and first.version_id != second.version_id
        assert await content_of(store, "a", version_id=first.version_id) == b"first"
        assert gone.marker
        listed = (await store.versions("a")).versions
        assert [(each.version_id, each.deleted) for each in listed if not each.deleted] == [
            (second.version_id, False),
            (first.version_id, False),
        ]
        await store.copy("a", "b", version_id=first.version_id)
        assert await content_of(store, "b") == b"first"
        await store.delete("a", version_id=first.version_id)
        with pytest.raises(ObjectNotFound):
            await store.open("a", version_id=first.version_id)

    async def test_an_upload_is_taken_up_by_somebody_else(
        self, store: ObjectStore, unfinished: Count
    ) -> None:
        writing = Writing(content_type="text/plain", metadata={"k": "v"}, size_bytes=len(LARGE))
        first, second = LARGE[: 2 * PART_BYTES_MIN], LARGE[2 * PART_BYTES_MIN :]
        upload_id = await store.begin("large", writing)
        await store.put_part("large", upload_id, 1, first[:PART_BYTES_MIN])
        await store.put_part("large", upload_id, 2, first[PART_BYTES_MIN:], sha256_of(first[PART_BYTES_MIN:]))
        with pytest.raises(ObjectNotFound):
            await store.head("large")
        with pytest.raises(ChecksumMismatch):
            await store.complete("large", upload_id, writing)

        arrived = await store.parts("large", upload_id)
        assert [(part.number, part.size_bytes) for part in arrived] == [
            (1, PART_BYTES_MIN),
            (2, PART_BYTES_MIN),
        ]
        with pytest.raises(ChecksumMismatch):
            await store.put_part("large", upload_id, 3, second, sha256_of(b"other"))
        await store.put_part("large", upload_id, 3, second)
        info = await store.complete("large", upload_id, writing)

        assert (info.size_bytes, info.content_type, dict(info.metadata)) == (
            len(LARGE),
            "text/plain",
            {"k": "v"},
        )
        assert await content_of(store, "large") == LARGE
        assert await unfinished() == 0

    async def test_an_aborted_upload_leaves_nothing(self, store: ObjectStore, unfinished: Count) -> None:
        upload_id = await store.begin("a", Writing())
        await store.put_part("a", upload_id, 1, b"part")
        assert await unfinished() > 0
        await store.abort("a", upload_id)
        await store.abort("a", upload_id)

        assert await unfinished() == 0
        with pytest.raises(ObjectNotFound):
            await store.parts("a", upload_id)
        with pytest.raises(ObjectNotFound):
            await store.head("a")

    async def test_an_upload_belongs_to_its_key(self, store: ObjectStore) -> None:
        upload_id = await store.begin("a", Writing())
        with pytest.raises(ObjectNotFound):
            await store.put_part("b", upload_id, 1, b"part")
        with pytest.raises(ObjectNotFound):
            await store.put_part("a", "no-such-upload", 1, b"part")
        await store.abort("a", upload_id)

    async def test_a_presigned_address_does_one_thing(self, store: ObjectStore, fetch: Fetch) -> None:
        await put(store, "a b", b"content")
        if not store.features.presigns:
            with pytest.raises(InvalidParameters):
                await store.presign("GET", "a b", expires_s=60)
            return
        reading = await store.presign("GET", "a b", expires_s=60)
        writing = await store.presign("PUT", "c", expires_s=60, content_type="text/plain", size_bytes=3)

        assert await fetch("GET", reading.url, reading.headers, b"") == (200, b"content")
        status, _ = await fetch("PUT", writing.url, writing.headers, b"new")
        assert status in (200, 201)
        info = await store.head("c")
        assert (info.size_bytes, info.content_type) == (3, "text/plain")
        assert reading.url not in repr(reading)

    async def test_of_two_who_both_make_it_one_does(self, store: ObjectStore) -> None:
        outcomes = await asyncio.gather(
            *(put(store, "a", b"%d" % number, only_if_absent=True) for number in range(6)),
            return_exceptions=True,
        )
        made = [each for each in outcomes if isinstance(each, ObjectInfo)]
        assert len(made) == 1
        assert all(isinstance(each, ObjectInfo | PreconditionFailed) for each in outcomes)

    async def test_a_check_reaches_it(self, store: ObjectStore) -> None:
        assert await store.check()
        assert not (await store.page("")).objects
