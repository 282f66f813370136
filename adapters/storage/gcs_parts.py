"""Resumable uploads that anybody may take up: parts are objects of ours, composed into one at the end.

Google's own sessions would do less: their address is a credential in itself, their conditions are fixed when
they begin, and a last part can be no draft. Composing happens within the bucket, at most 32 objects at
a time.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from adapters.storage.gcs_download import GcsDownloads
from adapters.storage.gcs_exchange import Call, GcsExchange
from adapters.storage.gcs_upload import GcsUploads
from adapters.storage.gcs_words import FIELDS, conditions, described, generation_of, resource, told
from adapters.storage.transfer import check_part, missing
from adapters.storage.upload_records import (
    RECORD_BYTES_MAX,
    UploadRecord,
    folder_of,
    new_upload_id,
    number_of,
    record_from,
)
from application.ports.object_store import (
    PAGE_MAX,
    PART_BYTES_MIN,
    Checksum,
    ObjectInfo,
    UploadedPart,
    Writing,
)
from domain.errors import ChecksumMismatch, InvalidParameters, ObjectNotFound

PARTS_MAX: Final = 10_000
COMPOSED_MAX: Final = 32
_AT_ONCE: Final = 8
_PAGES_MAX: Final = 20
_GONE: Final = frozenset({200, 204, 404})


class GcsParts:
    """Uploads in parts of one bucket."""

    def __init__(
        self, exchange: GcsExchange, uploads: GcsUploads, downloads: GcsDownloads, prefix: str
    ) -> None:
        self._exchange = exchange
        self._uploads = uploads
        self._downloads = downloads
        self._prefix = prefix

    async def begin(self, key: str, writing: Writing) -> str:
        """An upload id. A caller who leaves meanwhile leaves no record behind."""
        upload_id = new_upload_id(key)
        folder = self._folder(key, upload_id)
        content = UploadRecord.of(key, writing).encoded()
        try:
            await self._uploads.put_whole(folder + "begun", content, _JSON, "")
        except BaseException:
            await self._uploads.endings.surely(self._forget(folder))
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
        name = f"{self._folder(key, upload_id)}{number:05}"
        info = await self._uploads.put_whole(name, body, Writing(), "")
        return UploadedPart(number, len(body), info.etag)

    async def parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        await self._record(key, upload_id)
        folder = self._folder(key, upload_id)
        return [
            UploadedPart(int(each.key[len(folder) :]), each.size_bytes, each.etag)
            for each in await self._within(folder)
            if each.key[len(folder) :].isdigit()
        ]

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        record = await self._record(key, upload_id)
        parts = await self.parts(key, upload_id)
        arrived = sum(part.size_bytes for part in parts)
        if writing.size_bytes is not None and arrived != writing.size_bytes:
            raise ChecksumMismatch(f"{arrived} bytes arrived, {writing.size_bytes} were announced")
        if not parts:
            raise InvalidParameters("no part arrived yet", param="parameters.upload_id")
        if any(part.size_bytes < PART_BYTES_MIN for part in parts[:-1]):
            raise InvalidParameters(
                f"every part but the last has to have at least {PART_BYTES_MIN} bytes",
                param="parameters.upload_id",
            )
        folder = self._folder(key, upload_id)
        sources = [(f"{folder}{part.number:05}", part.etag) for part in parts]
        level = 0
        while len(sources) > COMPOSED_MAX:
            sources = await self._folded(folder, level, sources)
            level += 1
        made = Writing(
            content_type=record.content_type,
            metadata=record.metadata,
            only_if_absent=writing.only_if_absent,
            if_match=writing.if_match,
        )
        info = await self._compose(key, sources, made, record.sha256)
        await self._uploads.endings.surely(self._forget(folder))
        return info

    async def _folded(
        self, folder: str, level: int, sources: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Fewer objects with the same content, in the same order."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def fold(number: int, begin: int) -> tuple[str, str]:
            name = f"{folder}level-{level}-{number:05}"
            async with room:
                info = await self._compose(name, sources[begin : begin + COMPOSED_MAX], Writing(), "")
            return name, info.etag

        begins = range(0, len(sources), COMPOSED_MAX)
        return list(await asyncio.gather(*(fold(number, begin) for number, begin in enumerate(begins))))

    async def _compose(
        self, key: str, sources: Sequence[tuple[str, str]], writing: Writing, sha256: str
    ) -> ObjectInfo:
        demanded = conditions(writing, key)
        asked = {
            "destination": resource(writing, sha256),
            "sourceObjects": [{"name": name, "generation": generation} for name, generation in sources],
        }
        call = Call(
            "POST",
            f"{self._exchange.object_path(key)}/compose",
            {"fields": FIELDS, **demanded},
            json.dumps(asked, ensure_ascii=False).encode(),
            (("content-type", "application/json; charset=UTF-8"),),
            repeat=not demanded,
        )
        return _described(await self._exchange.json(call, key), key)

    async def abort(self, key: str, upload_id: str) -> None:
        try:
            folder = self._folder(key, upload_id)
        except ObjectNotFound:
            return
        await self._forget(folder)

    def _folder(self, key: str, upload_id: str) -> str:
        return folder_of(self._prefix, number_of(key, upload_id))

    async def _record(self, key: str, upload_id: str) -> UploadRecord:
        name = self._folder(key, upload_id) + "begun"
        path = self._exchange.object_path(name)
        try:
            heard = await self._exchange.ask(Call("GET", path, {"alt": "media"}), name)
        except ObjectNotFound:
            raise missing(key, "upload") from None
        return record_from(heard.body[:RECORD_BYTES_MAX], key)

    async def _within(self, folder: str) -> list[ObjectInfo]:
        found: list[ObjectInfo] = []
        query = {"prefix": folder, "maxResults": str(PAGE_MAX), "fields": f"nextPageToken,items({FIELDS})"}
        for _ in range(_PAGES_MAX):
            said = await self._exchange.json(Call("GET", self._exchange.objects_path, query), folder)
            found += [_described(each, folder) for each in said.get("items", ())]
            if not said.get("nextPageToken"):
                break
            query["pageToken"] = str(said["nextPageToken"])
        return found

    async def _forget(self, folder: str) -> None:
        """The record first: without it, nobody takes up what is left."""
        found = await self._within(folder)
        found.sort(key=lambda each: not each.key.endswith("/begun"))
        for each in found[:1]:
            await self._gone(each)
        room = asyncio.Semaphore(_AT_ONCE)

        async def remove(each: ObjectInfo) -> None:
            async with room:
                await self._gone(each)

        await asyncio.gather(*(remove(each) for each in found[1:]))

    async def _gone(self, each: ObjectInfo) -> None:
        """By its generation: else a bucket with versions keeps it for ever."""
        path = self._exchange.object_path(each.key)
        await self._exchange.ask(Call("DELETE", path, generation_of(each.version_id), hoped=_GONE), each.key)


_JSON: Final = Writing(content_type="application/json")


def _described(said: Any, key: str) -> ObjectInfo:
    try:
        return described(said)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise told(error, key) from None
