"""The bytes of callers' files, below the data directory.

files/<tenant>/<file id>          whole files
files/.part/<file id>-<random>    being written; left over by a crash, removed at the next start
"""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeVar

from application.ports.file_store import CHUNK_BYTES, FileContents, Written
from domain.errors import NotFound, RequestTooLarge, StoreUnavailable

Result = TypeVar("Result")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_PARTS: Final = ".part"
_WRITE_BYTES: Final = 1024 * 1024
"""Collected before the disk is asked, so that a slow sender costs few hand-overs to the thread."""


class Blocking(Protocol):
    """A thread for what blocks on the disk."""

    async def call(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises. Raises StoreUnavailable when too much is waiting."""
        ...


class _Part:
    """A file on its way. Used from the blocking thread only."""

    def __init__(self, path: Path, place: Path) -> None:
        self._path = path
        self._place = place
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def open(self) -> None:
        for directory in (self._path.parent.parent, self._path.parent):
            # `parents` would make the upper one with the usual mode, for everybody to look into.
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def append(self, block: bytes) -> None:
        assert self._file is not None
        self._digest.update(block)
        self._size_bytes += len(block)
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]

    def finish(self) -> Written:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._file.close()
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.replace(self._place)
        return Written(self._size_bytes, self._digest.hexdigest())

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)


class DiskFileContents(FileContents):
    """Files of mode 0600. Written beside their place, synced, then renamed into it."""

    def __init__(self, directory: Path, thread: Blocking) -> None:
        self._directory = directory
        self._thread = thread

    async def sweep(self) -> None:
        """Removes what a crash left half written. Call it before anybody else writes here."""

        def work() -> None:
            for left in (self._directory / _PARTS).glob("*"):
                left.unlink(missing_ok=True)

        await self._call(work)

    async def write(
        self, tenant_id: str, file_id: str, chunks: AsyncIterator[bytes], *, size_bytes_max: int
    ) -> Written:
        part = _Part(
            self._directory / _PARTS / f"{file_id}-{secrets.token_hex(4)}", self._place(tenant_id, file_id)
        )
        try:
            await self._call(part.open)
            waiting: list[bytes] = []
            waiting_bytes = size_bytes = 0
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > size_bytes_max:
                    raise RequestTooLarge(
                        f"the file is over the limit of {size_bytes_max} bytes", param="file"
                    )
                waiting.append(chunk)
                waiting_bytes += len(chunk)
                if waiting_bytes >= _WRITE_BYTES:
                    await self._call(partial(part.append, b"".join(waiting)))
                    waiting, waiting_bytes = [], 0
            await self._call(partial(part.append, b"".join(waiting)))
            return await self._call(part.finish)
        except BaseException:
            # In the same thread, so behind a write that may still be running.
            await asyncio.shield(asyncio.ensure_future(self._call(part.discard)))
            raise

    async def read(self, tenant_id: str, file_id: str) -> AsyncIterator[bytes]:
        place = self._place(tenant_id, file_id)
        try:
            file = await self._call(lambda: place.open("rb"))
        except FileNotFoundError:
            raise NotFound(f"the bytes of file {file_id} are gone") from None
        try:
            while block := await self._call(lambda: file.read(CHUNK_BYTES)):
                yield block
        finally:
            file.close()

    async def remove(self, tenant_id: str, file_id: str) -> None:
        place = self._place(tenant_id, file_id)
        await self._call(lambda: place.unlink(missing_ok=True))

    def _place(self, tenant_id: str, file_id: str) -> Path:
        # Both were made or checked by us; a second look costs nothing where a path is put together.
        if not _NAME.fullmatch(tenant_id) or not _NAME.fullmatch(file_id):
            raise NotFound("no such file")
        return self._directory / tenant_id / file_id

    async def _call(self, work: Callable[[], Result]) -> Result:
        try:
            return await self._thread.call(work)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailable(
                f"files cannot be kept: {error.strerror or error}", retry_after_s=5.0
            ) from error
