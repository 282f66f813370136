"""Objects into Azure: at once where they fit into one part, else as blocks that are committed together.

Blocks that were not committed are seen by nobody. Azure has no call that drops them: it does so with the
next write under that key, or after a week. Blocks carry the number of their upload, so that two uploads
never mix; whichever is committed first drops those of the other, which then fails.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock, ContentSettings

from adapters.storage.azure_session import AzureSession
from adapters.storage.azure_words import quoted, sent_metadata, unquoted, written
from adapters.storage.transfer import MeasuredBody, check_part, missing
from adapters.storage.upload_records import (
    RECORD_BYTES_MAX,
    Endings,
    UploadRecord,
    folder_of,
    new_upload_id,
    number_of,
    record_from,
)
from application.ports.object_store import Checksum, ObjectInfo, UploadedPart, Writing
from domain.errors import ChecksumMismatch, InvalidParameters, ObjectNotFound, ToolRefused

Answer = Mapping[str, Any]
PARTS_MAX: Final = 50_000
_MEBIBYTE: Final = 1024 * 1024


class AzureUploads:
    """The writing half of one container. What it holds in memory: `parallel_parts` + 2 parts per upload."""

    def __init__(self, session: AzureSession, prefix: str, *, part_bytes: int, parallel_parts: int) -> None:
        self._session = session
        self._prefix = prefix
        self._part_bytes = part_bytes
        self._parallel = parallel_parts
        self._endings = Endings()

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        """Raises as the port."""
        measured = MeasuredBody(writing)
        async with aclosing(measured.parts(body, self._part_size(writing.size_bytes))) as parts:
            first = await anext(parts, b"")
            second = await anext(parts, None)
            if second is None:
                answer = await self._put_whole(key, first, measured.sha256, writing)
            else:
                upload = secrets.token_hex(12)
                sent = await self._send(key, upload, [first, second], parts)
                answer = await self._commit(key, upload, sent, writing, measured.sha256)
        return written(key, answer, writing, measured.size_bytes, measured.sha256)

    def _part_size(self, size_bytes: int | None) -> int:
        least = -(-(size_bytes or 0) // PARTS_MAX)
        return max(self._part_bytes, -(-least // _MEBIBYTE) * _MEBIBYTE)

    async def _put_whole(self, key: str, content: bytes, sha256: str, writing: Writing) -> Answer:
        md5 = await asyncio.to_thread(_md5_of, content)

        async def call() -> Answer:
            conditions = _conditions(writing)
            # Only without conditions may it take the place of what is there.
            answer: Answer = await self._session.blob(key).upload_blob(
                content,
                length=len(content),
                overwrite=not writing.only_if_absent,
                content_settings=ContentSettings(content_type=writing.content_type, content_md5=md5),
                metadata=sent_metadata(writing.metadata, sha256),
                transactional_content_md5=md5,
                **({} if writing.only_if_absent else conditions),
            )
            return answer

        return await self._session.ask(key, call, repeat=not _conditions(writing))

    async def _send(
        self, key: str, upload: str, begun: Sequence[bytes], rest: AsyncIterator[bytes]
    ) -> list[int]:
        sending: set[asyncio.Task[None]] = set()
        number = 0
        try:
            async for part in _after(begun, rest):
                number += 1
                if number > PARTS_MAX:
                    raise ToolRefused(
                        "the upload has too many parts: say its size before, or make part_bytes larger"
                    )
                while len(sending) >= self._parallel:
                    await _one_of(sending)
                sending.add(asyncio.create_task(self._stage(key, upload, number, part)))
                del part
            while sending:
                await _one_of(sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        return list(range(1, number + 1))

    async def _stage(self, key: str, upload: str, number: int, part: bytes) -> None:
        md5 = await asyncio.to_thread(_md5_of, part)

        async def call() -> Any:
            return await self._session.blob(key).stage_block(
                _block_id(upload, number), part, length=len(part), transactional_content_md5=md5
            )

        await self._session.ask(key, call)

    async def _commit(
        self, key: str, upload: str, numbers: Sequence[int], writing: Writing, sha256: str
    ) -> Answer:
        blocks = [BlobBlock(block_id=_block_id(upload, number)) for number in numbers]

        async def call() -> Answer:
            answer: Answer = await self._session.blob(key).commit_block_list(
                blocks,
                content_settings=ContentSettings(content_type=writing.content_type),
                metadata=sent_metadata(writing.metadata, sha256),
                **_conditions(writing),
            )
            return answer

        # Not sent again once it may have been done: the blocks are gone then.
        return await self._session.ask(key, call, repeat=False)

    async def begin(self, key: str, writing: Writing) -> str:
        """An upload id. A caller who leaves meanwhile leaves no record behind."""
        upload_id = new_upload_id(key)
        name = self._record_name(key, upload_id)
        record = UploadRecord.of(key, writing)
        try:
            await self._put_whole(name, record.encoded(), "", Writing(content_type="application/json"))
        except BaseException:
            await self._endings.surely(self._forget(name))
            raise
        return upload_id

    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None
    ) -> UploadedPart:
        if not 1 <= number <= PARTS_MAX or not body:
            raise InvalidParameters(
                f"parameters.part_number: parts are 1 to {PARTS_MAX}, and none is empty",
                param="parameters.part_number",
            )
        await self._record(key, upload_id)
        await check_part(body, checksum)
        await self._stage(key, number_of(key, upload_id), number, body)
        return UploadedPart(number, len(body), _md5_of(body).hex())

    async def parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        await self._record(key, upload_id)
        upload = number_of(key, upload_id)

        async def call() -> Any:
            return await self._session.blob(key).get_block_list("uncommitted")

        try:
            _, waiting = await self._session.ask(key, call)
        except ObjectNotFound:
            return []
        found = [
            UploadedPart(int(each.id[len(upload) :]), int(each.size), "")
            for each in waiting
            if str(each.id).startswith(upload) and str(each.id)[len(upload) :].isdigit()
        ]
        return sorted(found)

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        record = await self._record(key, upload_id)
        parts = await self.parts(key, upload_id)
        arrived = sum(part.size_bytes for part in parts)
        if writing.size_bytes is not None and arrived != writing.size_bytes:
            raise ChecksumMismatch(f"{arrived} bytes arrived, {writing.size_bytes} were announced")
        if not parts:
            raise InvalidParameters("no part arrived yet", param="parameters.upload_id")
        made = Writing(
            content_type=record.content_type,
            metadata=record.metadata,
            only_if_absent=writing.only_if_absent,
            if_match=writing.if_match,
        )
        numbers = [part.number for part in parts]
        answer = await self._commit(key, number_of(key, upload_id), numbers, made, record.sha256)
        await self._endings.surely(self._forget(self._record_name(key, upload_id)))
        return written(key, answer, made, arrived, record.sha256)

    async def abort(self, key: str, upload_id: str) -> None:
        try:
            name = self._record_name(key, upload_id)
        except ObjectNotFound:
            return
        await self._forget(name)

    async def aclose(self) -> None:
        """Waits for what is being cleaned up."""
        await self._endings.aclose()

    def _record_name(self, key: str, upload_id: str) -> str:
        return folder_of(self._prefix, number_of(key, upload_id)) + "begun"

    async def _record(self, key: str, upload_id: str) -> UploadRecord:
        name = self._record_name(key, upload_id)

        async def call() -> bytes:
            found = await self._session.blob(name).download_blob(0, RECORD_BYTES_MAX, max_concurrency=1)
            content: bytes = await found.readall()
            return content

        try:
            return record_from(await self._session.ask(key, call), key)
        except ObjectNotFound:
            raise missing(key, "upload") from None

    async def _forget(self, name: str) -> None:
        async def call() -> None:
            await self._session.blob(name).delete_blob()

        try:
            await self._session.ask(name, call)
        except ObjectNotFound:
            return


def _conditions(writing: Writing) -> dict[str, Any]:
    if writing.only_if_absent:
        return {"match_condition": MatchConditions.IfMissing}
    return matching(writing.if_match)


def matching(if_match: str | None) -> dict[str, Any]:
    if if_match is None:
        return {}
    return {"etag": quoted(unquoted(if_match)), "match_condition": MatchConditions.IfNotModified}


def _block_id(upload: str, number: int) -> str:
    """All of one length, as Azure wants them."""
    return f"{upload}{number:06}"


def _md5_of(content: bytes) -> bytearray:
    """As Azure checks what arrives."""
    return bytearray(hashlib.md5(content, usedforsecurity=False).digest())


async def _after(begun: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in begun:
        yield part
    async for part in rest:
        yield part


async def _one_of(sending: set["asyncio.Task[None]"]) -> None:
    done, _ = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    sending -= done
    for task in done:
        task.result()
