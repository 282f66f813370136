"""Objects into S3: at once where they fit into one part, else in parts, a few of them at a time."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from adapters.storage.s3_session import S3Session
from adapters.storage.s3_words import FAILURES, quoted, sent_metadata, told, unquoted, written
from adapters.storage.transfer import MeasuredBody
from application.ports.object_store import ObjectInfo, UploadedPart, Writing
from domain.errors import InterchangeError, ToolRefused

log = logging.getLogger("interchange")

Answer = Mapping[str, Any]
PARTS_MAX: Final = 10_000
_MEBIBYTE: Final = 1024 * 1024
_ABORT_S: Final = 15.0


class S3Uploads:
    """The writing half of one bucket. What it holds in memory: `parallel_parts` + 2 parts per upload."""

    def __init__(
        self,
        session: S3Session,
        bucket: str,
        *,
        part_bytes: int,
        parallel_parts: int,
        checksums: bool,
    ) -> None:
        """`checksums`: whether S3 is told a SHA-256 of what comes at once; not every server takes it."""
        self._session = session
        self._bucket = bucket
        self._part_bytes = part_bytes
        self._parallel = parallel_parts
        self._checksums = checksums
        self._ending: set[asyncio.Task[Any]] = set()

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        """Raises as the port."""
        measured = MeasuredBody(writing)
        async with aclosing(measured.parts(body, self._part_size(writing.size_bytes))) as parts:
            first = await anext(parts, b"")
            second = await anext(parts, None)
            if second is None:
                answer = await self._put_whole(key, first, measured.sha256, writing)
            else:
                answer = await self._put_in_parts(key, [first, second], parts, writing)
        return written(key, answer, writing, measured.size_bytes, measured.sha256)

    def _part_size(self, size_bytes: int | None) -> int:
        least = -(-(size_bytes or 0) // PARTS_MAX)
        return max(self._part_bytes, -(-least // _MEBIBYTE) * _MEBIBYTE)

    async def _put_whole(self, key: str, content: bytes, sha256: str, writing: Writing) -> Answer:
        more: dict[str, Any] = {}
        if self._checksums:
            more["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
        return await self._ask(
            key,
            "put_object",
            Key=key,
            Body=content,
            ContentType=writing.content_type,
            ContentMD5=md5_of(content),
            Metadata=sent_metadata(writing.metadata, sha256),
            **more,
            **conditions(writing),
        )

    async def _put_in_parts(
        self, key: str, begun: Sequence[bytes], rest: AsyncIterator[bytes], writing: Writing
    ) -> Answer:
        upload_id = await self.begin(key, writing)
        try:
            arrived = await self._send(key, upload_id, begun, rest)
            return await self.finish(key, upload_id, arrived, writing)
        except BaseException:
            await self.surely(self.abort(key, upload_id))
            raise

    async def _send(
        self, key: str, upload_id: str, begun: Sequence[bytes], rest: AsyncIterator[bytes]
    ) -> list[UploadedPart]:
        sending: set[asyncio.Task[UploadedPart]] = set()
        arrived: list[UploadedPart] = []
        number = 0
        try:
            async for part in _after(begun, rest):
                number += 1
                if number > PARTS_MAX:
                    raise ToolRefused(
                        "the upload has too many parts: say its size before, or make part_bytes larger"
                    )
                while len(sending) >= self._parallel:
                    arrived += await _next_of(sending)
                sending.add(asyncio.create_task(self.put_part(key, upload_id, number, part)))
                del part
            while sending:
                arrived += await _next_of(sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        return sorted(arrived)

    async def begin(self, key: str, writing: Writing) -> str:
        """An upload id. A caller who leaves meanwhile leaves no upload behind."""
        stated = writing.checksum
        sha256 = stated.value.lower() if stated is not None and stated.algorithm == "sha256" else None
        asking = asyncio.create_task(
            self._ask(
                key,
                "create_multipart_upload",
                Key=key,
                ContentType=writing.content_type,
                Metadata=sent_metadata(writing.metadata, sha256),
            )
        )
        try:
            answer = await asyncio.shield(asking)
        except asyncio.CancelledError:
            await self.surely(self._unbegin(key, asking))
            raise
        return str(answer["UploadId"])

    async def _unbegin(self, key: str, asking: "asyncio.Task[Answer]") -> None:
        answer = await asking
        await self.abort(key, str(answer["UploadId"]))

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes) -> UploadedPart:
        answer = await self._ask(
            key,
            "upload_part",
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ContentMD5=await asyncio.to_thread(md5_of, body),
        )
        return UploadedPart(number, len(body), unquoted(answer.get("ETag")))

    async def finish(
        self, key: str, upload_id: str, parts: Sequence[UploadedPart], writing: Writing
    ) -> Answer:
        """Makes the object of its parts."""
        listed = [{"PartNumber": part.number, "ETag": quoted(part.etag)} for part in parts]
        return await self._ask(
            key,
            "complete_multipart_upload",
            Key=key,
            UploadId=upload_id,
            MultipartUpload={"Parts": listed},
            **conditions(writing),
        )

    async def abort(self, key: str, upload_id: str) -> None:
        await self._ask(key, "abort_multipart_upload", Key=key, UploadId=upload_id)

    async def aclose(self) -> None:
        """Waits for aborts that are on their way."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=_ABORT_S)

    async def surely(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it even where its caller was cancelled. What fails here leaves parts for the bucket's own
        rule about unfinished uploads."""
        task = asyncio.create_task(_bounded(work))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        await asyncio.shield(task)

    async def _ask(self, key: str, method: str, **parameters: Any) -> Answer:
        try:
            client = await self._session.client()
            answer: Answer = await getattr(client, method)(Bucket=self._bucket, **parameters)
        except FAILURES as error:
            raise told(error, key) from None
        return answer


def conditions(writing: Writing) -> dict[str, str]:
    if writing.only_if_absent:
        return {"IfNoneMatch": "*"}
    return {"IfMatch": quoted(writing.if_match)} if writing.if_match is not None else {}


def md5_of(content: bytes) -> str:
    """As S3 checks what arrives; every server that speaks its language does."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


async def _after(begun: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in begun:
        yield part
    async for part in rest:
        yield part


async def _next_of(sending: set["asyncio.Task[UploadedPart]"]) -> list[UploadedPart]:
    done, _ = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    sending -= done
    return [task.result() for task in done]


async def _bounded(work: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(_ABORT_S):
            await work
    except (InterchangeError, TimeoutError) as error:
        log.warning("an upload could not be aborted: %s", type(error).__name__)
