"""Puts together what shows and forgets users, from ports alone."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from application.ports.audit import AuditStore
from application.ports.batch_store import BatchJournals, BatchStore
from application.ports.file_store import FileContents, FileRecords
from application.ports.subjects import ErasureLog, SubjectRows
from application.ports.system import Clock, IdFactory
from application.use_cases.erase_user import CarryOutErasures, EraseUser
from application.use_cases.export_user import ExportUser
from domain.caching.invalidation import InvalidationKind, InvalidationRule
from entrypoints.caching import Caching


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """What the routes call, and what runs beside requests for them."""

    export: ExportUser
    erase: EraseUser
    carry_out: CarryOutErasures


def make_erasing(
    *,
    rows: SubjectRows,
    shown: SubjectRows,
    erasures: ErasureLog,
    asked: ErasureLog,
    audit: AuditStore,
    unlock: Callable[[], Awaitable[None]],
    audited: Callable[[str, str], str],
    caching: Caching,
    files: FileRecords,
    contents: FileContents,
    batches: BatchStore,
    journals: BatchJournals,
    settle: Callable[[], Awaitable[None]],
    clock: Clock,
    ids: IdFactory,
) -> Erasing:
    """`shown` and `asked` are the same stores within the reach of whoever asks."""

    async def forget_kept(tenant_id: str) -> None:
        # Nobody can say whose question a kept answer was, so the tenant's all go.
        await caching.tiers.invalidate(InvalidationRule(InvalidationKind.TENANT, tenant_id, ""))

    return Erasing(
        export=ExportUser(shown, audit, unlock, audited),
        erase=EraseUser(asked, shown, clock, ids),
        carry_out=CarryOutErasures(
            erasures,
            rows,
            clock,
            files=files,
            contents=contents,
            batches=batches,
            journals=journals,
            settle=settle,
            forget_kept=forget_kept,
        ),
    )
