"""Keeping the audit trail, the log over it, and telling others of its checkpoints.

Failure policy: closed. `append` raises `StoreUnavailable`, and what was to be noted is then not done.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.audit.anchor import Anchor
from domain.audit.chain import ChainHead
from domain.audit.checkpoint import VerifierKey
from domain.audit.entry import ACCESS, ACCESS_ACTIONS, AuditDraft, AuditEntry
from domain.audit.merkle import Node


class AuditQuestion(NamedTuple):
    """Which entries to show, the newest first; every field narrows. Times are UTC epoch microseconds.

    `before_seq` pages: only earlier ones. `actor` is an id or a name.
    """

    tenant_id: str
    limit: int
    before_seq: int | None = None
    from_us: int | None = None
    to_us: int | None = None
    kinds: tuple[str, ...] = ()
    actor: str = ""
    action: str = ""
    subject: str = ""
    outcome: str = ""
    request_id: str = ""

    @property
    def finds_no_access(self) -> bool:
        """Whether no request to a model can be among the answers; nearly all entries are such requests."""
        by_kind = bool(self.kinds) and ACCESS not in self.kinds
        return by_kind or bool(self.action and not self.action.startswith(ACCESS_ACTIONS))


class AuditStore(Protocol):
    """Entries, each tenant's in a chain. Nothing is ever changed, and removed only as `AuditRetention` says.

    Several instances may append at once; each tenant's entries get one order without gaps.
    """

    @abstractmethod
    async def append(self, drafts: Sequence[AuditDraft]) -> list[AuditEntry]:
        """Keeps all or none, in the given order. When it returns they survive the process's death.

        Raises StoreUnavailable; what is kept then is not known.
        """
        ...

    @abstractmethod
    async def find(self, question: AuditQuestion) -> list[AuditEntry]:
        """The newest first, at most `limit`. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def read(self, tenant_id: str, first_seq: int, limit: int) -> list[AuditEntry]:
        """A tenant's entries from this one on, in order. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def outcomes(self, tenant_id: str, begun: Sequence[int]) -> dict[int, AuditEntry]:
        """By the `seq` of entries that say something was begun: what came of it, where that is known."""
        ...

    @abstractmethod
    async def heads(self) -> dict[str, ChainHead]:
        """By tenant, where each chain ends. Raises StoreUnavailable."""
        ...


class Stretch(NamedTuple):
    """Neighbours in one tenant's chain that are neighbours in the log, too."""

    tenant_id: str
    first_seq: int
    last_seq: int
    first_index: int


class LoggedCheckpoint(NamedTuple):
    """A checkpoint as it is kept: the signed note, and the log's edge at its size."""

    size: int
    previous_size: int
    at_us: int
    note: str
    peaks: tuple[bytes, ...]


class AuditLog(Protocol):
    """The order in which entries of all tenants became leaves. All methods raise StoreUnavailable."""

    @abstractmethod
    async def newest(self) -> LoggedCheckpoint | None:
        """None: there is none yet."""
        ...

    @abstractmethod
    async def logged_heads(self) -> dict[str, ChainHead]:
        """By tenant, how far its chain is in the log (`written_at_us` is 0)."""
        ...

    @abstractmethod
    async def hashes(self, tenant_id: str, first_seq: int, limit: int) -> list[bytes]:
        """Hashes of a tenant's entries from this one on, in order."""
        ...

    @abstractmethod
    async def extend(
        self, checkpoint: LoggedCheckpoint, stretches: Sequence[Stretch], nodes: Sequence[Node]
    ) -> bool:
        """Keeps a checkpoint with what became leaves since its predecessor. False: another instance was
        first, and nothing is kept."""
        ...

    @abstractmethod
    async def checkpoints(self, below_size: int | None, limit: int) -> list[LoggedCheckpoint]:
        """The newest first."""
        ...

    @abstractmethod
    async def checkpoints_from(self, size: int, limit: int) -> list[LoggedCheckpoint]:
        """Those of at least this size, the oldest first."""
        ...

    @abstractmethod
    async def stretches(self, first_index: int, limit: int) -> list[Stretch]:
        """In the order of the log, from the one that holds leaf `first_index`."""
        ...

    @abstractmethod
    async def place(self, tenant_id: str, seq: int) -> int | None:
        """The leaf of an entry; None: not in the log yet, or never there."""
        ...

    @abstractmethod
    async def nodes(self, level: int, first: int, end: int) -> list[bytes]:
        """Kept hashes of complete subtrees, by number. Fewer where some are missing."""
        ...

    @abstractmethod
    async def removed(self, first_index: int, end: int) -> dict[int, bytes]:
        """Leaves whose entries were removed while their neighbours stayed."""
        ...


class AuditRetention(Protocol):
    """Removing what is old enough: the one way in which entries may go."""

    @abstractmethod
    async def anchors(self) -> list[Anchor]:
        """What stands for removed entries; the newest of each tenant. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def cuts(self, before_us: int) -> dict[str, ChainHead]:
        """By tenant, the last of its entries that were written before and are still there; none where it has
        no such entry. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def remove(self, anchors: Sequence[Anchor], leaves: Sequence[tuple[int, bytes]]) -> int:
        """Keeps the anchors and these leaves, then removes what the anchors cover. How many entries went.

        Raises StoreUnavailable; what is left goes the next time.
        """
        ...


class CheckpointSink(Protocol):
    """A place off the box that hears of checkpoints."""

    name: str
    """For people; no two places of a process have the same."""

    @abstractmethod
    async def publish(self, note: str) -> None:
        """Hands a signed checkpoint over; the same one may come again. Raises StoreUnavailable."""
        ...


class CheckpointSigner(Protocol):
    """Holds the signing key. Never fails, never waits."""

    @property
    def key(self) -> VerifierKey:
        """What checks its signatures."""
        ...

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature."""
        ...
