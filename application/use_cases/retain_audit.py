"""Removing audit entries that are older than they have to be kept."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from application.audit_log_reading import LogReading
from application.audit_trail import AuditTrail
from application.audit_walk import BLOCK
from application.ports.audit import AuditLog, AuditRetention, AuditStore, CheckpointSigner
from application.ports.system import Clock
from domain.audit.anchor import Anchor, RemovedLeaves, anchor_id, anchor_text
from domain.audit.chain import ChainHead
from domain.audit.checkpoint import signed_note
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RetainAudit:
    """What is removed leaves a signed anchor, and is itself an entry of the trail."""

    def __init__(
        self,
        store: AuditStore,
        audit_log: AuditLog,
        retention: AuditRetention,
        trail: AuditTrail,
        signer: CheckpointSigner,
        clock: Clock,
        *,
        origin: str,
        by: Principal,
    ) -> None:
        self._store = store
        self._log = audit_log
        self._retention = retention
        self._trail = trail
        self._signer = signer
        self._clock = clock
        self._origin = origin
        self._by = by

    async def __call__(self, retention_days: int) -> int:
        """Removes what was written more than `retention_days` ago and is in a checkpoint. How many went.

        Raises StoreUnavailable; what is left goes the next time.
        """
        now = self._clock.utc_now()
        before_us = (now - timedelta(days=retention_days) - _EPOCH) // timedelta(microseconds=1)
        logged = await self._log.logged_heads()
        # Beyond the newest checkpoint nothing is removed: only what is checkpointed can be proved later.
        cuts = await self._retention.cuts(before_us)
        if not cuts or any(cut.seq > logged[t].seq if t in logged else True for t, cut in cuts.items()):
            return 0
        now_us = (now - _EPOCH) // timedelta(microseconds=1)
        span = await self._span(cuts)
        text = anchor_text(self._origin, now_us, before_us, span, cuts)
        note = signed_note(text, self._signer.key, self._signer.sign(text.encode()))
        anchors = [Anchor(tenant_id, cut.seq, cut.hash, note) for tenant_id, cut in sorted(cuts.items())]
        leaves = await self._leaves(span, cuts)
        details = {"before_us": before_us, "anchor": anchor_id(note), "tenants": len(cuts)}
        async with self._trail.act(self._by, "audit.remove", "entries", details) as act:
            gone = await self._retention.remove(anchors, leaves)
            act.details["entries"] = gone
        log.info("%d audit entries older than %d days were removed", gone, retention_days)
        return gone

    async def _span(self, cuts: dict[str, ChainHead]) -> RemovedLeaves:
        """From the block in which the first entry stays to the last leaf that goes."""
        stays: list[int] = []
        until = 0
        earlier = {anchor.tenant_id: anchor.seq for anchor in await self._retention.anchors()}
        for tenant_id in await self._store.heads():
            cut = cuts[tenant_id].seq if tenant_id in cuts else earlier.get(tenant_id, 0)
            if tenant_id in cuts:
                until = max(until, (await self._log.place(tenant_id, cut) or 0) + 1)
            place = await self._log.place(tenant_id, cut + 1)
            if place is not None:
                stays.append(place)
        return RemovedLeaves(min([*stays, until]) // BLOCK * BLOCK, until)

    async def _leaves(self, span: RemovedLeaves, cuts: dict[str, ChainHead]) -> list[tuple[int, bytes]]:
        """The single leaves that are to stand for removed entries."""
        reading = LogReading(self._log)
        kept: list[tuple[int, bytes]] = []
        for stretch in await self._log.stretches(span.first, max(1, span.until - span.first)):
            cut_seq = cuts[stretch.tenant_id].seq if stretch.tenant_id in cuts else 0
            begin = max(span.first, stretch.first_index)
            last_seq = min(cut_seq, stretch.last_seq)
            end = min(span.until, stretch.first_index + last_seq - stretch.first_seq + 1)
            if begin < end:
                kept += zip(range(begin, end), await reading.leaves(begin, end), strict=True)
        return kept
