"""Where logins are kept.

Failure policy: closed. A login that cannot be looked up lets nobody in (StoreUnavailable). A cancelled call
has happened or not, never half.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.tenancy.session import Session


class SessionStore(Protocol):
    """Sessions by the digest of their secret."""

    @abstractmethod
    async def keep(self, session: Session, *, sessions_max: int, per_subject_max: int) -> None:
        """Adds one. Where there are too many, of its subject or at all, those seen least recently go.

        Raises StoreUnavailable.
        """
        ...

    @abstractmethod
    async def find(self, digest: str) -> Session | None:
        """Also one that is over. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def seen(self, digest: str, at: datetime) -> None:
        """Was used then; nothing for one that is gone. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def end(self, digest: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def forget(self, *, ended_by: datetime, seen_before: datetime) -> int:
        """Drops those that ended, or were not seen since; how many. Raises StoreUnavailable."""
        ...
