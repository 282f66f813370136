"""What may be done with objects of an integration: under which keys, of which kind, how large, for how long.

Keys that callers name are relative to the integration's prefix. They never leave it: a prefix ends with `/`,
and no key holds a part that anybody on the way could read as a step upwards or as another separator.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.errors import InvalidConfiguration, InvalidParameters, ToolRefused

KEY_BYTES_MAX: Final = 1024
"""With the prefix, as UTF-8: what every store takes."""
METADATA_MAX: Final = 16
METADATA_BYTES_MAX: Final = 1280
"""Names and values together, as UTF-8: fits into 2 KB of headers, encoded."""
SIZE_BYTES_MAX: Final = 5 * 1024**4
SIZE_BYTES_DEFAULT: Final = 5 * 1024**3
PRESIGN_EXPIRES_S_MAX: Final = 7 * 86_400
"""Signature Version 4 allows no more."""
PRESIGN_EXPIRES_S_DEFAULT: Final = 900
CONTENT_TYPES_MAX: Final = 100

_CONTENT_TYPE: Final = re.compile(
    r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}(?:; ?[a-z0-9_-]{1,32}=[\w.:+/-]{1,64})*",
    re.IGNORECASE | re.ASCII,
)
_PATTERN: Final = re.compile(r"(?:\*|[a-z0-9!#$&^_.+-]{1,64})/(?:\*|[a-z0-9!#$&^_.+-]{1,64})", re.ASCII)
_METADATA_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_SEPARATORS: Final = frozenset("\\⁄∕⧸⧹⧵∖╱╲⟋⟍⫻⫽")  # noqa: RUF001 - look-alikes are the point
"""What is, or looks like, a separator, and no normalisation folds into one."""
_INVISIBLE: Final = frozenset(
    chr(point)
    for point in (
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *(0x061C, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0x2060, 0xFEFF),
    )
)
"""What changes how a name looks and nothing else. Joiners inside of emoji are not among it."""


class StorageOperation(StrEnum):
    """What an integration may be used for."""

    READ = "read"
    LIST = "list"
    WRITE = "write"
    DELETE = "delete"
    PRESIGN = "presign"
    """Addresses for others, on top of reading or writing itself."""


ALL: Final = frozenset(StorageOperation)
READING: Final = frozenset({StorageOperation.READ, StorageOperation.LIST})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePolicy:
    """`prefix` is "" or ends with `/`. `content_types` are of what is written, such as `text/plain` and
    `image/*`; empty: any."""

    prefix: str = ""
    operations: frozenset[StorageOperation] = ALL
    content_types: tuple[str, ...] = ()
    size_bytes_max: int = SIZE_BYTES_DEFAULT
    presign_expires_s_max: int = PRESIGN_EXPIRES_S_DEFAULT

    def __post_init__(self) -> None:
        if self.prefix:
            problem = key_problem(self.prefix.removesuffix("/"))
            if problem or not self.prefix.endswith("/"):
                raise InvalidConfiguration(
                    f"endpoint: the prefix {problem or 'must end with /'}", param="endpoint"
                )
        for pattern in self.content_types:
            if not _PATTERN.fullmatch(pattern):
                raise InvalidConfiguration(
                    f"content_types: {pattern[:80]!r} must be like text/plain or image/*",
                    param="content_types",
                )

    def require(self, *operations: StorageOperation) -> None:
        """Raises ToolRefused."""
        for operation in operations:
            if operation not in self.operations:
                raise ToolRefused(f"this integration does not allow to {operation.value} objects")

    def place(self, key: str, param: str = "key") -> str:
        """Where a caller's key is in the store. Raises ToolRefused, InvalidParameters."""
        path = f"parameters.{param}"
        problem = key_problem(key)
        if problem is not None:
            raise ToolRefused(f"{path}: the key {problem}", param=path)
        return self._within(self.prefix + key, path)

    def place_prefix(self, prefix: str, param: str = "prefix") -> str:
        """Where to list: the beginning of keys, which may be any part of one. Raises as `place`."""
        path = f"parameters.{param}"
        problem = None
        if prefix:
            problem = key_problem(prefix.removesuffix("/") or "/", part=not prefix.endswith("/"))
        if problem is not None:
            raise ToolRefused(f"{path}: the prefix {problem}", param=path)
        return self._within(self.prefix + prefix, path)

    def shown(self, key: str) -> str:
        """A key of the store as callers know it. Raises ToolRefused for one outside: a store that answers
        with what nobody asked for."""
        if not key.startswith(self.prefix):
            raise ToolRefused("the store answered with a key outside the prefix")
        return key[len(self.prefix) :]

    def check_content_type(self, content_type: str) -> None:
        """Of what is to be written. Raises ToolRefused, InvalidParameters."""
        if not _CONTENT_TYPE.fullmatch(content_type):
            raise InvalidParameters(
                "parameters.content_type: it must be like text/plain", param="parameters.content_type"
            )
        if not self.content_types:
            return
        essence = content_type.partition(";")[0].strip().lower()
        kind = essence.partition("/")[0]
        if not {essence, f"{kind}/*", "*/*"} & set(self.content_types):
            raise ToolRefused(
                f"objects of type {essence} are not allowed here; allowed: {', '.join(self.content_types)}",
                param="parameters.content_type",
            )

    def check_size(self, size_bytes: int) -> None:
        """Of what is to be written, so far. Raises ToolRefused."""
        if size_bytes > self.size_bytes_max:
            raise ToolRefused(
                f"the object is over the limit of {self.size_bytes_max} bytes (size_bytes_max)",
                details={"size_bytes_max": self.size_bytes_max},
            )

    def check_expiry(self, expires_s: int) -> None:
        """Of a presigned address. Raises ToolRefused."""
        if not 1 <= expires_s <= self.presign_expires_s_max:
            raise ToolRefused(
                f"parameters.expires_s: 1 to {self.presign_expires_s_max} seconds are allowed",
                param="parameters.expires_s",
            )

    @staticmethod
    def _within(full: str, path: str) -> str:
        if len(full.encode()) > KEY_BYTES_MAX:
            raise InvalidParameters(
                f"{path}: with the prefix it is over {KEY_BYTES_MAX} bytes of UTF-8", param=path
            )
        return full


def key_problem(key: str, *, part: bool = False) -> str | None:
    """What is wrong with a key. `part`: it may be a part of one, such as `docs/re`."""
    if not key:
        return "must not be empty"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "is no valid Unicode"
    if any(unicodedata.category(letter) == "Cc" or letter in _INVISIBLE for letter in key):
        return "must not hold control or invisible characters"
    if any(letter in _SEPARATORS for letter in key):
        return "must not hold a backslash or what looks like a separator"
    folded = unicodedata.normalize("NFKC", key)
    if folded.count("/") != key.count("/") or "\\" in folded:
        return "must not hold what looks like a separator"
    if key.startswith("/"):
        return "must not begin with /"
    for form in (key, folded):
        steps = form.split("/")
        if any(step.strip() in (".", "..") for step in (steps[:-1] if part else steps)):
            return "must not hold . or .. as a part"
        if part and steps[-1].strip() == "..":
            return "must not hold . or .. as a part"
    if "" in key.split("/"):
        return "must not hold an empty part"
    return None


def is_content_type(text: str) -> bool:
    """Whether it may stand in a header."""
    return _CONTENT_TYPE.fullmatch(text) is not None


def checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case, as stores keep them. Raises InvalidParameters."""
    path = "parameters.metadata"
    if len(metadata) > METADATA_MAX:
        raise InvalidParameters(f"{path}: at most {METADATA_MAX} entries are allowed", param=path)
    found: dict[str, str] = {}
    for name, value in metadata.items():
        lowered = name.lower()
        if not _METADATA_NAME.fullmatch(lowered):
            raise InvalidParameters(
                f"{path}: the name {name[:80]!r} must be 1-63 of a-z, 0-9, '-' and '_', after a letter",
                param=path,
            )
        if lowered in found:
            raise InvalidParameters(f"{path}: {lowered!r} is there twice; case does not count", param=path)
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
            raise InvalidParameters(f"{path}.{lowered}: it must not hold control characters", param=path)
        found[lowered] = value
    if sum(len(name.encode()) + len(value.encode()) for name, value in found.items()) > METADATA_BYTES_MAX:
        raise InvalidParameters(f"{path}: it is over {METADATA_BYTES_MAX} bytes of UTF-8 in all", param=path)
    return found
