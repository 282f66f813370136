"""One bucket of Google Cloud Storage."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import quote

from adapters.storage.gcs_credential import ServiceKey, Signing, signed_query
from adapters.storage.gcs_download import GcsDownloads, GcsStream
from adapters.storage.gcs_exchange import READ_TIMEOUT_S, TRIES, Call, GcsExchange, GcsPlace
from adapters.storage.gcs_parts import GcsParts
from adapters.storage.gcs_upload import GcsUploads
from adapters.storage.gcs_words import FIELDS, described, generation_of, matching, told, version
from adapters.storage.transfer import checkable
from adapters.storage.upload_records import check_public, is_private
from application.ports.http import HttpTransport
from application.ports.object_store import (
    PAGE_MAX,
    ByteRange,
    Checksum,
    Deleted,
    ObjectInfo,
    ObjectPage,
    ObjectStore,
    PresignedUrl,
    StoreFeatures,
    UploadedPart,
    VersionPage,
    Writing,
)
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ObjectNotFound,
    PreconditionFailed,
    ToolFailed,
)

PART_BYTES: Final = 8 * 1024 * 1024
_PART_BYTES_MAX: Final = 64 * 1024 * 1024
_REWRITES_MAX: Final = 10_000
"""Each copies a gigabyte or more, where it does not copy all at once."""


class GcsStore(ObjectStore):
    """`probe_prefix` is where `check` looks and where parts of uploads are. `key` None: nobody in
    particular asks, and nothing is signed."""

    def __init__(
        self,
        place: GcsPlace,
        key: ServiceKey | None,
        transport: HttpTransport,
        now_s: Callable[[], float],
        *,
        part_bytes: int = PART_BYTES,
        tries: int = TRIES,
        read_timeout_s: float = READ_TIMEOUT_S,
        probe_prefix: str = "",
    ) -> None:
        self.features = StoreFeatures(
            versions=True, presigns=key is not None, checksums=checkable(), part_bytes_max=_PART_BYTES_MAX
        )
        self._place = place
        self._key = key
        self._now_s = now_s
        self._probe_prefix = probe_prefix
        self._exchange = GcsExchange(place, key, transport, now_s, tries=tries, read_timeout_s=read_timeout_s)
        self._uploads = GcsUploads(self._exchange, part_bytes=part_bytes, tries=tries)
        self._downloads = GcsDownloads(self._exchange)
        self._parts = GcsParts(self._exchange, self._uploads, self._downloads, probe_prefix)
        self._keeps_versions: bool | None = None

    async def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo:
        check_public(key)
        return await self._downloads.head(key, version_id)

    async def open(
        self,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,
    ) -> GcsStream:
        check_public(key)
        return await self._downloads.open(key, version_id, byte_range, if_match)

    async def page(
        self, prefix: str, *, delimiter: str = "", cursor: str | None = None, limit: int = PAGE_MAX
    ) -> ObjectPage:
        more = {"delimiter": delimiter} if delimiter else {}
        said = await self._listed(prefix, cursor, limit, more)
        try:
            found = [described(each) for each in said.get("items", ())]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise told(error, prefix) from None
        return ObjectPage(
            [each for each in found if not is_private(each.key)],
            [str(each) for each in said.get("prefixes", ()) if not is_private(str(each).rstrip("/"))],
            said.get("nextPageToken") or None,
        )

    async def versions(self, prefix: str, *, cursor: str | None = None, limit: int = PAGE_MAX) -> VersionPage:
        said = await self._listed(prefix, cursor, limit, {"versions": "true"})
        try:
            found = [version(each) for each in said.get("items", ())]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise told(error, prefix) from None
        found = [each for each in found if not is_private(each.key)]
        found.sort(key=lambda each: (each.key, -int(each.version_id)))
        return VersionPage(found, said.get("nextPageToken") or None)

    async def _listed(
        self, prefix: str, cursor: str | None, limit: int, more: Mapping[str, str]
    ) -> Mapping[str, Any]:
        query = {
            "prefix": prefix,
            "maxResults": str(limit),
            "fields": f"nextPageToken,prefixes,items({FIELDS})",
            **more,
        }
        if cursor is not None:
            query["pageToken"] = cursor
        return await self._exchange.json(Call("GET", self._exchange.objects_path, query), "the bucket")

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        check_public(key)
        return await self._uploads.put(key, body, writing)

    async def copy(
        self, from_key: str, to_key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> ObjectInfo:
        check_public(to_key)
        source = await self.head(from_key, version_id=version_id)
        if if_match is not None and if_match.strip('"') != source.etag:
            raise PreconditionFailed(f"{from_key[:200]!r} changed meanwhile", details={"status": 412})
        bucket = quote(self._place.bucket, safe="")
        path = f"{self._exchange.object_path(from_key)}/rewriteTo/b/{bucket}/o/{quote(to_key, safe='')}"
        query = {"sourceGeneration": source.etag, "fields": f"done,rewriteToken,resource({FIELDS})"}
        for _ in range(_REWRITES_MAX):
            said = await self._exchange.json(Call("POST", path, query), from_key)
            if said.get("done"):
                try:
                    return described(said["resource"])
                except (KeyError, ValueError, TypeError, AttributeError) as error:
                    raise told(error, to_key) from None
            query["rewriteToken"] = str(said.get("rewriteToken", ""))
        raise ToolFailed("Google did not finish the copy")

    async def delete(
        self, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        check_public(key)
        query = {**generation_of(version_id), **matching(if_match, key)}
        call = Call("DELETE", self._exchange.object_path(key), query, hoped=frozenset({200, 204}))
        try:
            await self._exchange.ask(call, key)
        except ObjectNotFound:
            return Deleted()
        # No mark is made: the last version is only no longer the one that counts.
        return Deleted(version_id, marker=version_id is None and await self._versioned())

    async def _versioned(self) -> bool:
        """Whether older versions stay, as far as we may know."""
        if self._keeps_versions is None:
            try:
                about = await self._about_bucket()
            except InterchangeError:
                about = {}
            self._keeps_versions = bool((about.get("versioning") or {}).get("enabled"))
        return self._keeps_versions

    async def _about_bucket(self) -> Mapping[str, Any]:
        path = self._exchange.objects_path.removesuffix("/o")
        return await self._exchange.json(Call("GET", path, {"fields": "location,versioning"}), "the bucket")

    async def begin(self, key: str, writing: Writing) -> str:
        check_public(key)
        return await self._parts.begin(key, writing)

    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None = None
    ) -> UploadedPart:
        return await self._parts.put_part(key, upload_id, number, body, checksum)

    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart]:
        return await self._parts.parts(key, upload_id)

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        return await self._parts.complete(key, upload_id, writing)

    async def abort(self, key: str, upload_id: str) -> None:
        await self._parts.abort(key, upload_id)

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
        check_public(key)
        if self._key is None:
            raise InvalidParameters("only a service account can sign addresses")
        headers: dict[str, str] = {}
        query: Mapping[str, str] = {}
        if method == "PUT":
            if content_type is not None:
                headers["content-type"] = content_type
            if size_bytes is not None:
                headers["x-goog-content-length-range"] = f"{size_bytes},{size_bytes}"
        else:
            query = generation_of(version_id)
        path = f"/{self._place.bucket}/{key}"
        signing = Signing(method, self._exchange.endpoint.authority, path, query, headers, expires_s)
        said = signed_query(self._key, signing, self._now_s())
        url = f"{self._place.service_url.rstrip('/')}{quote(path, safe='/~')}?{said}"
        return PresignedUrl(url, method, headers, expires_s)

    async def check(self) -> Mapping[str, str]:
        try:
            await self._listed(self._probe_prefix, None, 1, {})
        except (ToolFailed, InvalidParameters) as error:
            raise IntegrationUnavailable(
                f"bucket {self._place.bucket} cannot be listed: {error.message}", details=error.details
            ) from None
        return {"bucket": self._place.bucket}

    async def aclose(self) -> None:
        await self._uploads.aclose()
        await self._exchange.aclose()
