"""Files that callers leave here: what is known about them, and their bytes. Two ports, one per store.

Failure policy: closed. `StoreUnavailable` when a store cannot be used; a file that was announced is whole
on the disk. The tenant is part of every key: another tenant's file is not there.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from domain.batch.stored_file import StoredFile

CHUNK_BYTES = 256 * 1024


class FileRecords(Protocol):
    """What is known about files."""

    @abstractmethod
    async def add(self, record: StoredFile, *, files_max: int, bytes_max: int) -> None:
        """Adds a file unless the tenant would then keep more than that.

        Adding the same id again changes nothing. Raises StorageQuotaExceeded or StoreUnavailable.
        """
        ...

    @abstractmethod
    async def get(self, tenant_id: str, file_id: str) -> StoredFile | None:
        """The file, expired or not. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def page(
        self, tenant_id: str, *, purpose: str | None, after: str | None, limit: int, ascending: bool
    ) -> list[StoredFile]:
        """Up to `limit` files by their ids, newest first unless `ascending`, those behind the id `after`.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, file_id: str) -> bool:
        """Whether there was such a file. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def expired(self, at_us: int, limit: int) -> list[StoredFile]:
        """Files of all tenants whose time was over at `at_us`. Raises StoreUnavailable."""
        ...


class Written(NamedTuple):
    """A file's bytes as they arrived."""

    size_bytes: int
    sha256: str


class FileContents(Protocol):
    """The bytes of files. Cancelling a write leaves nothing behind."""

    @abstractmethod
    async def write(
        self, tenant_id: str, file_id: str, chunks: AsyncIterator[bytes], *, size_bytes_max: int
    ) -> Written:
        """Keeps the chunks as one file, whole or not at all, in place of an earlier one of that id.

        Raises RequestTooLarge beyond `size_bytes_max`, StoreUnavailable, and what `chunks` raises.
        """
        ...

    @abstractmethod
    def read(self, tenant_id: str, file_id: str) -> AsyncIterator[bytes]:
        """The bytes in chunks of about CHUNK_BYTES. Raises NotFound, StoreUnavailable while iterating."""
        ...

    @abstractmethod
    async def remove(self, tenant_id: str, file_id: str) -> None:
        """Forgets the bytes; no error when they are gone already. Raises StoreUnavailable."""
        ...
