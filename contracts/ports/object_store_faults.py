"""What every ObjectStore promises when something breaks: nothing half-done, nothing mixed, nothing leaked."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from application.ports.object_store import ObjectStore, Writing
from contracts.ports._base import PortContract
from contracts.ports.object_store import (
    LARGE,
    Count,
    ObjectStoreHoles,
    content_of,
    pieces,
    put,
    rest_of,
)
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    ObjectNotFound,
    ToolFailed,
)

SECRET = "not-to-be-seen-anywhere"
"""Part of the credential of `refused_store`."""


class ObjectStoreFaultsContract(ObjectStoreHoles, PortContract):
    """Cut, cancelled, changed, wrong."""

    @pytest.mark.parametrize("size", [10, len(LARGE)])
    async def test_an_upload_that_breaks_off_leaves_nothing(
        self, store: ObjectStore, unfinished: Count, size: int
    ) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            async for piece in pieces(LARGE[:size]):
                yield piece
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await store.put("a", breaking(), Writing())

        assert not (await store.page("")).objects
        assert await unfinished() == 0

    async def test_an_upload_that_breaks_off_leaves_the_old_object(self, store: ObjectStore) -> None:
        before = await put(store, "a", b"old")

        async def breaking() -> AsyncIterator[bytes]:
            yield LARGE
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            await store.put("a", breaking(), Writing())

        assert (await store.head("a")).etag == before.etag
        assert await content_of(store, "a") == b"old"

    async def test_a_cancelled_upload_is_aborted(self, store: ObjectStore, unfinished: Count) -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield LARGE
            begun.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(store.put("a", endless(), Writing()))
        await asyncio.wait_for(begun.wait(), 10)
        writing.cancel()
        await asyncio.wait([writing], timeout=10)

        assert writing.cancelled()
        assert await unfinished() == 0
        with pytest.raises(ObjectNotFound):
            await store.head("a")
        await put(store, "a", b"again")
        assert await content_of(store, "a") == b"again"

    @pytest.mark.parametrize("announced", [len(LARGE) - 1, len(LARGE) + 1, 3])
    async def test_another_size_than_announced_is_refused(
        self, store: ObjectStore, unfinished: Count, announced: int
    ) -> None:
        with pytest.raises(ChecksumMismatch):
            await store.put("a", pieces(LARGE), Writing(size_bytes=announced))
        with pytest.raises(ObjectNotFound):
            await store.head("a")
        assert await unfinished() == 0

    async def test_an_object_replaced_while_it_is_read_is_never_mixed(self, store: ObjectStore) -> None:
        old, new = b"o" * len(LARGE), b"n" * len(LARGE)
        await store.put("a", pieces(old), Writing())
        stream = await store.open("a")
        received = await stream.next_chunk()
        await store.put("a", pieces(new), Writing())

        try:
            received += await rest_of(stream)
        except ToolFailed:
            assert set(received) <= {ord("o")}
        else:
            assert received == old
        assert await content_of(store, "a") == new

    async def test_a_download_that_nobody_reads_to_the_end_can_be_closed(self, store: ObjectStore) -> None:
        await store.put("a", pieces(LARGE), Writing())
        for _ in range(3):
            stream = await store.open("a")
            assert await stream.next_chunk()
            await stream.aclose()
            await stream.aclose()
        assert len(await content_of(store, "a")) == len(LARGE)

    async def test_a_cancelled_download_does_no_harm(self, store: ObjectStore) -> None:
        await store.put("a", pieces(LARGE), Writing())

        for _ in range(3):
            reading = asyncio.create_task(content_of(store, "a"))
            await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.wait([reading], timeout=10)

        assert await content_of(store, "a") == LARGE

    async def test_what_is_missing_is_told_apart(self, store: ObjectStore) -> None:
        for asking in (store.head("nothing"), store.open("nothing"), store.copy("nothing", "b")):
            with pytest.raises(ObjectNotFound):
                await asking

    async def test_a_closed_store_can_be_closed_again(self, store: ObjectStore) -> None:
        await store.aclose()
        await store.aclose()


class RefusedObjectStoreContract(PortContract):
    """Bind `refused_store`, its wrong credential contains SECRET, and `unreachable_store`: nobody listens."""

    @pytest.fixture
    async def refused_store(self) -> ObjectStore:
        raise NotImplementedError

    @pytest.fixture
    async def unreachable_store(self) -> ObjectStore:
        raise NotImplementedError

    async def test_a_refused_credential_is_not_a_missing_object(self, refused_store: ObjectStore) -> None:
        for asking in (
            refused_store.head("a"),
            refused_store.open("a"),
            refused_store.page(""),
            refused_store.check(),
            put(refused_store, "a"),
        ):
            with pytest.raises(IntegrationUnavailable) as caught:
                await asking
            assert SECRET not in caught.value.message and SECRET not in repr(caught.value.details)
        assert SECRET not in repr(refused_store)

    async def test_an_unreachable_store_says_so(self, unreachable_store: ObjectStore) -> None:
        # All at once: each is tried again after pauses before it is given up.
        ended = await asyncio.gather(
            unreachable_store.head("a"),
            unreachable_store.open("a"),
            unreachable_store.page(""),
            unreachable_store.check(),
            put(unreachable_store, "a"),
            return_exceptions=True,
        )
        assert all(isinstance(error, IntegrationUnavailable) for error in ended), ended
