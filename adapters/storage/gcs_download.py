"""Objects out of Google Cloud Storage: one generation, taken up again where its connection broke."""

import asyncio
import hashlib
from typing import Final

from adapters.storage.gcs_exchange import FAILURES, Call, GcsExchange, again_s
from adapters.storage.gcs_words import FIELDS, described, generation_of, matching, told
from adapters.storage.transfer import crc32c_hasher
from application.ports.http import HttpResponse, TransportFailed
from application.ports.object_store import ByteRange, ObjectInfo, ObjectStream
from domain.errors import ChecksumMismatch, ObjectNotFound, RangeNotSatisfiable, ToolFailed

_RESUMES_MAX: Final = 4
_MEDIA: Final = frozenset({200, 206})
_CHANGED: Final = "the object changed while it was read; what came before is not the whole"
# Else content that is stored packed would be unpacked on the way, and be longer than it is.
_AS_STORED: Final = ("accept-encoding", "gzip")


class GcsDownloads:
    """The reading half of one bucket."""

    def __init__(self, exchange: GcsExchange) -> None:
        self._exchange = exchange

    async def head(self, key: str, version_id: str | None = None, if_match: str | None = None) -> ObjectInfo:
        query = {"fields": FIELDS, **generation_of(version_id), **matching(if_match, key)}
        said = await self._exchange.json(Call("GET", self._exchange.object_path(key), query), key)
        try:
            return described(said)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise told(error, key) from None

    async def open(
        self, key: str, version_id: str | None, byte_range: ByteRange | None, if_match: str | None
    ) -> "GcsStream":
        info = await self.head(key, version_id, if_match)
        offset, length = byte_range if byte_range is not None else (0, None)
        left = info.size_bytes - offset
        if byte_range is not None and left <= 0:
            raise RangeNotSatisfiable("the range begins behind the end of the object")
        stream = GcsStream(self, info, offset, left if length is None else min(left, length))
        await stream.begin()
        return stream

    async def media(self, info: ObjectInfo, offset: int, length: int) -> HttpResponse:
        """Raises one of FAILURES."""
        headers: tuple[tuple[str, str], ...] = (_AS_STORED,)
        if length < info.size_bytes:
            headers = (*headers, ("range", f"bytes={offset}-{offset + length - 1}"))
        query = {"alt": "media", "generation": info.etag}
        path = self._exchange.object_path(info.key)
        return await self._exchange.opened(Call("GET", path, query, headers=headers, hoped=_MEDIA))


class GcsStream(ObjectStream):
    """See the port."""

    def __init__(self, downloads: GcsDownloads, info: ObjectInfo, offset: int, length: int) -> None:
        self.info = info
        self.length = length
        self._downloads = downloads
        self._response: HttpResponse | None = None
        self._offset = offset
        self._left = length
        self._resumes = 0
        self._whole = length == info.size_bytes
        self._expected = {each.algorithm: each.value for each in info.checksums} if self._whole else {}
        self._crc32c = crc32c_hasher()
        self._sha256 = hashlib.sha256()

    async def begin(self) -> None:
        """Raises as the port."""
        if self._left:
            await self._connect()

    async def next_chunk(self) -> bytes:
        while self._left:
            try:
                if self._response is None:
                    await self._connect()
                assert self._response is not None
                chunk = (await self._response.next_chunk())[: self._left]
            except TransportFailed as error:
                self._broke(error.message)
                continue
            if not chunk:
                self._broke("it ended early")
                continue
            self._offset += len(chunk)
            self._left -= len(chunk)
            self._pass(chunk)
            return chunk
        self._close()
        return b""

    async def aclose(self) -> None:
        self._left = 0
        self._close()

    def _close(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def _broke(self, reason: str) -> None:
        self._close()
        self._resumes += 1
        if self._resumes > _RESUMES_MAX:
            raise ToolFailed(f"the download broke off {self._left} bytes before its end ({reason})")

    async def _connect(self) -> None:
        """The rest, of the same generation."""
        while True:
            try:
                response = await self._downloads.media(self.info, self._offset, self._left)
            except FAILURES as error:
                found = told(error, self.info.key)
                if isinstance(found, ObjectNotFound | RangeNotSatisfiable):
                    raise ToolFailed(_CHANGED) from None
                self._resumes += 1
                wait_s = again_s(error, self._resumes, repeat=True)
                if wait_s is None or self._resumes > _RESUMES_MAX:
                    raise found from None
                await asyncio.sleep(wait_s)
                continue
            self._response = response
            wanted = 200 if self._left == self.info.size_bytes else 206
            if response.status != wanted:
                self._close()
                raise ToolFailed("Google answered with another part than was asked for")
            return

    def _pass(self, chunk: bytes) -> None:
        if "crc32c" in self._expected:
            self._crc32c.update(chunk)
        if "sha256" in self._expected:
            self._sha256.update(chunk)
        if self._left:
            return
        found = {"crc32c": self._crc32c.hexdigest().decode(), "sha256": self._sha256.hexdigest()}
        for algorithm, value in self._expected.items():
            if found[algorithm] != value:
                self._close()
                raise ChecksumMismatch(f"what came is not what was written: its {algorithm} is another")
