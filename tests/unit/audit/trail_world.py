"""A trail in memory with everything around it, and a clock that is told."""

from datetime import UTC, datetime, timedelta

from adapters.crypto.audit_key import Ed25519CheckpointSigner, signed_by
from adapters.memory.audit import InMemoryAuditStore, RememberingSink
from application.audit_records import line_of, read_record
from application.audit_trail import AuditTrail
from application.audit_walk import AuditWalk, Record, TrailVerification
from application.ports.audit import AuditLog, AuditRetention, AuditStore
from application.ports.system import Clock
from application.use_cases.keep_audit_log import KeepAuditLog
from application.use_cases.retain_audit import RetainAudit
from domain.audit.verification import Finding, Signatures
from domain.tenancy.role import local_operator

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ORIGIN = "interchange/test"


class ToldClock(Clock):
    """Moves when it is told."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now.timestamp()

    def utc_now(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


class TrailWorld:
    """The three roles of a store, and what works on them."""

    def __init__(
        self,
        clock: ToldClock,
        store: AuditStore,
        audit_log: AuditLog,
        retention: AuditRetention,
        sink: RememberingSink,
    ) -> None:
        self.clock = clock
        self.store = store
        self.log = audit_log
        self.retention = retention
        self.sink = sink
        self.signer = Ed25519CheckpointSigner("test-key", b"s" * 32)
        self.trail = AuditTrail(store, clock)
        self.keep = KeepAuditLog(
            store, audit_log, self.signer, clock, [sink], origin=ORIGIN, every_s=60, every_entries=1000
        )
        self.retain = RetainAudit(
            store,
            audit_log,
            retention,
            self.trail,
            self.signer,
            clock,
            origin=ORIGIN,
            by=local_operator(),
        )

    async def records(self) -> list[Record]:
        walk = AuditWalk(self.store, self.log, self.retention)
        return [read_record(line_of(record)) async for record in walk.records()]

    def findings(self, records: list[Record], kept_elsewhere: list[str] | None = None) -> list[Finding]:
        check = TrailVerification(Signatures([self.signer.key], signed_by), tuple(kept_elsewhere or ()))
        for record in records:
            check.take(record)
        return check.findings()


def memory_world() -> TrailWorld:
    clock = ToldClock()
    store = InMemoryAuditStore(clock)
    return TrailWorld(clock, store, store, store, RememberingSink())
