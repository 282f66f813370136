"""Making leaves of new audit entries, signing checkpoints, and telling others of them."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from application.ports.audit import (
    AuditLog,
    AuditStore,
    CheckpointSigner,
    CheckpointSink,
    LoggedCheckpoint,
    Stretch,
)
from application.ports.system import Clock
from domain.audit.chain import ChainHead
from domain.audit.checkpoint import Checkpoint, checkpoint_text, heads_digest, signed_note
from domain.audit.merkle import Frontier, Node
from domain.errors import InterchangeError, StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 2.0
PAGE: Final = 1000
ENTRIES_MAX: Final = 100_000
"""Entries of one checkpoint; more take several."""
TRIES_MAX: Final = 100
"""Checkpoints of one call, and how often others may come first."""
PUBLISH_TIMEOUT_S: Final = 30.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class KeepAuditLog:
    """Several instances may do it at once: each checkpoint extends one other, and whoever is second starts
    over. `run` is for the lifespan."""

    def __init__(
        self,
        store: AuditStore,
        audit_log: AuditLog,
        signer: CheckpointSigner,
        clock: Clock,
        sinks: Sequence[CheckpointSink] = (),
        *,
        origin: str,
        every_s: float,
        every_entries: int,
    ) -> None:
        self._store = store
        self._log = audit_log
        self._signer = signer
        self._clock = clock
        self._sinks = sinks
        self._origin = origin
        self._every_s = every_s
        self._every_entries = every_entries
        self._logged: tuple[int, dict[str, ChainHead]] = (-1, {})
        self._unpublished: dict[str, str] = {}
        self._started = False
        self.newest: LoggedCheckpoint | None = None
        """As it was seen last."""
        self.waiting_entries = 0
        """Entries that no checkpoint covered when it was looked last."""

    @property
    def unpublished(self) -> list[str]:
        """Names of places that have not heard of the newest checkpoint made here."""
        return list(self._unpublished)

    @property
    def newest_age_s(self) -> float | None:
        """How long ago the newest checkpoint was made; None: there is none."""
        return None if self.newest is None else (self._now_us() - self.newest.at_us) / 1_000_000

    async def look(self) -> None:
        """Makes a checkpoint when one is due, and tells whoever has not heard. Raises StoreUnavailable."""
        newest, heads = await self._log.newest(), await self._store.heads()
        self._see(newest, heads)
        if not self._started:
            # What was made before the last process ended may not have got out.
            self._started = True
            if newest is not None:
                self._unpublished = {sink.name: newest.note for sink in self._sinks}
        last_us = 0 if newest is None else newest.at_us
        due = self.waiting_entries and self._now_us() - last_us >= self._every_s * 1_000_000
        if due or self.waiting_entries >= self._every_entries:
            await self.checkpoint()
        await self.publish()

    async def checkpoint(self) -> LoggedCheckpoint | None:
        """All entries there are become leaves. The newest checkpoint then; None: there is no entry.

        Raises StoreUnavailable.
        """
        for _ in range(TRIES_MAX):
            newest, heads = await self._log.newest(), await self._store.heads()
            self._see(newest, heads)
            if not self.waiting_entries:
                return newest
            made = await self._extend(newest, heads)
            if made is not None:
                self._unpublished = {sink.name: made.note for sink in self._sinks}
        return self.newest

    def _see(self, newest: LoggedCheckpoint | None, heads: dict[str, ChainHead]) -> None:
        self.newest = newest
        size = 0 if newest is None else newest.size
        self.waiting_entries = max(0, sum(head.seq for head in heads.values()) - size)

    async def _extend(
        self, newest: LoggedCheckpoint | None, heads: dict[str, ChainHead]
    ) -> LoggedCheckpoint | None:
        frontier = Frontier() if newest is None else Frontier(newest.size, newest.peaks)
        size = frontier.size
        logged = await self._logged_at(size)
        stretches: list[Stretch] = []
        nodes: list[Node] = []
        for tenant_id, head in sorted(heads.items()):
            seq = logged[tenant_id].seq if tenant_id in logged else 0
            first, first_index, hashed = seq + 1, frontier.size, b""
            while seq < head.seq and frontier.size - size < ENTRIES_MAX:
                hashes = await self._log.hashes(tenant_id, seq + 1, min(PAGE, head.seq - seq))
                if not hashes:
                    raise StoreUnavailable(
                        f"audit entry {tenant_id}.{seq + 1} is missing: see `audit verify`"
                    )
                for hashed in hashes:
                    nodes += frontier.append(hashed)
                seq += len(hashes)
            if seq >= first:
                stretches.append(Stretch(tenant_id, first, seq, first_index))
                logged[tenant_id] = ChainHead(seq, hashed, 0)
        made = self._signed(frontier, size, logged)
        if not await self._log.extend(made, stretches, nodes):
            self._logged = (-1, {})
            return None
        self._logged = (frontier.size, logged)
        return made

    async def _logged_at(self, size: int) -> dict[str, ChainHead]:
        known, logged = self._logged
        return dict(logged) if known == size else await self._log.logged_heads()

    def _signed(self, frontier: Frontier, size: int, logged: dict[str, ChainHead]) -> LoggedCheckpoint:
        now_us = self._now_us()
        text = checkpoint_text(
            Checkpoint(
                self._origin, frontier.size, frontier.root(), now_us, len(logged), heads_digest(logged)
            )
        )
        note = signed_note(text, self._signer.key, self._signer.sign(text.encode()))
        return LoggedCheckpoint(frontier.size, size, now_us, note, tuple(frontier.peaks))

    async def publish(self) -> None:
        """Tells each place of the newest checkpoint made here. One that does not listen hears of the next."""
        for sink in self._sinks:
            note = self._unpublished.get(sink.name)
            if note is None:
                continue
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                    await sink.publish(note)
            except (InterchangeError, TimeoutError) as error:
                log.warning("the audit checkpoint did not get to %s: %s", sink.name, error)
                continue
            if self._unpublished.get(sink.name) is note:
                del self._unpublished[sink.name]

    async def run(self) -> None:
        """Looks now and then until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("no audit checkpoint was made: %s", error.message)
            await asyncio.sleep(LOOK_EVERY_S)

    def _now_us(self) -> int:
        return (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
