"""Objects as files of one folder: for development, and for machines that share a disk.

Reading sees one file as it was when it was opened; writing makes a new one beside it and renames it into its
place, synced. There are no versions and no addresses for others.
"""

import base64
import mimetypes
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from adapters.storage.local_folder import Folder, etag_of
from adapters.storage.local_listing import described, listed
from adapters.storage.local_reading import CHUNK_BYTES, LocalStream, Threads
from adapters.storage.local_uploads import LocalUploads
from adapters.storage.transfer import MeasuredBody, check_part, checkable, missing, unmet
from application.ports.object_store import (
    OCTETS,
    PAGE_MAX,
    ByteRange,
    Checksum,
    Deleted,
    ObjectInfo,
    ObjectPage,
    ObjectStore,
    ObjectStream,
    PresignedUrl,
    StoreFeatures,
    UploadedPart,
    VersionPage,
    Writing,
)
from domain.errors import (
    ChecksumMismatch,
    InvalidParameters,
    RangeNotSatisfiable,
)

_PART_BYTES_MAX: Final = 64 * 1024 * 1024


class LocalStore(ObjectStore):
    """`root` was resolved and is one that the operator allows. Belongs to one event loop."""

    def __init__(self, root: Path) -> None:
        self.features = StoreFeatures(
            versions=False, presigns=False, checksums=checkable(), part_bytes_max=_PART_BYTES_MAX
        )
        self._folder = Folder(root)
        self._threads = Threads()
        self._uploads = LocalUploads(self._folder)
        self._swept = False

    async def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo:
        _no_versions(version_id)
        return await self._threads.call(partial(self._head, key))

    async def open(
        self,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,
    ) -> ObjectStream:
        _no_versions(version_id)
        return await self._threads.call(
            partial(self._open, key, byte_range, if_match), undo=LocalStream.close
        )

    async def page(
        self, prefix: str, *, delimiter: str = "", cursor: str | None = None, limit: int = PAGE_MAX
    ) -> ObjectPage:
        if delimiter not in ("", "/"):
            raise InvalidParameters("a disk knows the delimiter / only", param="parameters.delimiter")
        after = None if cursor is None else _uncursor(cursor)

        def work() -> ObjectPage:
            with self._folder.opened():
                found = list(
                    islice(listed(self._folder, prefix, folded=bool(delimiter), after=after), limit + 1)
                )
            shown = found[:limit]
            return ObjectPage(
                [each.info for each in shown if each.info is not None],
                [each.key for each in shown if each.info is None],
                _cursor(shown[-1].key) if len(found) > limit else None,
            )

        return await self._threads.call(work)

    async def versions(self, prefix: str, *, cursor: str | None = None, limit: int = PAGE_MAX) -> VersionPage:
        del prefix, cursor, limit
        raise _no_such_thing()

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        await self._sweep_once()
        measured = MeasuredBody(writing)
        file, name = await self._threads.call(self._folder.new_file, undo=self._undo_file)
        try:
            async with aclosing(measured.parts(body, CHUNK_BYTES)) as parts:
                async for part in parts:
                    await self._threads.call(partial(_write_all, file, part))
            await self._threads.call(partial(os.fsync, file))
            return await self._threads.call(partial(self._finish, name, key, writing, measured.sha256))
        finally:
            os.close(file)
            self._folder.discard(name)

    async def copy(
        self, from_key: str, to_key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> ObjectInfo:
        source = await self.open(from_key, version_id=version_id, if_match=if_match)
        info = source.info
        try:
            return await self.put(
                to_key,
                _chunks_of(source),
                Writing(content_type=info.content_type, metadata=info.metadata, size_bytes=info.size_bytes),
            )
        finally:
            await source.aclose()

    async def delete(
        self, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        _no_versions(version_id)

        def work() -> None:
            with self._folder.locked():
                if if_match is not None:
                    self._require(key, Writing(if_match=if_match))
                self._folder.remove(key)

        await self._threads.call(work)
        return Deleted()

    async def begin(self, key: str, writing: Writing) -> str:
        return await self._threads.call(partial(self._uploads.begin, key, writing))

    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None = None
    ) -> UploadedPart:
        await check_part(body, checksum)
        return await self._threads.call(partial(self._uploads.put_part, key, upload_id, number, body))

    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart]:
        return await self._threads.call(partial(self._uploads.parts, key, upload_id))

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        begun = await self._threads.call(partial(self._uploads.writing, key, upload_id))
        parts = await self.parts(key, upload_id)
        arrived = sum(part.size_bytes for part in parts)
        if writing.size_bytes is not None and arrived != writing.size_bytes:
            raise ChecksumMismatch(f"{arrived} bytes arrived, {writing.size_bytes} were announced")
        whole = Writing(
            content_type=begun.content_type,
            metadata=begun.metadata,
            size_bytes=arrived,
            only_if_absent=writing.only_if_absent,
            if_match=writing.if_match,
        )
        made = await self.put(key, self._joined(key, upload_id, parts), whole)
        await self.abort(key, upload_id)
        return made

    async def abort(self, key: str, upload_id: str) -> None:
        await self._threads.call(partial(self._uploads.remove, key, upload_id))

    async def presign(
        self,
        method: Literal["GET", "PUT"],
        key: str,
        *,
        expires_s: int,
        content_type: str | None = None,
        size_bytes: int | None = None,
        version_id: str | None = None,
    ) -> PresignedUrl:
        del method, key, expires_s, content_type, size_bytes, version_id
        raise InvalidParameters("files of a disk have no addresses that others could use")

    async def check(self) -> Mapping[str, str]:
        def work() -> Mapping[str, str]:
            with self._folder.opened():
                return {"writable": "yes" if os.access(self._folder.root, os.W_OK) else "no"}

        return await self._threads.call(work)

    async def aclose(self) -> None:
        self._threads.close()

    # In a thread

    def _undo_file(self, made: tuple[int, str]) -> None:
        os.close(made[0])
        self._folder.discard(made[1])

    def _head(self, key: str) -> ObjectInfo:
        file, found = self._folder.open_file(key)
        os.close(file)
        return self._described(key, found)

    def _open(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> "LocalStream":
        file, found = self._folder.open_file(key)
        try:
            if if_match is not None and etag_of(found) != if_match:
                raise unmet(f"{key[:200]!r} changed meanwhile")
            offset, length = byte_range if byte_range is not None else (0, None)
            if byte_range is not None and offset >= found.st_size:
                raise RangeNotSatisfiable("the range begins behind the end of the object")
            left = found.st_size - offset
            return LocalStream(
                self._threads,
                file,
                found,
                self._described(key, found),
                offset,
                left if length is None else min(left, length),
            )
        except BaseException:
            os.close(file)
            raise

    def _described(self, key: str, found: os.stat_result) -> ObjectInfo:
        about = self._folder.about(key, found)
        sha256 = about.get("sha256")
        return described(key, found)._replace(
            content_type=str(about.get("content_type") or mimetypes.guess_type(key)[0] or OCTETS),
            metadata=dict(about.get("metadata") or {}),
            checksums=(Checksum("sha256", sha256),) if isinstance(sha256, str) else (),
        )

    def _finish(self, name: str, key: str, writing: Writing, sha256: str) -> ObjectInfo:
        about = {
            "content_type": writing.content_type,
            "metadata": dict(writing.metadata),
            "sha256": sha256,
        }
        with self._folder.locked():
            self._require(key, writing)
            try:
                self._folder.put_in_place(name, key, about, only_if_absent=writing.only_if_absent)
            except FileExistsError:
                raise unmet(f"{key[:200]!r} exists already") from None
            return self._head(key)

    def _require(self, key: str, writing: Writing) -> None:
        found = self._folder.stat_of(key)
        if writing.only_if_absent and found is not None:
            raise unmet(f"{key[:200]!r} exists already")
        if writing.if_match is None:
            return
        if found is None:
            raise missing(key)
        if etag_of(found) != writing.if_match:
            raise unmet(f"{key[:200]!r} changed meanwhile")

    async def _joined(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> AsyncIterator[bytes]:
        for part in parts:
            offset = 0
            while chunk := await self._threads.call(
                partial(self._uploads.read, key, upload_id, part.number, offset, CHUNK_BYTES)
            ):
                offset += len(chunk)
                yield chunk

    async def _sweep_once(self) -> None:
        if not self._swept:
            self._swept = True
            await self._threads.call(self._folder.sweep)


def _no_versions(version_id: str | None) -> None:
    if version_id is not None:
        raise _no_such_thing()


def _no_such_thing() -> InvalidParameters:
    return InvalidParameters("a disk keeps no versions", param="parameters.version_id")


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


async def _chunks_of(stream: ObjectStream) -> AsyncIterator[bytes]:
    while chunk := await stream.next_chunk():
        yield chunk


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _uncursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        raise InvalidParameters("the cursor is none of ours", param="parameters.cursor") from None
