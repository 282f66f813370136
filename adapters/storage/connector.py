"""The tools of storage over any object store: keys confined, sizes and types held to, content as JSON."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from adapters.storage import storage_tools as named
from adapters.storage.contents import content_bytes, content_shown, moment, object_shown
from application.ports.connector import ByteStream, Connector, ConnectorFigures, ToolOutcome
from application.ports.object_store import (
    OCTETS,
    PAGE_MAX,
    PART_BYTES_MIN,
    ByteRange,
    Checksum,
    ObjectInfo,
    ObjectStore,
    ObjectStream,
    Writing,
)
from domain.connectors.storage_policy import (
    StorageOperation,
    StoragePolicy,
    checked_metadata,
    is_content_type,
)
from domain.connectors.tool import Tool, ToolCall
from domain.errors import InvalidParameters, ToolRefused

PART_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one part of a resumable upload: it is held in memory, to be sent again where it has to be."""
PRESIGN_EXPIRES_S: Final = 300

Run = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class StorageConnector(Connector):
    """`read_bytes_max` bounds what one call gives as JSON. Owns the store."""

    def __init__(self, store: ObjectStore, policy: StoragePolicy, *, read_bytes_max: int) -> None:
        self._store = store
        self._policy = policy
        self._read_bytes_max = read_bytes_max
        self._tools = named.tools_of(policy, store.features)
        self._busy = 0
        self._runs: Mapping[str, Run] = {
            named.LIST: self._list,
            named.VERSIONS: self._versions,
            named.GET: self._get,
            named.METADATA: self._metadata,
            named.PUT: self._put,
            named.COPY: self._copy,
            named.DELETE: self._delete,
            named.PRESIGN: self._presign,
            named.BEGIN: self._begin,
            named.PARTS: self._parts,
            named.COMPLETE: self._complete,
            named.ABORT: self._abort,
        }

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    async def execute(self, call: ToolCall) -> ToolOutcome:
        run = self._runs.get(call.tool.name)
        if run is None:
            other = "stream it" if call.tool.streams else "send it a body"
            raise InvalidParameters(
                f"{call.tool.name} cannot be executed as it is: {other}", param="tool_name"
            )
        self._busy += 1
        try:
            return ToolOutcome(await run(call.parameters))
        finally:
            self._busy -= 1

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        del content_type
        if not call.tool.streams:
            raise InvalidParameters(f"{call.tool.name} has no stream: execute it", param="tool_name")
        said = call.parameters
        self._policy.require(StorageOperation.READ)
        stream = await self._opened(said)
        self._busy += 1
        return _Download(stream, _range(said), self._ended)

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        if not call.tool.takes_body:
            raise InvalidParameters(f"{call.tool.name} takes no body: execute it", param="tool_name")
        self._busy += 1
        try:
            if call.tool.name == named.PART:
                return ToolOutcome(await self._part(call.parameters, body))
            return ToolOutcome(await self._upload(call.parameters, body, size_bytes))
        finally:
            self._busy -= 1

    async def check(self) -> Mapping[str, Any]:
        return await self._store.check()

    async def discover(self) -> bool:
        await self._store.check()
        return False

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(open=self._busy, busy=self._busy)

    async def aclose(self) -> None:
        await self._store.aclose()

    def _ended(self) -> None:
        self._busy -= 1

    # Reading

    async def _list(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.LIST)
        page = await self._store.page(
            self._policy.place_prefix(said.get("prefix", "")),
            delimiter=said.get("delimiter", ""),
            cursor=said.get("cursor"),
            limit=said.get("limit", PAGE_MAX),
        )
        return {
            "objects": [
                {
                    "key": self._policy.shown(each.key),
                    "size_bytes": each.size_bytes,
                    "etag": each.etag,
                    "modified_at": moment(each.modified_at_us),
                }
                for each in page.objects
            ],
            "prefixes": [self._policy.shown(prefix) for prefix in page.prefixes],
            "cursor": page.cursor,
        }

    async def _versions(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.LIST)
        page = await self._store.versions(
            self._policy.place_prefix(said.get("prefix", "")),
            cursor=said.get("cursor"),
            limit=said.get("limit", PAGE_MAX),
        )
        return {
            "versions": [
                {
                    "key": self._policy.shown(each.key),
                    "version_id": each.version_id,
                    "latest": each.latest,
                    "deleted": each.deleted,
                    "size_bytes": each.size_bytes,
                    "etag": each.etag,
                    "modified_at": moment(each.modified_at_us),
                }
                for each in page.versions
            ],
            "cursor": page.cursor,
        }

    async def _opened(self, said: Mapping[str, Any]) -> ObjectStream:
        return await self._store.open(
            self._policy.place(said["key"]),
            version_id=said.get("version_id"),
            byte_range=_range(said),
            if_match=said.get("if_match"),
        )

    async def _get(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.READ)
        stream = await self._opened(said)
        try:
            if stream.length > self._read_bytes_max:
                raise ToolRefused(
                    f"it is {stream.length} bytes, more than {self._read_bytes_max} as JSON "
                    f"(read_bytes_max): ask for a range, or use {named.DOWNLOAD}",
                    details={"size_bytes": stream.length, "read_bytes_max": self._read_bytes_max},
                )
            content = bytearray()
            while chunk := await stream.next_chunk():
                content += chunk
        finally:
            await stream.aclose()
        shown = await content_shown(bytes(content), stream.info.content_type, said.get("as", "auto"))
        return {**self._shown(stream.info), **shown, "length": len(content)}

    async def _metadata(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.READ)
        key = self._policy.place(said["key"])
        return self._shown(await self._store.head(key, version_id=said.get("version_id")))

    async def _presign(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        policy, method = self._policy, said["method"]
        policy.require(
            StorageOperation.PRESIGN, StorageOperation.WRITE if method == "PUT" else StorageOperation.READ
        )
        key = policy.place(said["key"])
        expires_s = said.get("expires_s", min(PRESIGN_EXPIRES_S, policy.presign_expires_s_max))
        policy.check_expiry(expires_s)
        content_type, size_bytes = said.get("content_type"), said.get("size_bytes")
        if method == "PUT":
            if content_type is None or size_bytes is None:
                raise InvalidParameters(
                    "parameters: to write, content_type and size_bytes have to be said: they are signed",
                    param="parameters.size_bytes",
                )
            policy.check_content_type(content_type)
            policy.check_size(size_bytes)
        made = await self._store.presign(
            method,
            key,
            expires_s=expires_s,
            content_type=content_type,
            size_bytes=size_bytes,
            version_id=said.get("version_id"),
        )
        return {
            "url": made.url,
            "method": made.method,
            "headers": dict(made.headers),
            "expires_s": made.expires_s,
        }

    # Writing

    async def _put(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        content = content_bytes(said["content"], said.get("encoding", "text"))
        standard = "application/json" if said.get("encoding") == "json" else "text/plain; charset=utf-8"
        given = {"content_type": OCTETS if said.get("encoding") == "base64" else standard, **said}
        return await self._upload(given, _once(content), len(content))

    async def _upload(
        self, said: Mapping[str, Any], body: AsyncIterator[bytes], size_bytes: int | None
    ) -> Mapping[str, Any]:
        policy = self._policy
        policy.require(StorageOperation.WRITE)
        key = policy.place(said["key"])
        if size_bytes is not None:
            policy.check_size(size_bytes)
        info = await self._store.put(key, self._within(body), self._writing(said, size_bytes))
        return self._shown(info)

    async def _within(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        passed = 0
        async for chunk in body:
            passed += len(chunk)
            self._policy.check_size(passed)
            yield chunk

    def _writing(self, said: Mapping[str, Any], size_bytes: int | None) -> Writing:
        content_type = said.get("content_type", OCTETS)
        self._policy.check_content_type(content_type)
        if said.get("only_if_absent") and said.get("if_match") is not None:
            raise InvalidParameters(
                "parameters.if_match: it cannot both exist and be absent", param="parameters.if_match"
            )
        return Writing(
            content_type=content_type,
            metadata=checked_metadata(said.get("metadata", {})),
            size_bytes=size_bytes,
            checksum=_checksum(said),
            only_if_absent=bool(said.get("only_if_absent", False)),
            if_match=said.get("if_match"),
        )

    async def _copy(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        policy = self._policy
        policy.require(StorageOperation.READ, StorageOperation.WRITE)
        source, target = policy.place(said["from_key"], "from_key"), policy.place(said["to_key"], "to_key")
        if policy.content_types:
            # What is allowed to be here need not be what was always here.
            info = await self._store.head(source, version_id=said.get("version_id"))
            policy.check_content_type(info.content_type or OCTETS)
        info = await self._store.copy(
            source, target, version_id=said.get("version_id"), if_match=said.get("if_match")
        )
        return self._shown(info)

    async def _delete(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.DELETE)
        key = self._policy.place(said["key"])
        gone = await self._store.delete(key, version_id=said.get("version_id"), if_match=said.get("if_match"))
        return {"key": said["key"], "deleted": True, "version_id": gone.version_id, "marker": gone.marker}

    async def _begin(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.WRITE)
        key = self._policy.place(said["key"])
        upload_id = await self._store.begin(key, self._writing(said, None))
        return {"key": said["key"], "upload_id": upload_id, "part_bytes_min": PART_BYTES_MIN}

    async def _part(self, said: Mapping[str, Any], body: AsyncIterator[bytes]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.WRITE)
        key = self._policy.place(said["key"])
        number = said["part_number"]
        content = bytearray()
        async for chunk in body:
            content += chunk
            if len(content) > PART_BYTES_MAX:
                raise ToolRefused(f"a part may be {PART_BYTES_MAX} bytes long")
        # Those before it are at least that long; `complete_upload` looks at what really came.
        self._policy.check_size((number - 1) * PART_BYTES_MIN + len(content))
        part = await self._store.put_part(key, said["upload_id"], number, bytes(content), _checksum(said))
        return {"part_number": part.number, "size_bytes": part.size_bytes, "etag": part.etag}

    async def _parts(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.WRITE)
        parts = await self._store.parts(self._policy.place(said["key"]), said["upload_id"])
        return {
            "parts": [{"part_number": each.number, "size_bytes": each.size_bytes} for each in parts],
            "size_bytes": sum(each.size_bytes for each in parts),
        }

    async def _complete(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.WRITE)
        key, upload_id = self._policy.place(said["key"]), said["upload_id"]
        arrived = sum(part.size_bytes for part in await self._store.parts(key, upload_id))
        self._policy.check_size(arrived)
        conditions = Writing(
            size_bytes=said.get("size_bytes"),
            only_if_absent=bool(said.get("only_if_absent", False)),
            if_match=said.get("if_match"),
        )
        return self._shown(await self._store.complete(key, upload_id, conditions))

    async def _abort(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        self._policy.require(StorageOperation.WRITE)
        await self._store.abort(self._policy.place(said["key"]), said["upload_id"])
        return {"key": said["key"], "aborted": True}

    def _shown(self, info: ObjectInfo) -> dict[str, Any]:
        return object_shown(info, self._policy.shown(info.key))


class _Download(ByteStream):
    """The bytes of one object; its headers say which."""

    def __init__(self, stream: ObjectStream, byte_range: ByteRange | None, ended: Callable[[], None]) -> None:
        info = stream.info
        self._stream = stream
        self._ended: Callable[[], None] | None = ended
        self.content_type = info.content_type if is_content_type(info.content_type) else OCTETS
        self.headers: Sequence[tuple[str, str]] = [
            ("content-length", str(stream.length)),
            ("etag", f'"{info.etag}"'),
            *((("x-interchange-version", info.version_id),) if info.version_id else ()),
            *(
                (f"x-interchange-{each.algorithm}", each.value)
                for each in info.checksums
                if byte_range is None
            ),
        ]
        if byte_range is not None:
            last = byte_range.offset + stream.length - 1
            said = f"bytes {byte_range.offset}-{last}/{info.size_bytes}"
            self.headers = [*self.headers, ("content-range", said)]

    async def next_chunk(self) -> bytes:
        return await self._stream.next_chunk()

    async def aclose(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
        await self._stream.aclose()


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _range(said: Mapping[str, Any]) -> ByteRange | None:
    asked = said.get("range")
    return None if asked is None else ByteRange(asked["offset"], asked.get("length"))


def _checksum(said: Mapping[str, Any]) -> Checksum | None:
    sha256, crc32c = said.get("sha256"), said.get("crc32c")
    if sha256 is not None:
        return Checksum("sha256", sha256.lower())
    return None if crc32c is None else Checksum("crc32c", crc32c.lower())
