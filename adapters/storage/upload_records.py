"""Resumable uploads in stores that know none: a small object of ours says what was begun.

`<prefix>.interchange/uploads/<number>/begun` holds the key, the type and the metadata. Whatever has a part
`.interchange` in its key is ours: it is not shown in lists, and no caller reads or writes it.
"""

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Coroutine, Mapping
from typing import Any, Final, NamedTuple

from adapters.storage.transfer import missing
from application.ports.object_store import OCTETS, Writing
from domain.errors import InterchangeError, ToolRefused

log = logging.getLogger("interchange")

PRIVATE: Final = ".interchange"
RECORD_BYTES_MAX: Final = 64 * 1024
_END_S: Final = 15.0


class UploadRecord(NamedTuple):
    """What `begin` was told. `sha256` is "" where nobody said one."""

    key: str
    content_type: str
    metadata: Mapping[str, str]
    sha256: str = ""

    @classmethod
    def of(cls, key: str, writing: Writing) -> "UploadRecord":
        stated = writing.checksum
        sha256 = stated.value.lower() if stated is not None and stated.algorithm == "sha256" else ""
        return cls(key, writing.content_type, dict(writing.metadata), sha256)

    def encoded(self) -> bytes:
        return json.dumps(self._asdict(), ensure_ascii=False).encode()


def record_from(content: bytes, key: str) -> UploadRecord:
    """Raises ObjectNotFound for one that is of another key, or damaged."""
    try:
        said: Any = json.loads(content)
        record = UploadRecord(
            str(said["key"]),
            str(said.get("content_type") or OCTETS),
            {str(name): str(value) for name, value in said["metadata"].items()},
            str(said.get("sha256", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise missing(key, "upload") from None
    if record.key != key:
        raise missing(key, "upload")
    return record


def new_upload_id(key: str) -> str:
    return f"{_mark(key)}.{secrets.token_hex(12)}"


def number_of(key: str, upload_id: str) -> str:
    """The part of an id that names the upload. Raises ObjectNotFound for an upload of another key."""
    mark, _, number = upload_id.partition(".")
    if mark != _mark(key) or len(number) != 24 or not set(number) <= set("0123456789abcdef"):
        raise missing(key, "upload")
    return number


def folder_of(prefix: str, number: str) -> str:
    return f"{prefix}{PRIVATE}/uploads/{number}/"


def is_private(key: str) -> bool:
    return PRIVATE in key.split("/")


def check_public(key: str) -> None:
    """Raises ToolRefused."""
    if is_private(key):
        raise ToolRefused(f"keys with {PRIVATE} as a part are kept for the gateway itself")


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


class Endings:
    """What has to be cleaned up although its caller was cancelled. Belongs to one event loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    async def surely(self, work: Coroutine[Any, Any, object]) -> None:
        """Does it, within seconds. What fails here stays for the store's own rule about leftovers."""
        task = asyncio.create_task(_bounded(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def aclose(self) -> None:
        """Waits for what is on its way."""
        if self._running:
            await asyncio.wait(self._running, timeout=_END_S)


async def _bounded(work: Coroutine[Any, Any, object]) -> None:
    try:
        async with asyncio.timeout(_END_S):
            await work
    except (InterchangeError, TimeoutError) as error:
        log.warning("an upload could not be cleaned up: %s", type(error).__name__)
