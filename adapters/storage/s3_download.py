"""Objects out of S3: a body that is taken up again where its connection broke, if it is still the same."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.storage.s3_session import S3Session
from adapters.storage.s3_words import FAILURES, described, is_bare_refusal, quoted, told
from application.ports.object_store import ByteRange, ObjectInfo, ObjectStream
from domain.errors import (
    ChecksumMismatch,
    InterchangeError,
    ObjectNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    ToolFailed,
)

CHUNK_BYTES: Final = 256 * 1024
_RESUMES_MAX: Final = 4


class Wanted(NamedTuple):
    """One object, or a part of it, in one version."""

    key: str
    version_id: str | None = None
    byte_range: ByteRange | None = None
    if_match: str | None = None


class S3Downloads:
    """The reading half of one bucket."""

    def __init__(self, session: S3Session, bucket: str, *, checksums: bool) -> None:
        self._session = session
        self._bucket = bucket
        self._mode: Mapping[str, str] = {"ChecksumMode": "ENABLED"} if checksums else {}

    async def head(self, key: str, version_id: str | None) -> ObjectInfo:
        parameters = self._named(Wanted(key, version_id))
        try:
            client = await self._session.client()
            answer = await client.head_object(**parameters)
        except FAILURES as error:
            if is_bare_refusal(error):
                # Only an answer with a body says whether it is the credential or this object.
                (await self.answer(Wanted(key, version_id, ByteRange(0, 1))))["Body"].close()
            raise told(error, key) from None
        return described(key, answer)

    async def open(self, wanted: Wanted) -> "S3Stream":
        answer = await self.answer(wanted)
        size_bytes = _whole_size(answer)
        info = described(wanted.key, answer, size_bytes)
        offset = 0 if wanted.byte_range is None else wanted.byte_range.offset
        return S3Stream(self, wanted, info, answer, offset)

    async def answer(self, wanted: Wanted) -> Mapping[str, Any]:
        """Raises as the port."""
        parameters = self._named(wanted)
        if wanted.byte_range is not None:
            offset, length = wanted.byte_range
            parameters["Range"] = f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))
        if wanted.if_match is not None:
            parameters["IfMatch"] = quoted(wanted.if_match)
        try:
            client = await self._session.client()
            answer: Mapping[str, Any] = await client.get_object(**parameters)
        except FAILURES as error:
            raise told(error, wanted.key) from None
        return answer

    def _named(self, wanted: Wanted) -> dict[str, Any]:
        more = {} if wanted.version_id is None else {"VersionId": wanted.version_id}
        return {"Bucket": self._bucket, "Key": wanted.key, **more, **self._mode}


class S3Stream(ObjectStream):
    """See the port."""

    def __init__(
        self, downloads: S3Downloads, wanted: Wanted, info: ObjectInfo, answer: Mapping[str, Any], offset: int
    ) -> None:
        self.info = info
        self.length = int(answer["ContentLength"])
        self._downloads = downloads
        self._wanted = wanted
        self._body: Any = answer["Body"]
        self._offset = offset
        self._left = self.length
        self._resumes = 0
        expected = next((each.value for each in info.checksums if each.algorithm == "sha256"), None)
        self._expected = expected if self.length == info.size_bytes else None
        self._sha256 = hashlib.sha256()

    async def next_chunk(self) -> bytes:
        while self._left:
            try:
                if self._body is None:
                    await self._resume()
                chunk: bytes = await self._body.read(min(CHUNK_BYTES, self._left))
            except InterchangeError:
                raise
            except FAILURES as error:
                await self._broke(error)
                continue
            if not chunk:
                await self._broke(None)
                continue
            self._offset += len(chunk)
            self._left -= len(chunk)
            if self._expected is not None:
                self._sha256.update(chunk)
            if not self._left:
                self._verify()
            return chunk
        await self.aclose()
        return b""

    async def aclose(self) -> None:
        self._close()

    def _close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    async def _broke(self, error: Exception | None) -> None:
        self._close()
        self._resumes += 1
        if self._resumes > _RESUMES_MAX:
            reason = "it ended early" if error is None else type(error).__name__
            raise ToolFailed(f"the download broke off {self._left} bytes before its end ({reason})")

    async def _resume(self) -> None:
        """The rest, of the same object: S3 refuses it where the object is another by now."""
        rest = Wanted(
            self._wanted.key,
            self._wanted.version_id,
            ByteRange(self._offset, self._left),
            self.info.etag,
        )
        try:
            answer = await self._downloads.answer(rest)
        except (ObjectNotFound, PreconditionFailed, RangeNotSatisfiable):
            raise ToolFailed(
                "the object changed while it was read; what came before is not the whole"
            ) from None
        self._body = answer["Body"]
        if _whole_size(answer) != self.info.size_bytes or int(answer["ContentLength"]) != self._left:
            self._close()
            raise ToolFailed("the object changed while it was read; what came before is not the whole")

    def _verify(self) -> None:
        if self._expected is not None and self._sha256.hexdigest() != self._expected:
            self._close()
            raise ChecksumMismatch("what came is not what was written: its sha256 is another")


def _whole_size(answer: Mapping[str, Any]) -> int:
    """Of the object, also where the answer is a part of it."""
    total = str(answer.get("ContentRange") or "").rpartition("/")[2]
    return int(total) if total.isdigit() else int(answer["ContentLength"])
