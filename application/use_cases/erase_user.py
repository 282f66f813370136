"""Forgetting a user: asking for it, seeing how far it is, and doing it, across restarts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from application.ports.batch_store import BatchJournals, BatchStore
from application.ports.file_store import FileContents, FileRecords
from application.ports.subjects import BATCHES, FILES, Erased, ErasureLog, SubjectRows
from application.ports.system import Clock, IdFactory
from domain.batch.batch import FINAL_STATUSES
from domain.errors import Forbidden, NotFound, StoreUnavailable
from domain.privacy.erasure import Erasure, ErasureState, Subject, check_user
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

ERASE: Final = "privacy.erase"
LISTED_MAX: Final = 100
LOOK_EVERY_S: Final = 1.0
SETTLE_S: Final = 4.0
"""From its begin to its second pass: by then every instance has written what it knew before."""
CLAIMED_S: Final = 60.0
"""Whoever works on an erasure renews its claim with every page; after so long another takes over."""


class EraseUser:
    """What callers ask for. Pseudonyms are made up: none says anything about whom it stands for."""

    def __init__(self, log_: ErasureLog, rows: SubjectRows, clock: Clock, ids: IdFactory) -> None:
        self._log = log_
        self._rows = rows
        self._clock = clock
        self._ids = ids

    @property
    def steps(self) -> int:
        """How many there are: each place twice, and one between."""
        return 2 * len(self._rows.sections) + 1

    async def begin(self, by: Principal, user_id: str) -> Erasure:
        """Notes it; the work is done beside requests. One that is under way already is returned as it is.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        _check(by)
        now_us = _us(self._clock)
        return await self._log.begin(
            Erasure(
                erasure_id=self._ids.next("erasure"),
                tenant_id=by.tenant_id,
                user_id=check_user(user_id),
                pseudonym=self._ids.next("erased"),
                state=ErasureState.RUNNING,
                asked_by=by.key_id,
                started_at_us=now_us,
                updated_at_us=now_us,
            )
        )

    async def get(self, by: Principal, erasure_id: str) -> Erasure:
        """Raises Forbidden, NotFound, StoreUnavailable."""
        _check(by)
        found = await self._log.get(by.tenant_id, erasure_id)
        if found is None:
            raise NotFound(f"no erasure {erasure_id[:80]!r} in this tenant", param="erasure_id")
        return found

    async def newest(self, by: Principal) -> list[Erasure]:
        """The newest `LISTED_MAX`. Raises Forbidden, StoreUnavailable."""
        _check(by)
        return await self._log.newest(by.tenant_id, LISTED_MAX)


class CarryOutErasures:
    """Every instance runs one; each erasure is worked on by one of them, and by another if that one dies.

    Every place is gone through twice: rows of requests that were running, or lay in another instance's
    journal, arrive in between.
    """

    def __init__(
        self,
        erasures: ErasureLog,
        rows: SubjectRows,
        clock: Clock,
        *,
        files: FileRecords,
        contents: FileContents,
        batches: BatchStore,
        journals: BatchJournals,
        settle: Callable[[], Awaitable[None]],
        forget_kept: Callable[[str], Awaitable[None]],
    ) -> None:
        """`settle` writes what this instance knows into the database and leaves nothing in its journals;
        `forget_kept` takes a tenant's kept answers out everywhere."""
        self._log = erasures
        self._rows = rows
        self._clock = clock
        self._files = files
        self._contents = contents
        self._batches = batches
        self._journals = journals
        self._settle = settle
        self._forget_kept = forget_kept
        self._known: set[str] = set()

    async def run(self) -> None:
        """Until cancelled. What fails is tried again."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as error:
                log.warning("erasures wait: %s", error.message)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Empties journals for new ones, and works on what nobody else works on. Raises StoreUnavailable."""
        open_ids = set(await self._log.unfinished())
        if not open_ids:
            self._known = set()
            return
        if open_ids - self._known:
            await self._settle()
            self._known = open_ids
        now_us = _us(self._clock)
        claimed = await self._log.claim(now_us, now_us + int(CLAIMED_S * 1e6))
        if claimed is not None:
            await self._work(claimed)

    async def _work(self, erasure: Erasure) -> None:
        names = self._rows.sections
        between = len(names)
        while erasure.state is ErasureState.RUNNING and erasure.step < 2 * between + 1:
            step = erasure.step
            if step == between:
                await self._forget_kept(erasure.tenant_id)
                await self._wait(erasure)
                await self._settle()
            else:
                erasure = await self._erase(erasure, names[step if step < between else step - between - 1])
            erasure = await self._save(replace(erasure, step=step + 1))
        if erasure.state is ErasureState.RUNNING:
            if await self._batches_run(erasure.subject):
                # They were told to end; when they have, what they wrote goes too.
                await self._save(replace(erasure, step=between + 1), free=True)
                return
            nobody = replace(erasure, user_id="", state=ErasureState.COMPACTING)
            erasure = await self._save(nobody)
        await self._rows.compact()
        done = replace(erasure, state=ErasureState.DONE, finished_at_us=_us(self._clock))
        await self._save(done, free=True)
        log.info("a user of tenant %r was erased (%s)", erasure.tenant_id, erasure.erasure_id)

    async def _wait(self, erasure: Erasure) -> None:
        settled_us = erasure.started_at_us + int(SETTLE_S * 1e6)
        left_s = (settled_us - _us(self._clock)) / 1e6
        if left_s > 0:
            await asyncio.sleep(min(left_s, SETTLE_S))

    async def _erase(self, erasure: Erasure, section: str) -> Erasure:
        after: str | None = ""
        while after is not None:
            erased = await self._page(section, erasure.subject, after)
            if erased.rows:
                counts = dict(erasure.counts)
                counts[section] = counts.get(section, 0) + erased.rows
                erasure = await self._save(replace(erasure, counts=counts))
            after = erased.after
        return erasure

    async def _page(self, section: str, subject: Subject, after: str) -> Erased:
        if section not in (FILES, BATCHES):
            return await self._rows.erase(section, subject, after)
        # Bytes first: without their row nobody would find them again.
        page = await self._rows.page(section, subject, after)
        if section == FILES:
            gone = 0
            for record in page.records:
                file_id = str(record["file_id"])
                await self._contents.remove(subject.tenant_id, file_id)
                gone += await self._files.remove(subject.tenant_id, file_id)
            return Erased(gone, page.after)
        over = []
        for record in page.records:
            batch_id = str(record["id"])
            if record["status"] in FINAL_STATUSES:
                await self._journals.remove(batch_id)
                over.append(batch_id)
            else:
                await self._batches.ask_to_cancel(subject.tenant_id, batch_id, _us(self._clock))
        erased = await self._rows.erase(section, subject, after, only=over)
        return Erased(erased.rows, page.after)

    async def _batches_run(self, subject: Subject) -> bool:
        page = await self._rows.page(BATCHES, subject, "")
        return bool(page.records)

    async def _save(self, erasure: Erasure, *, free: bool = False) -> Erasure:
        now_us = _us(self._clock)
        saved = replace(erasure, updated_at_us=now_us)
        await self._log.save(saved, until_us=0 if free else now_us + int(CLAIMED_S * 1e6))
        return saved


def _check(by: Principal) -> None:
    if not by.may(ERASE):
        raise Forbidden(f"this key's role {by.role} may not do this: {ERASE} is needed")


def _us(clock: Clock) -> int:
    return int(clock.utc_now().timestamp() * 1e6)
