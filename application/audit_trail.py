"""Noting what somebody does, before it is done and again with what came of it."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from application.ports.audit import AuditStore
from application.ports.system import Clock
from domain.audit.entry import (
    ACT,
    BEGUN,
    DETAILS_LENGTH_MAX,
    DONE,
    FAILED,
    READ,
    TEXT_LENGTH_MAX,
    UNKNOWN,
    AuditDraft,
    bounded,
)
from domain.errors import InterchangeError, StoreUnavailable
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

OUTCOMES_WAITING_MAX: Final = 1000
APPEND_TIMEOUT_S: Final = 10.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Surroundings(NamedTuple):
    """From where, and in which request, somebody acts; empty: from this machine."""

    address: str = ""
    request_id: str = ""


HERE: Final = Surroundings()


class Act:
    """What is being done. `details` is what the entry with the outcome will say beside it: names, numbers
    and digests, never a value that could be secret."""

    __slots__ = ("details", "refused", "seq", "subject")

    def __init__(self, seq: int, subject: str) -> None:
        self.seq = seq
        self.subject = subject
        self.details: dict[str, Any] = {}
        self.refused = ""
        """The code of a refusal that is not raised."""


class AuditTrail:
    """Acts are entered synchronously: without an entry nothing is done.

    `run` is for the lifespan: it enters outcomes that could not be entered at once. At most
    `OUTCOMES_WAITING_MAX` wait; of what is lost beyond that, the trail says that its outcome is unknown.
    """

    def __init__(self, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: deque[AuditDraft] = deque()
        self.lost_outcomes = 0
        self._settling: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def act(
        self,
        by: Principal,
        action: str,
        subject: str,
        details: Mapping[str, Any] | None = None,
        where: Surroundings = HERE,
    ) -> AsyncIterator[Act]:
        """Enters that `by` begins to do this; on the way out, what came of it.

        Raises:
            StoreUnavailable: it could not be entered, and the body was not run.
        """
        draft = self._draft(by, ACT, action, subject, details or {}, where)
        [entry] = await self._append([draft])
        act = Act(entry.seq, subject)
        outcome = UNKNOWN
        try:
            yield act
            outcome = act.refused or DONE
        except InterchangeError as error:
            # The store may have done it and lost the answer.
            outcome = UNKNOWN if isinstance(error, StoreUnavailable) else error.code
            raise
        except Exception:
            outcome = FAILED
            raise
        finally:
            ended = draft._replace(
                at_us=self._now_us(),
                outcome=outcome,
                subject=bounded(act.subject),
                refers_to=entry.seq,
                details=details_text(act.details),
            )
            await self._settle(ended)

    async def read(
        self,
        by: Principal,
        action: str,
        subject: str,
        details: Mapping[str, Any] | None = None,
        where: Surroundings = HERE,
    ) -> None:
        """Enters that `by` is shown this. Raises StoreUnavailable; then it must not be shown."""
        draft = self._draft(by, READ, action, subject, details or {}, where)
        await self._append([draft._replace(outcome=DONE)])

    async def _append(self, drafts: list[AuditDraft]) -> Any:
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                return await self._store.append(drafts)
        except TimeoutError:
            raise StoreUnavailable(
                f"the audit trail took no entry within {APPEND_TIMEOUT_S:g} s, so nothing was done",
                retry_after_s=1.0,
            ) from None

    async def _settle(self, ended: AuditDraft) -> None:
        # A caller who leaves must not take the outcome along.
        task = asyncio.create_task(self._enter(ended))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    async def _enter(self, ended: AuditDraft) -> None:
        try:
            await self._append([ended])
        except InterchangeError as error:
            log.error("the outcome of %s could not be entered yet: %s", ended.action, error.message)
            if len(self._waiting) >= OUTCOMES_WAITING_MAX:
                self._waiting.popleft()
                self.lost_outcomes += 1
            self._waiting.append(ended)

    async def flush(self) -> None:
        """Enters outcomes that wait. Raises StoreUnavailable; the rest waits on."""
        if self._settling:
            await asyncio.wait(set(self._settling), timeout=APPEND_TIMEOUT_S)
        while self._waiting:
            some = list(self._waiting)[:100]
            await self._append(some)
            for each in some:
                if self._waiting and self._waiting[0] is each:
                    self._waiting.popleft()

    def _draft(
        self,
        by: Principal,
        kind: str,
        action: str,
        subject: str,
        details: Mapping[str, Any],
        where: Surroundings,
    ) -> AuditDraft:
        return AuditDraft(
            tenant_id=by.tenant_id,
            at_us=self._now_us(),
            kind=kind,
            action=action,
            outcome=BEGUN,
            actor_kind=by.kind,
            actor_id=bounded(by.key_id),
            actor_name=bounded(by.key_name),
            role=bounded(by.role),
            address=bounded(where.address),
            subject=bounded(subject),
            request_id=where.request_id,
            refers_to=0,
            details=details_text(details),
        )

    def _now_us(self) -> int:
        return (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)


def details_text(details: Mapping[str, Any]) -> str:
    """As a JSON object of bounded length; empty when there is nothing to say."""
    if not details:
        return ""
    text = json.dumps(details, sort_keys=True, separators=(",", ":"), default=str)
    if len(text) <= DETAILS_LENGTH_MAX:
        return text
    names = [name[:TEXT_LENGTH_MAX] for name in sorted(details)][:10]
    return json.dumps({"too_long": len(text), "names": names}, separators=(",", ":"))
