"""Bytes on their way into a store: cut into parts, counted, and held against what was announced."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from application.ports.object_store import Checksum, Writing
from domain.errors import ChecksumMismatch, InvalidParameters, ObjectNotFound, PreconditionFailed

_INLINE_BYTES: Final = 256 * 1024
"""What is hashed at once without a thread: a fraction of a millisecond."""


def crc32c_hasher() -> Any:
    """None where no fast implementation is installed; a slow one would stop everybody else."""
    try:
        import google_crc32c
    except ImportError:
        return None
    hasher: Any = google_crc32c.Checksum
    return hasher()


def checkable() -> frozenset[str]:
    """Algorithms that can be checked here."""
    return frozenset({"sha256"} | ({"crc32c"} if crc32c_hasher() is not None else set()))


class MeasuredBody:
    """One body against one announcement. `sha256` and `size_bytes` are of what passed so far."""

    def __init__(self, writing: Writing) -> None:
        """Raises InvalidParameters for a checksum that cannot be computed here."""
        self.size_bytes = 0
        self._announced = writing.size_bytes
        self._expected = writing.checksum
        self._sha256 = hashlib.sha256()
        self._crc32c = None
        if writing.checksum is not None and writing.checksum.algorithm == "crc32c":
            self._crc32c = crc32c_hasher()
            if self._crc32c is None:
                raise InvalidParameters(
                    "crc32c needs the package google-crc32c: pip install 'interchange[gcp]'",
                    param="parameters.checksum",
                )

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    async def parts(self, body: AsyncIterator[bytes], part_bytes: int) -> AsyncGenerator[bytes, None]:
        """Parts of exactly that size, but for the last; none of an empty body. Whoever has seen the end, or
        a part that was not full, holds what was announced.

        Raises ChecksumMismatch, and what `body` raises.
        """
        buffer = bytearray()
        async for chunk in body:
            buffer += chunk
            while len(buffer) >= part_bytes:
                part = bytes(memoryview(buffer)[:part_bytes])
                del buffer[:part_bytes]
                await self._pass(part)
                yield part
        last = bytes(buffer)
        await self._pass(last)
        self._verify()
        if last:
            yield last

    async def _pass(self, part: bytes) -> None:
        self.size_bytes += len(part)
        if self._announced is not None and self.size_bytes > self._announced:
            raise ChecksumMismatch(f"more came than the {self._announced} bytes that were announced")
        if len(part) <= _INLINE_BYTES:
            self._hash(part)
        else:
            await asyncio.to_thread(self._hash, part)

    def _hash(self, part: bytes) -> None:
        self._sha256.update(part)
        if self._crc32c is not None:
            self._crc32c.update(part)

    def _verify(self) -> None:
        if self._announced is not None and self.size_bytes != self._announced:
            raise ChecksumMismatch(
                f"{self.size_bytes} bytes came, {self._announced} were announced: nothing was written"
            )
        if self._expected is None:
            return
        found = self.sha256 if self._crc32c is None else self._crc32c.hexdigest().decode()
        if found != self._expected.value.lower():
            raise ChecksumMismatch(
                f"the {self._expected.algorithm} of what came is {found}, not {self._expected.value}: "
                "nothing was written"
            )


async def check_part(body: bytes, checksum: Checksum | None) -> None:
    """Raises ChecksumMismatch, InvalidParameters."""
    measured = MeasuredBody(Writing(checksum=checksum))
    async for _ in measured.parts(_once(body), max(1, len(body))):
        pass


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


def missing(key: str, what: str = "object") -> ObjectNotFound:
    return ObjectNotFound(f"no such {what}: {key[:200]!r}", details={"status": 404})


def unmet(message: str) -> PreconditionFailed:
    return PreconditionFailed(message, details={"status": 412})
