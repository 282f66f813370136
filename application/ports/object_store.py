"""Objects in a bucket, a container or a folder: bytes under a key, with what is known about them.

Failure policy: every failure is one of these, and its message holds no secret:

- ObjectNotFound: no object (or version, or upload) of that name; said only where the store lets us know.
- PreconditionFailed: there is one already, or it is another than the caller knows.
- ChecksumMismatch: what arrived is not what was announced; nothing of it is visible.
- RangeNotSatisfiable, InvalidParameters: the store cannot take such a name, range, or option.
- ToolFailed: the store refused or broke (also: it lets this key not be read), or the object changed while it
  was read.
- IntegrationUnavailable: it cannot be reached, knows no such bucket, or refuses our credential.
- EgressRefused: our own rules allow no connection there.

Writing is all or nothing: an object is the old one until the new one is whole. Cancelling any await is a
normal path: an upload that is not resumable is aborted, and what it brought is removed.
Memory of a transfer is bounded by a few parts, whatever the object's size.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

OCTETS: Final = "application/octet-stream"
PART_BYTES_MIN: Final = 5 * 1024 * 1024
"""Of every part of a resumable upload but the last."""
PART_BYTES_UNIT: Final = 256 * 1024
"""What the size of every part but the last is a multiple of: some stores take only whole ones."""
PAGE_MAX: Final = 1000
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Checksum(NamedTuple):
    """`value` in lower-case hexadecimal; of a crc32c, its four bytes in network order."""

    algorithm: Literal["sha256", "crc32c"]
    value: str


class ObjectInfo(NamedTuple):
    """`etag` changes whenever the content does, and means nothing else. In pages of a list `content_type`,
    `metadata` and `checksums` may be missing."""

    key: str
    size_bytes: int
    etag: str
    modified_at_us: int
    content_type: str = ""
    metadata: Mapping[str, str] = _NONE
    version_id: str | None = None
    checksums: Sequence[Checksum] = ()
    """Of the whole content, as the store or we ourselves kept them when it was written."""


class ObjectPage(NamedTuple):
    """`prefixes`: what the delimiter folds together. `cursor`: for the next page; None: this is the last."""

    objects: Sequence[ObjectInfo]
    prefixes: Sequence[str] = ()
    cursor: str | None = None


class ObjectVersion(NamedTuple):
    """`deleted`: it says that there is no object from then on."""

    key: str
    version_id: str
    latest: bool
    deleted: bool
    size_bytes: int
    etag: str
    modified_at_us: int


class VersionPage(NamedTuple):
    versions: Sequence[ObjectVersion]
    cursor: str | None = None


class ByteRange(NamedTuple):
    """`length` None: to the end. A range that ends behind the content is cut; one that begins there is
    refused."""

    offset: int
    length: int | None = None


class Deleted(NamedTuple):
    """`marker`: older versions stay, and `version_id` is the mark that hides them."""

    version_id: str | None = None
    marker: bool = False


class UploadedPart(NamedTuple):
    """Numbers begin with 1."""

    number: int
    size_bytes: int
    etag: str


class PresignedUrl(NamedTuple):
    """Whoever has it can do this one thing until it expires. `headers` have to be sent as they are here."""

    url: str
    method: str
    headers: Mapping[str, str]
    expires_s: int

    def __repr__(self) -> str:
        return f"PresignedUrl({self.method} {self.url.partition('?')[0]}, {self.expires_s} s)"


class StoreFeatures(NamedTuple):
    versions: bool
    """Whether it can keep older versions; whether this bucket does, is its owner's choice."""
    presigns: bool
    checksums: frozenset[str]
    """Algorithms it can be given to check."""
    part_bytes_max: int
    """Of one part of a resumable upload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How an object is written. Names in `metadata` are lower-case words of `a-z`, digits, `_` and `-`;
    values are any text."""

    content_type: str = OCTETS
    metadata: Mapping[str, str] = field(default_factory=lambda: _NONE)
    size_bytes: int | None = None
    """None: nobody knows before the end. Another size than announced is refused as a ChecksumMismatch."""
    checksum: Checksum | None = None
    only_if_absent: bool = False
    if_match: str | None = None
    """Only in place of the object with this etag."""


class ObjectStream(Protocol):
    """A download. Every byte is of the version that `info` describes. Read it to the end or close it."""

    info: ObjectInfo
    length: int
    """Bytes that will come."""

    @abstractmethod
    async def next_chunk(self) -> bytes:
        """At least one byte; `b""` at the natural end. Raises ToolFailed when the object changed or broke
        off: what came before is then not the whole; ChecksumMismatch at the end when the store kept a
        checksum that the bytes do not have."""
        ...

    @abstractmethod
    async def aclose(self) -> None:
        """Stops the transfer. Idempotent; never raises."""
        ...


class ObjectReading(Protocol):
    """What changes nothing."""

    @abstractmethod
    async def head(self, key: str, *, version_id: str | None = None) -> ObjectInfo: ...

    @abstractmethod
    async def open(
        self,
        key: str,
        *,
        version_id: str | None = None,
        byte_range: ByteRange | None = None,
        if_match: str | None = None,
    ) -> ObjectStream:
        """The content; an interrupted transfer is taken up where it broke, if it is still the same."""
        ...

    @abstractmethod
    async def page(
        self, prefix: str, *, delimiter: str = "", cursor: str | None = None, limit: int = PAGE_MAX
    ) -> ObjectPage:
        """Keys that begin with `prefix`, in the order of their UTF-8 bytes; at most `limit` objects and
        prefixes together, and fewer although more follow, where the store likes."""
        ...

    @abstractmethod
    async def versions(self, prefix: str, *, cursor: str | None = None, limit: int = PAGE_MAX) -> VersionPage:
        """Of keys that begin with `prefix`: newest first within a key. InvalidParameters where the store
        has no versions."""
        ...


class ObjectWriting(Protocol):
    """What changes objects."""

    @abstractmethod
    async def put(self, key: str, body: AsyncIterator[bytes], writing: Writing) -> ObjectInfo:
        """Writes the body as it comes. What `body` raises passes through, and nothing is left behind."""
        ...

    @abstractmethod
    async def copy(
        self, from_key: str, to_key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> ObjectInfo:
        """Within the store, without the bytes passing here; type and metadata come along. `if_match` is
        about the source."""
        ...

    @abstractmethod
    async def delete(
        self, key: str, *, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        """No error when it is gone already."""
        ...


class ResumableUploads(Protocol):
    """An upload that survives its caller: begun, continued by anybody who knows its id, and completed.

    Parts go in the order of their numbers, each of one size that is a multiple of PART_BYTES_UNIT and at
    least PART_BYTES_MIN, but for the last. Sending a number again replaces the part, where it was the last.
    """

    @abstractmethod
    async def begin(self, key: str, writing: Writing) -> str:
        """An id that is good for this key only. Only type and metadata count here; see `complete`."""
        ...

    @abstractmethod
    async def put_part(
        self, key: str, upload_id: str, number: int, body: bytes, checksum: Checksum | None = None
    ) -> UploadedPart:
        """Raises ChecksumMismatch for a part that is not what its checksum says, and does not keep it."""
        ...

    @abstractmethod
    async def parts(self, key: str, upload_id: str) -> Sequence[UploadedPart]:
        """What has arrived, by number."""
        ...

    @abstractmethod
    async def complete(self, key: str, upload_id: str, writing: Writing) -> ObjectInfo:
        """Makes the object of all parts that arrived, and forgets the upload. Of `writing`, size and
        conditions count: ChecksumMismatch for another size, PreconditionFailed; the parts are kept then."""
        ...

    @abstractmethod
    async def abort(self, key: str, upload_id: str) -> None:
        """Forgets the upload and its parts; no error when it is gone already."""
        ...


class ObjectStore(ObjectReading, ObjectWriting, ResumableUploads, Protocol):
    """One bucket, container or folder. Belongs to one event loop; many calls run in it at once."""

    features: StoreFeatures

    @abstractmethod
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
        """An address that does this without our credential. For PUT, type and size are part of what is
        signed. InvalidParameters where the store has none."""
        ...

    @abstractmethod
    async def check(self) -> Mapping[str, str]:
        """Reaches the bucket with our credential, changing nothing; what is worth knowing of it."""
        ...

    @abstractmethod
    async def aclose(self) -> None:
        """Closes every connection. Idempotent; never raises."""
        ...
