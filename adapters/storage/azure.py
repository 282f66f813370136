"""One container of Azure Blob Storage."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from azure.core import MatchConditions
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobPrefix
from yarl import URL

from adapters.storage.azure_download import SEGMENT_BYTES, AzureDownloads, AzureStream
from adapters.storage.azure_session import READ_TIMEOUT_S, TRIES, AzureKeys, AzurePlace, AzureSession
from adapters.storage.azure_upload import AzureUploads, matching
from adapters.storage.azure_words import described, quoted, unquoted, written
from adapters.storage.transfer import checkable
from adapters.storage.upload_records import Endings, check_public, is_private
from application.ports.connector import AddressGuard
from application.ports.object_store import (
    PAGE_MAX,
    ByteRange,
    Checksum,
    Deleted,
    ObjectInfo,
    ObjectPage,
    ObjectStore,
    ObjectVersion,
    PresignedUrl,
    StoreFeatures,
    UploadedPart,
    VersionPage,
    Writing,
)
from domain.errors import (
    IntegrationUnavailable,
    InvalidParameters,
    ObjectNotFound,
    PreconditionFailed,
    ToolFailed,
)

PART_BYTES: Final = 8 * 1024 * 1024
PARALLEL_PARTS: Final = 4
_PART_BYTES_MAX: Final = 64 * 1024 * 1024
_COPY_POLL_S: Final = 0.2
_COPY_POLL_S_MAX: Final = 5.0
_BACKDATED_S: Final = 300
"""Clocks differ: an address that begins now would begin later elsewhere."""


class AzureStore(ObjectStore):
    """`probe_prefix` is where `check` looks and where records of uploads are. `versions`: whether the account
    keeps them. `presigned_writing`: whether addresses for writing are made although none can hold the type
    and the size."""

    def __init__(
        self,
        place: AzurePlace,
        keys: AzureKeys,
        guard: AddressGuard,
        now_s: Callable[[], float],
        *,
        part_bytes: int = PART_BYTES,
        parallel_parts: int = PARALLEL_PARTS,
        segment_bytes: int = SEGMENT_BYTES,
        read_timeout_s: float = READ_TIMEOUT_S,
        tries: int = TRIES,
        versions: bool = False,
        presigned_writing: bool = False,
        probe_prefix: str = "",
    ) -> None:
        self.features = StoreFeatures(
            versions=versions,
            presigns=keys.account_key is not None,
            checksums=checkable(),
            part_bytes_max=_PART_BYTES_MAX,
        )
        self._place = place
        self._keys = keys
        self._now_s = now_s
        self._presigned_writing = presigned_writing
        self._probe_prefix = probe_prefix
        self._endings = Endings()
        self._session = AzureSession(
            place, keys, guard, tries=tries, segment_bytes=segment_bytes, read_timeout_s=read_timeout_s
        )
        self._uploads = AzureUploads(
            self._session, probe_prefix, part_bytes=part_bytes, parallel_parts=parallel_parts
        )
        self._downloads = AzureDownloads(self._session, segment_bytes=segment_bytes)

    async def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo:
        self._check(key, version_id)
        return await self._downloads.head(key, version_id)

    async def open(
        self,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,
    ) -> AzureStream:
        self._check(key, version_id)
        return await self._downloads.open(key, version_id, byte_range, if_match)

    async def page(
        self, prefix: str, *, delimiter: str = "", cursor: str | None = None, limit: int = PAGE_MAX
    ) -> ObjectPage:
        found, following = await self._listed(prefix, delimiter, cursor, limit, None)
        shown = [each for each in found if not is_private(str(each.name).rstrip("/"))]
        return ObjectPage(
            [described(each.name, each) for each in shown if not isinstance(each, BlobPrefix)],
            [str(each.name) for each in shown if isinstance(each, BlobPrefix)],
            following,
        )

    async def versions(self, prefix: str, *, cursor: str | None = None, limit: int = PAGE_MAX) -> VersionPage:
        if not self.features.versions:
            raise _no_versions()
        found, following = await self._listed(prefix, "", cursor, limit, ["versions"])
        listed = [_version(each) for each in found if not is_private(each.name)]
        # Versions are named by when they came to be, and listed oldest first.
        listed.sort(key=lambda each: each.version_id, reverse=True)
        listed.sort(key=lambda each: each.key)
        return VersionPage(listed, following)

    async def _listed(
        self, prefix: str, delimiter: str, cursor: str | None, limit: int, include: list[str] | None
    ) -> tuple[list[Any], str | None]:
        async def call() -> tuple[list[Any], str | None]:
            container = self._session.container()
            more: dict[str, Any] = {
                "name_starts_with": prefix or None,
                "include": include,
                "results_per_page": limit,
            }
            asking: Any = (
                container.walk_blobs(delimiter=delimiter, **more)
                if delimiter
                else container.list_blobs(**more)
            )
            pages = asking.by_page(continuation_token=cursor)
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return [], None
            return [each async for each in page], pages.continuation_token or None

        return await self._session.ask(prefix or "the container", call)

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        check_public(key)
        return await self._uploads.put(key, body, writing)

    async def copy(
        self, from_key: str, to_key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> ObjectInfo:
        check_public(to_key)
        source = await self.head(from_key, version_id=version_id)
        if if_match is not None and unquoted(if_match) != source.etag:
            raise PreconditionFailed(f"{from_key[:200]!r} changed meanwhile", details={"status": 412})

        async def call() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = await self._session.blob(to_key).start_copy_from_url(
                self._source_url(from_key, version_id),
                source_etag=quoted(source.etag),
                source_match_condition=MatchConditions.IfNotModified,
            )
            return answer

        answer = await self._session.ask(from_key, call)
        if str(answer.get("copy_status")) == "pending":
            return described(to_key, await self._copied(to_key, str(answer.get("copy_id"))))
        like_source = Writing(content_type=source.content_type, metadata=source.metadata)
        sha256 = next((each.value for each in source.checksums), "")
        return written(to_key, answer, like_source, source.size_bytes, sha256)

    def _source_url(self, key: str, version_id: str | None) -> str:
        url = str(self._session.blob(key, version_id).url)
        # The credential of this request is good for the source too, unless it is a signature in the address.
        if self._keys.sas_token is None:
            return url
        return f"{url}{'&' if '?' in url else '?'}{self._keys.sas_token.reveal().lstrip('?')}"

    async def _properties(self, key: str) -> Any:
        async def call() -> Any:
            return await self._session.blob(key).get_blob_properties()

        return await self._session.ask(key, call)

    async def _copied(self, to_key: str, copy_id: str) -> Any:
        """Properties of the copy, once Azure has made it beside; cancelling stops it."""
        wait_s = _COPY_POLL_S
        try:
            while True:
                properties = await self._properties(to_key)
                if properties.copy.id != copy_id or properties.copy.status not in ("pending", "success"):
                    break
                if properties.copy.status == "success":
                    return properties
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _COPY_POLL_S_MAX)
        except asyncio.CancelledError:
            await self._endings.surely(self._stop_copying(to_key, copy_id))
            raise
        raise ToolFailed("Azure did not finish the copy")

    async def _stop_copying(self, to_key: str, copy_id: str) -> None:
        async def call() -> None:
            await self._session.blob(to_key).abort_copy(copy_id)

        await self._session.ask(to_key, call)

    async def delete(
        self, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        self._check(key, version_id)

        async def call() -> None:
            # Snapshots go too, else Azure refuses; a version has none.
            more: dict[str, Any] = {} if version_id is not None else {"delete_snapshots": "include"}
            await self._session.blob(key).delete_blob(version_id=version_id, **more, **matching(if_match))

        try:
            await self._session.ask(key, call)
        except ObjectNotFound:
            return Deleted()
        return Deleted(version_id, marker=self.features.versions and version_id is None)

    async def begin(self, key: str, writing: Writing) -> str:
        check_public(key)
        return await self._uploads.begin(key, writing)

    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None = None
    ) -> UploadedPart:
        return await self._uploads.put_part(key, upload_id, number, body, checksum)

    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart]:
        return await self._uploads.parts(key, upload_id)

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        return await self._uploads.complete(key, upload_id, writing)

    async def abort(self, key: str, upload_id: str) -> None:
        await self._uploads.abort(key, upload_id)

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
        self._check(key, version_id)
        if self._keys.account_key is None:
            raise InvalidParameters("only with the account's key can addresses be signed")
        headers: dict[str, str] = {}
        if method == "PUT":
            if not self._presigned_writing:
                raise InvalidParameters(
                    "a signature of Azure holds neither the type nor the size of what is written; the "
                    "integration has to allow that (presigned_writing)",
                    param="parameters.method",
                )
            headers = {"x-ms-blob-type": "BlockBlob"}
            headers |= {} if content_type is None else {"content-type": content_type}
            headers |= {} if size_bytes is None else {"content-length": str(size_bytes)}
        now = datetime.fromtimestamp(self._now_s(), UTC)
        account_url = URL(self._place.account_url)
        signed = generate_blob_sas(
            self._place.account,
            self._place.container,
            key,
            account_key=self._keys.account_key.reveal(),
            permission=BlobSasPermissions(create=True) if method == "PUT" else BlobSasPermissions(read=True),
            start=now - timedelta(seconds=_BACKDATED_S),
            expiry=now + timedelta(seconds=expires_s),
            protocol="https" if account_url.scheme == "https" else "https,http",
            version_id=version_id if method == "GET" else None,
        )
        url = str(self._session.blob(key, version_id if method == "GET" else None).url)
        return PresignedUrl(f"{url}{'&' if '?' in url else '?'}{signed}", method, headers, expires_s)

    async def check(self) -> Mapping[str, str]:
        try:
            await self._listed(self._probe_prefix, "", None, 1, None)
        except (ToolFailed, InvalidParameters) as error:
            raise IntegrationUnavailable(
                f"container {self._place.container} cannot be listed: {error.message}", details=error.details
            ) from None
        return {"container": self._place.container, "account": self._place.account}

    async def aclose(self) -> None:
        await self._endings.aclose()
        await self._uploads.aclose()
        await self._session.aclose()

    def _check(self, key: str, version_id: str | None) -> None:
        check_public(key)
        if version_id is not None and not self.features.versions:
            raise _no_versions()


def _version(each: Any) -> ObjectVersion:
    return ObjectVersion(
        key=str(each.name),
        version_id=str(each.version_id or ""),
        latest=bool(each.is_current_version),
        deleted=False,
        size_bytes=int(each.size or 0),
        etag=unquoted(each.etag),
        modified_at_us=described(str(each.name), each).modified_at_us,
    )


def _no_versions() -> InvalidParameters:
    return InvalidParameters(
        "the integration says that its account keeps no versions (versions)", param="parameters.version_id"
    )
