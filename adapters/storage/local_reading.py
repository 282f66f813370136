"""What blocks on the disk, in a few threads; and a file that is read there."""

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from adapters.storage.local_folder import etag_of
from application.ports.object_store import ObjectInfo, ObjectStream
from domain.errors import (
    ChecksumMismatch,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
)

Result = TypeVar("Result")
CHUNK_BYTES: Final = 1024 * 1024
_THREADS: Final = 4


class Threads:
    """A few threads for what blocks on the disk. Work that has begun is waited for, also by who leaves."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="objects")
        self._closed = False

    async def call(
        self, work: Callable[[], Result], *, undo: Callable[[Result], None] | None = None
    ) -> Result:
        """Raises what `work` raises, the disk's own errors as the port's. `undo` gets what nobody is there
        any more to take."""
        if self._closed:
            raise IntegrationUnavailable("the folder is closed")
        job = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            # What it opened or wrote has to be known before it can be undone.
            await asyncio.wait([job])
            if not job.cancelled() and job.exception() is None and undo is not None:
                undo(job.result())
            raise
        except OSError as error:
            raise told(error) from None

    def close(self) -> None:
        self._closed = True
        self._executor.shutdown(wait=False)


class LocalStream(ObjectStream):
    """See the port. Owns `file`."""

    def __init__(
        self,
        threads: Threads,
        file: int,
        found: os.stat_result,
        info: ObjectInfo,
        offset: int,
        length: int,
    ) -> None:
        self.info = info
        self.length = length
        self._threads = threads
        self._file: int | None = file
        self._etag = etag_of(found)
        self._offset = offset
        self._left = length
        expected = info.checksums[0].value if info.checksums else None
        self._expected = expected if length == info.size_bytes else None
        self._sha256 = hashlib.sha256()

    async def next_chunk(self) -> bytes:
        if not self._left or self._file is None:
            self.close()
            return b""
        chunk = await self._threads.call(partial(self._read, self._file))
        self._offset += len(chunk)
        self._left -= len(chunk)
        return chunk

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _read(self, file: int) -> bytes:
        chunk = os.pread(file, min(CHUNK_BYTES, self._left), self._offset)
        if not chunk or etag_of(os.fstat(file)) != self._etag:
            raise ToolFailed("the object changed while it was read; what came before is not the whole")
        if self._expected is not None:
            self._sha256.update(chunk)
            if len(chunk) == self._left and self._sha256.hexdigest() != self._expected:
                raise ChecksumMismatch("what is there is not what was written: its sha256 is another")
        return chunk


def told(error: OSError) -> InterchangeError:
    """The disk's own words, without any path."""
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY):
        return ToolRefused("there is a folder of that name, which no file can take the place of")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidParameters("the key is too long for this disk", param="parameters.key")
    if isinstance(error, FileNotFoundError):
        return IntegrationUnavailable("the folder is not there")
    status = 507 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 500
    return ToolFailed(f"the disk refused: {error.strerror or 'unknown'}", details={"status": status})
