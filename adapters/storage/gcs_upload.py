"""Objects into Google Cloud Storage: at once where they fit into one part, else through a session.

A session takes pieces in their order and says how far it got, so a piece that was cut goes on where it was
cut. The object appears with the last piece, which carries the CRC32C of the whole; until then nobody sees it.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.storage.gcs_exchange import FAILURES, TRIES, Call, GcsExchange, Heard, again_s
from adapters.storage.gcs_words import (
    FIELDS,
    conditions,
    crc32c_text,
    described,
    generation_of,
    resource,
    told,
)
from adapters.storage.transfer import MeasuredBody, crc32c_hasher
from adapters.storage.upload_records import Endings
from application.ports.http import TransportFailed, TransportStage
from application.ports.object_store import ObjectInfo, Writing
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    InterchangeError,
    ObjectNotFound,
    ToolFailed,
)

_MADE: Final = frozenset({200, 201})
_MORE: Final = 308
"""The session wants more."""
_ENDED: Final = frozenset({200, 204, 404, 410, 499})
"""What a session answers when it is called off; Google's own is the last."""
_HASH_INLINE_BYTES: Final = 256 * 1024


class GcsUploads:
    """The writing half of one bucket. What it holds in memory: three parts per upload."""

    def __init__(self, exchange: GcsExchange, *, part_bytes: int, tries: int = TRIES) -> None:
        """`part_bytes`: a multiple of 256 KiB."""
        self._exchange = exchange
        self._part_bytes = part_bytes
        self._tries = tries
        self._path = f"/upload{exchange.objects_path}"
        self.endings = Endings()

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        """Raises as the port."""
        measured = MeasuredBody(writing)
        async with aclosing(measured.parts(body, self._part_bytes)) as parts:
            first = await anext(parts, b"")
            second = await anext(parts, None)
            if second is None:
                return await self.put_whole(key, first, writing, measured.sha256)
            return await self._put_in_parts(key, [first, second], parts, writing)

    async def put_whole(self, key: str, content: bytes, writing: Writing, sha256: str) -> ObjectInfo:
        """In one call."""
        checksum = crc32c_hasher()
        await _hash(checksum, content)
        about = resource(writing, sha256, name=key, crc32c=crc32c_text(checksum.digest()))
        boundary = secrets.token_hex(16)
        body = b"".join(
            [
                f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n".encode(),
                json.dumps(about, ensure_ascii=False).encode(),
                f"\r\n--{boundary}\r\ncontent-type: {writing.content_type}\r\n\r\n".encode(),
                content,
                f"\r\n--{boundary}--\r\n".encode(),
            ]
        )
        demanded = conditions(writing, key)
        call = Call(
            "POST",
            self._path,
            {"uploadType": "multipart", "fields": FIELDS, **demanded},
            body,
            (("content-type", f"multipart/related; boundary={boundary}"),),
            repeat=not demanded,
        )
        return self._made(await self._exchange.ask(call, key), key)

    async def _put_in_parts(
        self, key: str, begun: Sequence[bytes], rest: AsyncIterator[bytes], writing: Writing
    ) -> ObjectInfo:
        session = await self._begin(key, writing)
        try:
            checksum = crc32c_hasher()
            offset = 0
            part = begun[0]
            following: bytes | None = begun[1]
            while following is not None:
                # The last part is only known as such when nothing follows it: all was verified by then.
                await _hash(checksum, part)
                await self._send(session, key, part, offset, None)
                offset += len(part)
                part, following = following, await anext(rest, None)
            await _hash(checksum, part)
            made = await self._send(session, key, part, offset, checksum.digest())
            if made is None:
                raise ToolFailed("Google took everything and made no object")
        except BaseException:
            await self.endings.surely(self._call_off(session))
            raise
        info = self._made(made, key)
        expected = checksum.digest().hex()
        if any(each.algorithm == "crc32c" and each.value != expected for each in info.checksums):
            await self.endings.surely(self._remove(info))
            raise ChecksumMismatch("bytes were damaged on the way to Google; what was written is removed")
        return info

    async def _begin(self, key: str, writing: Writing) -> str:
        stated = writing.checksum
        sha256 = stated.value.lower() if stated is not None and stated.algorithm == "sha256" else ""
        headers = [
            ("content-type", "application/json; charset=UTF-8"),
            ("x-upload-content-type", writing.content_type),
        ]
        if writing.size_bytes is not None:
            headers.append(("x-upload-content-length", str(writing.size_bytes)))
        call = Call(
            "POST",
            self._path,
            {"uploadType": "resumable", "fields": FIELDS, **conditions(writing, key)},
            json.dumps(resource(writing, sha256, name=key), ensure_ascii=False).encode(),
            tuple(headers),
            hoped=_MADE,
        )
        asking = asyncio.create_task(self._exchange.ask(call, key))
        try:
            heard = await asyncio.shield(asking)
        except asyncio.CancelledError:
            await self.endings.surely(self._unbegin(asking))
            raise
        return self._session_path(heard)

    async def _unbegin(self, asking: "asyncio.Task[Heard]") -> None:
        await self._call_off(self._session_path(await asking))

    def _session_path(self, heard: Heard) -> str:
        """Of the session, which has to be where everything else is: whoever knows it may write."""
        parts = urlsplit(heard.headers.get("location", ""))
        endpoint = self._exchange.endpoint
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if (parts.scheme, parts.hostname, port) != (endpoint.scheme, endpoint.host, endpoint.port):
            raise IntegrationUnavailable("the store sends us to another host")
        return f"{parts.path}?{parts.query}"

    async def _send(
        self, session: str, key: str, part: bytes, offset: int, digest: bytes | None
    ) -> Heard | None:
        """One part, until the session has all of it. `digest`: of the whole, with the last part."""
        end = offset + len(part)
        total = "*" if digest is None else str(end)
        got, failures = offset, 0
        while True:
            headers = [("content-range", f"bytes {got}-{end - 1}/{total}")]
            if digest is not None:
                headers.append(("x-goog-hash", f"crc32c={crc32c_text(digest)}"))
            try:
                heard = await self._exchange.once(_piece(session, part[got - offset :], headers))
            except FAILURES as error:
                failures += 1
                wait_s = _again_s(error, failures)
                if wait_s is None or failures >= self._tries:
                    raise _session_told(error, key) from None
                await asyncio.sleep(wait_s)
                heard = await self._asked_how_far(session, key, total)
            if heard.status in _MADE:
                return heard
            before, got = got, _persisted(heard)
            if got == end and digest is None:
                return None
            failures += got <= before
            if not offset <= got < end or failures >= self._tries:
                raise ToolFailed("Google took another part of the upload than it was sent")

    async def _asked_how_far(self, session: str, key: str, total: str) -> Heard:
        asking = _piece(session, b"", [("content-range", f"bytes */{total}")])
        try:
            return await self._exchange.ask(asking, key)
        except ObjectNotFound:
            raise ToolFailed("Google lost the upload") from None

    async def _call_off(self, session: str) -> None:
        await self._exchange.ask(Call("DELETE", session, hoped=_ENDED), "upload")

    async def _remove(self, info: ObjectInfo) -> None:
        path = self._exchange.object_path(info.key)
        await self._exchange.ask(
            Call("DELETE", path, generation_of(info.version_id), hoped=frozenset({200, 204})), info.key
        )

    @staticmethod
    def _made(heard: Heard, key: str) -> ObjectInfo:
        try:
            return described(heard.json())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise told(error, key) from None

    async def aclose(self) -> None:
        """Waits for what is being cleaned up."""
        await self.endings.aclose()


def _piece(session: str, body: bytes, headers: Sequence[tuple[str, str]]) -> Call:
    return Call("PUT", session, {}, body, tuple(headers), hoped=_MADE | {_MORE})


def _persisted(heard: Heard) -> int:
    """How many bytes the session has."""
    said = heard.headers.get("range", "").rpartition("-")[2]
    return int(said) + 1 if said.isascii() and said.isdigit() else 0


def _again_s(error: Exception, tried: int) -> float | None:
    if isinstance(error, TransportFailed) and error.stage is TransportStage.CONNECT:
        return 0.2 * tried  # it was there a moment ago
    return again_s(error, tried, repeat=True)


def _session_told(error: Exception, key: str) -> InterchangeError:
    found = told(error, key)
    return ToolFailed("Google lost the upload") if isinstance(found, ObjectNotFound) else found


async def _hash(checksum: Any, content: bytes) -> None:
    if len(content) <= _HASH_INLINE_BYTES:
        checksum.update(content)
    else:
        await asyncio.to_thread(checksum.update, content)
