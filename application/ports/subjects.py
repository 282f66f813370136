"""Everything stored that names one user of a tenant.

Failure policy: closed. All methods raise StoreUnavailable; erasing again what is erased changes nothing.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple, Protocol

from domain.privacy.erasure import Erasure, Subject

FILES: Final = "file"
BATCHES: Final = "batch"
REQUESTS: Final = "request"


class SubjectPage(NamedTuple):
    """Some records, as JSON values by name, each with its `id`. `after` goes on; None: that was all."""

    records: list[Mapping[str, Any]]
    after: str | None


class Erased(NamedTuple):
    """How many rows were changed or removed; `after` goes on, None: that was all."""

    rows: int
    after: str | None


class SubjectRows(Protocol):
    """The database, section by section."""

    sections: tuple[str, ...]
    """What there is, in the order in which it has to be erased."""

    @abstractmethod
    async def page(self, section: str, subject: Subject, after: str) -> SubjectPage:
        """The next records of a section; `after` is empty at first."""
        ...

    @abstractmethod
    async def erase(
        self, section: str, subject: Subject, after: str, *, only: Collection[str] | None = None
    ) -> Erased:
        """Removes the next records of a section, or puts the pseudonym where the user stood; `only`: of these
        ids. Content never stays."""
        ...

    @abstractmethod
    async def compact(self) -> None:
        """Overwrites what was freed, as far as that is ours to do; may take as long as copying the
        database."""
        ...


class ErasureLog(Protocol):
    """Erasures, running and done."""

    @abstractmethod
    async def begin(self, erasure: Erasure) -> Erasure:
        """Notes it, unless the same user's is running: then that one."""
        ...

    @abstractmethod
    async def get(self, tenant_id: str, erasure_id: str) -> Erasure | None: ...

    @abstractmethod
    async def newest(self, tenant_id: str, limit: int) -> list[Erasure]: ...

    @abstractmethod
    async def unfinished(self) -> list[str]:
        """Ids of those of all tenants that are not done, at most 1,000."""
        ...

    @abstractmethod
    async def claim(self, now_us: int, until_us: int) -> Erasure | None:
        """The oldest that is not done and that nobody has claimed beyond now, claimed until then; None: there
        is none. Of many who ask, one gets it."""
        ...

    @abstractmethod
    async def save(self, erasure: Erasure, *, until_us: int) -> None:
        """How far it is, and until when it stays claimed."""
        ...
