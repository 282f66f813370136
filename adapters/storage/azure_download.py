"""Objects out of Azure: segment by segment, each only of the object that the first one was of."""

import hashlib
from typing import Any, Final

from adapters.storage.azure_session import AzureSession
from adapters.storage.azure_upload import matching
from adapters.storage.azure_words import described
from application.ports.object_store import ByteRange, ObjectInfo, ObjectStream
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    ObjectNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    ToolFailed,
)

SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""What one download holds in memory, twice."""
CHUNK_BYTES: Final = 256 * 1024
_CHANGED: Final = "the object changed while it was read; what came before is not the whole"


class AzureDownloads:
    """The reading half of one container."""

    def __init__(self, session: AzureSession, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._session = session
        self.segment_bytes = segment_bytes

    async def head(self, key: str, version_id: str | None) -> ObjectInfo:
        async def call() -> Any:
            return await self._session.blob(key, version_id).get_blob_properties()

        return described(key, await self._session.ask(key, call))

    async def open(
        self, key: str, version_id: str | None, byte_range: ByteRange | None, if_match: str | None
    ) -> "AzureStream":
        offset, length = byte_range if byte_range is not None else (0, None)
        wanted = self.segment_bytes if length is None else min(length, self.segment_bytes)
        try:
            info, content = await self.segment(key, version_id, offset, wanted, if_match)
        except RangeNotSatisfiable:
            if byte_range is not None:
                raise
            # Nothing is in an empty object, not even its first byte.
            info, content = await self.head(key, version_id), b""
            if info.size_bytes:
                raise ToolFailed(_CHANGED) from None
        left = info.size_bytes - offset
        if byte_range is not None and left <= 0:
            raise RangeNotSatisfiable("the range begins behind the end of the object")
        return AzureStream(
            self, info, content, offset, left if length is None else min(length, left), version_id
        )

    async def segment(
        self, key: str, version_id: str | None, offset: int, length: int, if_match: str | None
    ) -> tuple[ObjectInfo, bytes]:
        """A piece, and what it is of."""

        async def call() -> tuple[ObjectInfo, bytes]:
            found = await self._session.blob(key, version_id).download_blob(
                offset, length, max_concurrency=1, **matching(if_match)
            )
            total = str(found.properties.content_range or "").rpartition("/")[2]
            info = described(key, found.properties, int(total) if total.isdigit() else None)
            return info, await found.readall()

        return await self._session.ask(key, call)


class AzureStream(ObjectStream):
    """See the port."""

    def __init__(
        self,
        downloads: AzureDownloads,
        info: ObjectInfo,
        content: bytes,
        offset: int,
        length: int,
        version_id: str | None,
    ) -> None:
        self.info = info
        self.length = length
        self._downloads = downloads
        self._version_id = version_id
        self._segment = memoryview(content)
        self._offset = offset
        self._left = length
        expected = next((each.value for each in info.checksums if each.algorithm == "sha256"), None)
        self._expected = expected if length == info.size_bytes else None
        self._sha256 = hashlib.sha256()

    async def next_chunk(self) -> bytes:
        if not self._left:
            return b""
        if not self._segment:
            self._segment = memoryview(await self._next_segment())
        chunk = bytes(self._segment[: min(CHUNK_BYTES, self._left)])
        self._segment = self._segment[len(chunk) :]
        self._offset += len(chunk)
        self._left -= len(chunk)
        if self._expected is not None:
            self._sha256.update(chunk)
            if not self._left and self._sha256.hexdigest() != self._expected:
                raise ChecksumMismatch("what came is not what was written: its sha256 is another")
        return chunk

    async def _next_segment(self) -> bytes:
        wanted = min(self._downloads.segment_bytes, self._left)
        try:
            info, content = await self._downloads.segment(
                self.info.key, self._version_id, self._offset, wanted, self.info.etag
            )
        except (ObjectNotFound, PreconditionFailed, RangeNotSatisfiable):
            raise ToolFailed(_CHANGED) from None
        except IntegrationUnavailable as error:
            raise ToolFailed(
                f"the download broke off {self._left} bytes before its end: {error.message}"
            ) from None
        if info.etag != self.info.etag or info.size_bytes != self.info.size_bytes or not content:
            raise ToolFailed(_CHANGED)
        return content

    async def aclose(self) -> None:
        self._left = 0
        self._segment = memoryview(b"")
