"""Showing the audit trail to those who may see it, and proving its entries."""

from typing import Final, NamedTuple

from application.audit_log_reading import LogReading
from application.ports.audit import (
    AuditLog,
    AuditQuestion,
    AuditStore,
    CheckpointSigner,
    LoggedCheckpoint,
)
from domain.audit.entry import BEGUN, AuditEntry, parse_entry_id
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from domain.tenancy.principal import Principal

LIMIT_MAX: Final = 1000


class AuditPage(NamedTuple):
    """`next_seq` is for the next page, None: there is none. `outcomes` by the `seq` acts began with."""

    entries: list[AuditEntry]
    outcomes: dict[int, AuditEntry]
    next_seq: int | None


class InclusionProof(NamedTuple):
    """That the entry is leaf `leaf` of the log of the checkpoint."""

    entry: AuditEntry
    previous_hash: bytes | None
    """None: it is the first one that is still there, or the first at all."""
    leaf: int
    path: list[bytes]
    checkpoint: LoggedCheckpoint


class ReadAudit:
    """Auditors see their own tenant's entries; those who manage tenants see any. Raises StoreUnavailable."""

    def __init__(self, store: AuditStore, audit_log: AuditLog, signer: CheckpointSigner) -> None:
        self._store = store
        self._log = audit_log
        self._reading = LogReading(audit_log)
        self.signer = signer

    async def page(self, by: Principal, question: AuditQuestion) -> AuditPage:
        """Raises Forbidden for another tenant, InvalidRequest for a limit that is too high."""
        self._check(by, question.tenant_id)
        if not 1 <= question.limit <= LIMIT_MAX:
            raise InvalidRequest(f"limit must be 1-{LIMIT_MAX}", param="limit")
        found = await self._store.find(question._replace(limit=question.limit + 1))
        entries = found[: question.limit]
        begun = [entry.seq for entry in entries if entry.draft.outcome == BEGUN]
        outcomes = await self._store.outcomes(question.tenant_id, begun)
        return AuditPage(entries, outcomes, entries[-1].seq if len(found) > len(entries) else None)

    async def checkpoints(self, below_size: int | None, limit: int) -> list[LoggedCheckpoint]:
        """The newest first. Raises InvalidRequest."""
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequest(f"limit must be 1-{LIMIT_MAX}", param="limit")
        return await self._log.checkpoints(below_size, limit)

    async def consistency(self, from_size: int) -> tuple[LoggedCheckpoint, list[bytes]]:
        """The newest checkpoint, and the path that proves it to continue the log of `from_size` leaves.

        Raises InvalidRequest for a size the log never had, NotFound for hashes that are missing.
        """
        newest = await self._log.newest()
        if newest is None or not 0 < from_size <= newest.size:
            raise InvalidRequest("from_size must be 1 to the newest checkpoint's size", param="from_size")
        return newest, await self._reading.consistency(from_size, newest.size)

    async def prove(self, by: Principal, entry_id: str) -> InclusionProof:
        """Raises NotFound, also for another tenant's entry; Conflict when no checkpoint covers it yet."""
        place = parse_entry_id(entry_id)
        missing = NotFound(f"no audit entry {entry_id[:80]!r}")
        if place is None:
            raise missing
        tenant_id, seq = place
        try:
            self._check(by, tenant_id)
        except Forbidden:
            raise missing from None
        found = await self._store.read(tenant_id, max(1, seq - 1), 2)
        entry = next((each for each in found if each.seq == seq), None)
        if entry is None:
            raise missing
        leaf, newest = await self._log.place(tenant_id, seq), await self._log.newest()
        if leaf is None or newest is None or leaf >= newest.size:
            raise Conflict(f"audit entry {entry_id} is in no checkpoint yet; ask again later")
        previous = next((each.hash for each in found if each.seq == seq - 1), None)
        return InclusionProof(entry, previous, leaf, await self._reading.inclusion(leaf, newest.size), newest)

    @staticmethod
    def _check(by: Principal, tenant_id: str) -> None:
        if tenant_id != by.tenant_id and not by.may("tenants.manage"):
            raise Forbidden(f"this key belongs to tenant {by.tenant_id} and may not see another tenant's")
