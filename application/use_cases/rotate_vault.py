"""Turning the vault's keys while it is used: in batches, by whoever is there, resumable after a kill.

Which rows wait is read from the rows themselves, so nothing is lost with the process that worked on them. Two
who work at once cannot harm each other: a row is replaced only where it still is what was read.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from application.ports.system import Clock, IdFactory
from application.ports.vault import RotationLog
from application.vault import Vault
from application.vault_own_keys import OwnKeys
from domain.errors import CredentialDamaged, Forbidden, StoreUnavailable
from domain.tenancy.principal import Principal
from domain.vault.credential import Change
from domain.vault.rotation import (
    KeyInfo,
    Rotation,
    RotationKind,
    check_retirement,
    is_due,
    may_start,
)

ROTATE: Final = "credentials.rotate"
BATCH_ROWS: Final = 100
PASSES_MAX: Final = 10
BUSY_PAUSE_S: Final = 0.05
BUSY_TRIES_MAX: Final = 5

Progress = Callable[[Rotation], None]


class KeyUse(NamedTuple):
    """A key, and how many credentials of all tenants are under it. `here` False: this process has no such
    key, and what is under it does not open here."""

    key: KeyInfo
    credentials: int
    primary: bool
    here: bool


class VaultStatus(NamedTuple):
    keys: tuple[KeyUse, ...]
    rotation: Rotation | None
    makes_keys: bool


def _unseen(rotation: Rotation) -> None:
    """Nobody watches."""


class RotateVault:
    """For the installation as a whole. Raises StoreUnavailable and VaultLocked wherever it works."""

    def __init__(
        self, vault: Vault, log: RotationLog, clock: Clock, ids: IdFactory, own: OwnKeys | None = None
    ) -> None:
        """`own` keys turn at the end of each rotation."""
        self._vault = vault
        self._own = own
        self._log = log
        self._clock = clock
        self._ids = ids
        self.asked = asyncio.Event()
        """Set when a rotation was begun here that `run` should work on."""

    async def begin(self, by: Principal, kind: RotationKind) -> Rotation:
        """Notes a rotation; `run` carries it out. Raises Forbidden, Conflict while another is under way."""
        _check(by)
        return await self._begin(by.key_id, kind)

    async def status(self, by: Principal) -> VaultStatus:
        """Raises Forbidden."""
        _check(by)
        return await self.figures()

    async def figures(self) -> VaultStatus:
        """The keys, how many credentials each has, and the newest rotation."""
        listed, figures = await self._vault.keys.keys(), await self._vault.store.figures()
        used = dict(figures.by_key)
        keys = [
            KeyUse(key, used.pop(key.key_id, 0), key.key_id == listed.primary.key_id, here=True)
            for key in listed.keys
        ]
        keys += [
            KeyUse(KeyInfo(key_id), count, primary=False, here=False)
            for key_id, count in sorted(used.items())
        ]
        return VaultStatus(tuple(keys), await self._log.latest(), listed.makes_keys)

    async def retire(self, by: Principal, key_id: str) -> None:
        """Drops a key for good. Raises Forbidden, NotFound, Conflict for one that is primary or used,
        InvalidRequest where the source's keys are not ours to drop."""
        _check(by)
        listed, figures = await self._vault.keys.keys(), await self._vault.store.figures()
        check_retirement(key_id, listed.keys, figures.by_key)
        if not await self._vault.store.retire(key_id):
            # Somebody sealed under it since it was counted.
            check_retirement(key_id, listed.keys, {key_id: 1})
        await self._vault.keys.drop_key(key_id)

    async def begin_if_due(self, every_days: int | None) -> Rotation | None:
        """The scheduled rotation, where it is time and nobody else began it."""
        if every_days is None:
            return None
        last, figures = await self._log.latest(), await self._vault.store.figures()
        if last is not None and last.finished_at is None:
            return None
        now = self._clock.utc_now()
        if not is_due(every_days, last=last, first_sealed_at=figures.first_sealed_at, now=now):
            return None
        makes_keys = (await self._vault.keys.keys()).makes_keys
        return await self._begin("schedule", RotationKind.MASTER if makes_keys else RotationKind.DATA)

    async def unfinished(self) -> Rotation | None:
        """One that was begun, here or elsewhere, and is not over."""
        last = await self._log.latest()
        return last if last is not None and last.finished_at is None else None

    async def run(self, progress: Progress = _unseen) -> Rotation | None:
        """Works on the rotation that is under way until no row waits; None: there is none.

        Cancelled or killed at any moment, the next run goes on from there.
        """
        self.asked.clear()
        rotation = await self.unfinished()
        if rotation is None:
            return None
        keys = await self._vault.keys.keys()
        if rotation.needs_a_key(keys):
            await self._vault.keys.add_key(self._clock.utc_now())
        work = _Work(self._vault, self._log, self._clock, rotation, progress)
        for _ in range(PASSES_MAX):
            if not await work.a_pass():
                break
        if self._own is not None:
            await self._own.turn()
        finished = work.rotation.finished(self._clock.utc_now())
        await self._log.note(finished, instead_of=finished.rotation_id)
        await self._vault.book.keep(at_once=True)
        progress(finished)
        return finished

    async def _begin(self, by: str, kind: RotationKind) -> Rotation:
        last = await self._log.latest()
        may_start(last)
        figures = await self._vault.store.figures()
        rotation = Rotation(
            rotation_id=self._ids.next("rotation"),
            kind=kind,
            started_at=self._clock.utc_now(),
            started_by=by,
            total=sum(figures.by_key.values()),
        )
        if not await self._log.note(rotation, instead_of=None if last is None else last.rotation_id):
            may_start(await self._log.latest())
        self.asked.set()
        return rotation


class _Work:
    """One run over all tenants."""

    def __init__(
        self, vault: Vault, log: RotationLog, clock: Clock, rotation: Rotation, progress: Progress
    ) -> None:
        self._vault = vault
        self._log = log
        self._clock = clock
        self._progress = progress
        self._failed: set[str] = set()
        self._done = 0
        self.rotation = rotation

    async def a_pass(self) -> bool:
        """Whether some row was left that may go through next time."""
        left = False
        for tenant_id in (await self._vault.store.figures()).tenants:
            left |= await self._tenant(tenant_id)
        return left

    async def _tenant(self, tenant_id: str) -> bool:
        read = await self._vault.read(tenant_id)
        primary = (await self._vault.keys.keys()).primary.key_id
        waiting = [
            row
            for row in read.kept.rows
            if self.rotation.waits(row, primary) and row.credential_id not in self._failed
        ]
        if not waiting:
            return False
        try:
            manifest = await self._vault.believed(tenant_id, read)
        except CredentialDamaged:
            await self._count(0, [row.credential_id for row in waiting])
            return False
        left = False
        for start in range(0, len(waiting), BATCH_ROWS):
            batch = waiting[start : start + BATCH_ROWS]
            now = max(self._clock.utc_now(), self.rotation.started_at)
            changes, failed = await self._vault.reseal(batch, manifest, primary, now)
            try:
                applied = await self._change(tenant_id, changes) if changes else ()
            except CredentialDamaged:
                # The list changed meanwhile; another pass sees it anew.
                applied = ()
            left |= len(applied) < len(changes)
            await self._count(len(applied), failed)
        return left

    async def _change(self, tenant_id: str, changes: Sequence[Change]) -> tuple[str, ...]:
        for tried in range(BUSY_TRIES_MAX):
            try:
                return await self._vault.change(tenant_id, changes)
            except StoreUnavailable:
                if tried == BUSY_TRIES_MAX - 1:
                    raise
                await asyncio.sleep(BUSY_PAUSE_S * (tried + 1))
        return ()

    async def _count(self, done: int, failed: Sequence[str]) -> None:
        self._done += done
        self._failed.update(failed)
        self.rotation = self.rotation.counted(done=self._done, failed=len(self._failed))
        await self._log.note(self.rotation, instead_of=self.rotation.rotation_id)
        self._progress(self.rotation)


def _check(by: Principal) -> None:
    if not by.may(ROTATE):
        raise Forbidden(f"this key's role {by.role} may not do this: {ROTATE} is needed")
