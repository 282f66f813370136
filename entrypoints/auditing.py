"""Puts together the audit trail of a process, from ports alone."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from application.audit_denials import WRITE_EVERY_S, Denials
from application.audit_trail import AuditTrail
from application.audit_walk import AuditWalk
from application.ports.audit import AuditLog, AuditRetention, AuditStore, CheckpointSigner, CheckpointSink
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.use_cases.keep_audit_log import KeepAuditLog
from application.use_cases.read_audit import ReadAudit
from application.use_cases.retain_audit import RetainAudit
from domain.tenancy.role import local_operator
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.config.audit_section import AuditSettings
from entrypoints.http.audited import DoorAudit

FLUSH_EVERY_S: Final = 5.0
RETENTION_EVERY_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditing:
    """What routes, commands and the lifespan use."""

    trail: AuditTrail
    denials: Denials
    keep: KeepAuditLog
    retain: RetainAudit
    read: ReadAudit
    walk: AuditWalk
    signer: CheckpointSigner
    retention_days: int | None
    user: Callable[[str, str], str]
    """How entries speak of a user of a tenant."""

    @property
    def door(self) -> DoorAudit:
        """For the door of the HTTP interface."""
        return DoorAudit(self.trail, self.denials, self.user)

    async def remove_old(self) -> None:
        """Removes what need not be kept any more. Raises StoreUnavailable."""
        if self.retention_days is not None:
            await self.retain(self.retention_days)

    async def settle(self) -> None:
        """Enters what is still in memory. Raises StoreUnavailable."""
        await self.denials.write()
        await self.trail.flush()

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        age_s = self.keep.newest_age_s
        yield Gauge(
            "interchange_audit_waiting_entries",
            "Audit entries that no checkpoint covered when it was looked last.",
            (((), self.keep.waiting_entries),),
        )
        yield Gauge(
            "interchange_audit_unpublished_places",
            "Places that have not heard of this process's newest audit checkpoint.",
            (((), len(self.keep.unpublished)),),
        )
        yield Gauge(
            "interchange_audit_checkpoint_age_seconds",
            "How long ago the newest audit checkpoint was made; it may be long while nothing new waits.",
            () if age_s is None else (((), age_s),),
        )
        yield Gauge(
            "interchange_audit_lost_outcomes_total",
            "Acts of this process whose outcome could not be entered; the trail says that it is unknown.",
            (((), self.trail.lost_outcomes),),
            "counter",
        )


def make_auditing(
    store: AuditStore,
    whole: AuditStore,
    shown: AuditStore,
    audit_log: AuditLog,
    retention: AuditRetention,
    signer: CheckpointSigner,
    clock: Clock,
    sinks: Sequence[CheckpointSink],
    settings: AuditSettings,
    *,
    origin: str,
    user: Callable[[str, str], str],
) -> Auditing:
    """`whole` is the same trail for what goes through all of it, `shown` for callers, who see their own."""
    trail = AuditTrail(store, clock)
    return Auditing(
        trail=trail,
        denials=Denials(store, clock),
        keep=KeepAuditLog(
            whole,
            audit_log,
            signer,
            clock,
            sinks,
            origin=origin,
            every_s=settings.checkpoint_every_s,
            every_entries=settings.checkpoint_every_entries,
        ),
        retain=RetainAudit(
            whole, audit_log, retention, trail, signer, clock, origin=origin, by=local_operator()
        ),
        read=ReadAudit(shown, audit_log, signer),
        walk=AuditWalk(whole, audit_log, retention),
        signer=signer,
        retention_days=settings.retention_days,
        user=user,
    )


async def start_auditing(stack: AsyncExitStack, tasks: BackgroundTasks, auditing: Auditing) -> None:
    """Runs what runs beside requests; the stack enters at the end what is still in memory."""
    stack.push_async_callback(in_any_case, auditing.settle)
    tasks.start("audit log", auditing.keep.run)
    tasks.start("audit denials", partial(every, WRITE_EVERY_S, auditing.denials.write))
    tasks.start("audit outcomes", partial(every, FLUSH_EVERY_S, auditing.trail.flush))
    tasks.start("audit retention", partial(every, RETENTION_EVERY_S, auditing.remove_old))
