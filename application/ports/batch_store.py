"""What is known about batches, and the journal of each one that runs.

Failure policy: closed. `StoreUnavailable` when a store cannot be used: a batch then pauses, and nothing is
sent that could not be written down first. The tenant is part of every key that comes from a caller.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from domain.batch.batch import Batch
from domain.batch.progress import Record


class BatchStore(Protocol):
    """Batches of all tenants. Writers hold a fence: one that is too low writes nothing any more."""

    @abstractmethod
    async def add(self, batch: Batch, *, batches_max: int, unfinished_max: int) -> None:
        """Adds a new batch unless the tenant would then keep more than `batches_max`, or have more than
        `unfinished_max` that are not over. Raises StorageQuotaExceeded or StoreUnavailable."""
        ...

    @abstractmethod
    async def get(self, tenant_id: str, batch_id: str) -> Batch | None:
        """Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def page(self, tenant_id: str, *, after: str | None, limit: int) -> list[Batch]:
        """Up to `limit` batches, newest first, those behind the id `after`. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def save(self, batch: Batch) -> bool:
        """Replaces the batch if its fence is still the newest; False: somebody else has taken it over.

        What `ask_to_cancel` wrote is left alone. Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def ask_to_cancel(self, tenant_id: str, batch_id: str, at_us: int) -> Batch | None:
        """Notes that an unfinished batch shall end; the batch as it then is, None: no such batch.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def take_over(self, batch_id: str) -> Batch | None:
        """An unfinished batch under a new, higher fence; None: it is over or gone.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def unfinished(self, limit: int) -> list[str]:
        """Ids of batches of all tenants that are not over, oldest first. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def counts(self) -> Mapping[str, int]:
        """How many batches of all tenants are in each status. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def uses_file(self, tenant_id: str, file_id: str) -> bool:
        """Whether an unfinished batch reads this file. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def remove_created_before(self, at_us: int, limit: int) -> list[str]:
        """Forgets batches that are over and were created before; their ids. Raises StoreUnavailable."""
        ...


class JournalPage(NamedTuple):
    """Some records of a journal, and where the next page begins."""

    records: list[Record]
    next_offset: int
    last: bool


class BatchJournal(Protocol):
    """The journal of one batch, held by this process until `close`.

    `append` is synchronous: once it returned, the record survives the death of the process; `sync` puts
    everything on the disk.
    """

    @abstractmethod
    def append(self, record: Record) -> None:
        """Writes one record in one piece. Raises StoreUnavailable; then nothing of it was kept."""
        ...

    @abstractmethod
    async def page(self, offset: int) -> JournalPage:
        """A bounded number of records from `offset`, which is 0 or came with an earlier page.

        A record that was torn by a crash ends the journal. Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def sync(self) -> None:
        """Puts what was appended on the disk. Raises StoreUnavailable."""
        ...

    @abstractmethod
    def close(self) -> None:
        """Gives the journal up for another process. Idempotent."""
        ...


class BatchJournals(Protocol):
    """All journals of the machine. One process holds one; the kernel frees it however that process dies."""

    @abstractmethod
    async def open(self, batch_id: str) -> BatchJournal | None:
        """The batch's journal, new when there is none; None: another process holds it.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def remove(self, batch_id: str) -> None:
        """Forgets a journal that nobody needs any more. Raises StoreUnavailable."""
        ...
