"""Keeping what happened: one row per answered request, one per attempt.

Failure policy: buffered, then refuse. `record` survives SIGKILL of the process once it returned; the
database gets the rows in groups, later. While the journal cannot be written (disk full), rows stay in a
bounded memory buffer and `healthy` turns false; a full buffer makes `accepting` false, and the pipeline
then refuses new requests rather than losing rows.
"""

from abc import abstractmethod
from typing import Protocol

from domain.analytics.event import RequestEvent


class UsageLog(Protocol):
    @abstractmethod
    def record(self, event: RequestEvent) -> None:
        """Takes one request with its attempts. Never waits, never raises for I/O."""
        ...

    @property
    @abstractmethod
    def accepting(self) -> bool:
        """False when a further row could be lost."""
        ...

    @property
    @abstractmethod
    def healthy(self) -> bool:
        """False while rows wait because the journal or the database cannot be written."""
        ...

    @abstractmethod
    async def flush(self) -> None:
        """Returns when everything recorded so far is in the database. Raises StoreUnavailable."""
        ...
