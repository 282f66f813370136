"""One bucket of S3, or of a server that speaks its language."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal

from adapters.storage.s3_download import S3Downloads, Wanted
from adapters.storage.s3_session import S3Keys, S3Place, S3Session
from adapters.storage.s3_upload import S3Uploads
from adapters.storage.s3_words import (
    FAILURES,
    microseconds,
    quoted,
    told,
    unquoted,
    written,
)
from adapters.storage.transfer import check_part, checkable, missing
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
    ChecksumMismatch,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ObjectNotFound,
    PreconditionFailed,
    ToolFailed,
)

PART_BYTES: Final = 8 * 1024 * 1024
PARALLEL_PARTS: Final = 4
COPY_BYTES_MAX: Final = 5 * 1024**3
"""What S3 copies in one call."""
COPY_PART_BYTES: Final = 1024**3
_PART_BYTES_MAX: Final = 64 * 1024 * 1024
_PAGES_MAX: Final = 20


class S3Store(ObjectStore):
    """`probe_prefix` is where `check` may look: a credential may be good for a prefix only."""

    def __init__(
        self,
        place: S3Place,
        keys: S3Keys | None,
        guard: AddressGuard,
        *,
        part_bytes: int = PART_BYTES,
        parallel_parts: int = PARALLEL_PARTS,
        checksums: bool = True,
        copy_bytes_max: int = COPY_BYTES_MAX,
        copy_part_bytes: int = COPY_PART_BYTES,
        probe_prefix: str = "",
    ) -> None:
        self.features = StoreFeatures(
            versions=True, presigns=True, checksums=checkable(), part_bytes_max=_PART_BYTES_MAX
        )
        self._place = place
        self._session = S3Session(place, keys, guard)
        self._uploads = S3Uploads(
            self._session,
            place.bucket,
            part_bytes=part_bytes,
            parallel_parts=parallel_parts,
            checksums=checksums,
        )
        self._downloads = S3Downloads(self._session, place.bucket, checksums=checksums)
        self._copy_bytes_max = copy_bytes_max
        self._copy_part_bytes = copy_part_bytes
        self._probe_prefix = probe_prefix

    async def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo:
        return await self._downloads.head(key, version_id)

    async def open(
        self,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,
    ) -> Any:
        return await self._downloads.open(Wanted(key, version_id, byte_range, if_match))

    async def page(
        self, prefix: str, *, delimiter: str = "", cursor: str | None = None, limit: int = PAGE_MAX
    ) -> ObjectPage:
        parameters: dict[str, Any] = {"Prefix": prefix, "MaxKeys": limit}
        if delimiter:
            parameters["Delimiter"] = delimiter
        if cursor is not None:
            parameters["ContinuationToken"] = cursor
        answer = await self._ask("list_objects_v2", prefix, **parameters)
        return ObjectPage(
            [
                ObjectInfo(
                    key=each["Key"],
                    size_bytes=int(each.get("Size", 0)),
                    etag=unquoted(each.get("ETag")),
                    modified_at_us=microseconds(each.get("LastModified")),
                )
                for each in answer.get("Contents", ())
            ],
            [each["Prefix"] for each in answer.get("CommonPrefixes", ())],
            answer.get("NextContinuationToken") if answer.get("IsTruncated") else None,
        )

    async def versions(self, prefix: str, *, cursor: str | None = None, limit: int = PAGE_MAX) -> VersionPage:
        parameters: dict[str, Any] = {"Prefix": prefix, "MaxKeys": limit}
        if cursor is not None:
            parameters |= _markers(cursor)
        answer = await self._ask("list_object_versions", prefix, **parameters)
        found = [_version(each, deleted=False) for each in answer.get("Versions", ())]
        found += [_version(each, deleted=True) for each in answer.get("DeleteMarkers", ())]
        # S3's own order, which two lists lost; equal times keep theirs.
        found.sort(key=lambda each: (each.key, not each.latest, -each.modified_at_us))
        following = None
        if answer.get("IsTruncated"):
            following = _cursor(answer.get("NextKeyMarker", ""), answer.get("NextVersionIdMarker", ""))
        return VersionPage(found, following)

    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        return await self._uploads.put(key, body, writing)

    async def copy(
        self, from_key: str, to_key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> ObjectInfo:
        source = await self.head(from_key, version_id=version_id)
        if if_match is not None and unquoted(if_match) != source.etag:
            raise PreconditionFailed(f"{from_key[:200]!r} changed meanwhile", details={"status": 412})
        named: dict[str, Any] = {
            "CopySource": {"Bucket": self._place.bucket, "Key": from_key}
            | ({} if version_id is None else {"VersionId": version_id}),
            "CopySourceIfMatch": quoted(source.etag),
        }
        if source.size_bytes <= self._copy_bytes_max:
            answer = await self._ask("copy_object", to_key, Key=to_key, **named)
            answer = {**answer, **answer.get("CopyObjectResult", {})}
        else:
            answer = await self._copy_in_parts(source, to_key, named)
        like_source = Writing(content_type=source.content_type, metadata=source.metadata)
        sha256 = next((each.value for each in source.checksums if each.algorithm == "sha256"), "")
        return written(to_key, answer, like_source, source.size_bytes, sha256)

    async def _copy_in_parts(
        self, source: ObjectInfo, to_key: str, named: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        uploads = self._uploads
        sha256 = next((each for each in source.checksums if each.algorithm == "sha256"), None)
        writing = Writing(content_type=source.content_type, metadata=source.metadata, checksum=sha256)
        upload_id = await uploads.begin(to_key, writing)
        try:
            parts = []
            for number, start in enumerate(range(0, source.size_bytes, self._copy_part_bytes), 1):
                end = min(start + self._copy_part_bytes, source.size_bytes)
                answer = await self._ask(
                    "upload_part_copy",
                    to_key,
                    Key=to_key,
                    UploadId=upload_id,
                    PartNumber=number,
                    CopySourceRange=f"bytes={start}-{end - 1}",
                    **named,
                )
                etag = unquoted(answer.get("CopyPartResult", {}).get("ETag"))
                parts.append(UploadedPart(number, end - start, etag))
            return await uploads.finish(to_key, upload_id, parts, Writing())
        except BaseException:
            await uploads.surely(uploads.abort(to_key, upload_id))
            raise

    async def delete(
        self, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        parameters: dict[str, Any] = {"Key": key}
        if version_id is not None:
            parameters["VersionId"] = version_id
        if if_match is not None:
            parameters["IfMatch"] = quoted(if_match)
        answer = await self._ask("delete_object", key, **parameters)
        found = answer.get("VersionId")
        return Deleted(
            None if found in (None, "null") else str(found), bool(answer.get("DeleteMarker", False))
        )

    async def begin(self, key: str, writing: Writing) -> str:
        return _bound(key, await self._uploads.begin(key, writing))

    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None = None
    ) -> UploadedPart:
        theirs = _unbound(key, upload_id)
        await check_part(body, checksum)
        return await self._uploads.put_part(key, theirs, number, body)

    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart]:
        theirs = _unbound(key, upload_id)
        found: list[UploadedPart] = []
        marker = 0
        for _ in range(_PAGES_MAX):
            answer = await self._ask(
                "list_parts", key, Key=key, UploadId=theirs, PartNumberMarker=marker, MaxParts=PAGE_MAX
            )
            found += [
                UploadedPart(int(each["PartNumber"]), int(each["Size"]), unquoted(each["ETag"]))
                for each in answer.get("Parts", ())
            ]
            if not answer.get("IsTruncated") or not found:
                break
            marker = found[-1].number
        return found

    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        parts = await self.parts(key, upload_id)
        arrived = sum(part.size_bytes for part in parts)
        if writing.size_bytes is not None and arrived != writing.size_bytes:
            raise ChecksumMismatch(f"{arrived} bytes arrived, {writing.size_bytes} were announced")
        if not parts:
            raise InvalidParameters("no part arrived yet", param="parameters.upload_id")
        answer = await self._uploads.finish(key, _unbound(key, upload_id), parts, writing)
        made = written(key, answer, writing, arrived, "")
        try:
            return await self.head(key, version_id=made.version_id)
        except InterchangeError:
            return made  # it is written, whether or not we may look at it

    async def abort(self, key: str, upload_id: str) -> None:
        try:
            await self._uploads.abort(key, _unbound(key, upload_id))
        except ObjectNotFound:
            return

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
        parameters: dict[str, Any] = {"Bucket": self._place.bucket, "Key": key}
        headers: dict[str, str] = {}
        if method == "PUT":
            if content_type is not None:
                parameters["ContentType"] = headers["content-type"] = content_type
            if size_bytes is not None:
                parameters["ContentLength"] = size_bytes
                headers["content-length"] = str(size_bytes)
        elif version_id is not None:
            parameters["VersionId"] = version_id
        try:
            client = await self._session.client()
            url = await client.generate_presigned_url(
                "put_object" if method == "PUT" else "get_object", Params=parameters, ExpiresIn=expires_s
            )
        except FAILURES as error:
            raise told(error, key) from None
        return PresignedUrl(url, method, headers, expires_s)

    async def check(self) -> Mapping[str, str]:
        try:
            answer = await self._ask("list_objects_v2", "", MaxKeys=1, Prefix=self._probe_prefix)
        except ToolFailed as error:
            raise IntegrationUnavailable(
                f"bucket {self._place.bucket} cannot be listed: {error.message}", details=error.details
            ) from None
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = headers.get("x-amz-bucket-region") or self._place.region
        return {"bucket": self._place.bucket, "bucket_region": str(region)[:40]}

    async def aclose(self) -> None:
        await self._uploads.aclose()
        await self._session.aclose()

    async def _ask(self, method: str, what: str, **parameters: Any) -> Mapping[str, Any]:
        try:
            client = await self._session.client()
            answer: Mapping[str, Any] = await getattr(client, method)(Bucket=self._place.bucket, **parameters)
        except FAILURES as error:
            raise told(error, what) from None
        return answer


def _version(each: Mapping[str, Any], *, deleted: bool) -> ObjectVersion:
    return ObjectVersion(
        key=each["Key"],
        version_id=str(each.get("VersionId", "null")),
        latest=bool(each.get("IsLatest", False)),
        deleted=deleted,
        size_bytes=int(each.get("Size", 0)),
        etag=unquoted(each.get("ETag")),
        modified_at_us=microseconds(each.get("LastModified")),
    )


def _bound(key: str, upload_id: str) -> str:
    """An upload id that says whose it is: not every server looks at the key."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.{upload_id}"


def _unbound(key: str, upload_id: str) -> str:
    """What S3 calls it. Raises ObjectNotFound for an upload of another key."""
    theirs = upload_id[25:]
    if not theirs or upload_id != _bound(key, theirs):
        raise missing(key, "upload")
    return theirs


def _cursor(key: str, version_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, version_id]).encode()).decode()


def _markers(cursor: str) -> dict[str, str]:
    try:
        key, version_id = json.loads(base64.urlsafe_b64decode(cursor))
        return {"KeyMarker": str(key)} | ({"VersionIdMarker": str(version_id)} if version_id else {})
    except (ValueError, TypeError):
        raise InvalidParameters("the cursor is none of ours", param="parameters.cursor") from None
