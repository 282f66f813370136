"""The vault's rows in memory: for tests and simulations; gone with the process."""

from collections import Counter
from collections.abc import Collection, Sequence

from application.ports.vault import (
    CredentialStore,
    Kept,
    ManifestPins,
    Pins,
    Revise,
    RotationLog,
    VaultFigures,
)
from domain.errors import Conflict, StoreUnavailable
from domain.vault.credential import Change, StoredCredential
from domain.vault.manifest import SignedManifest
from domain.vault.rotation import Rotation


class InMemoryCredentialStore(CredentialStore):
    """`rows` and `manifests` lie open for tests that change what they should not. Set `reachable` to False to
    take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self.rows: dict[str, StoredCredential] = {}
        self.manifests: dict[str, SignedManifest] = {}
        self._retired: set[str] = set()
        self._generation = 0

    async def tenant(self, tenant_id: str, ids: Collection[str] | None = None) -> Kept:
        self._check()
        rows = tuple(
            row
            for _, row in sorted(self.rows.items())
            if row.tenant_id == tenant_id and (ids is None or row.credential_id in ids)
        )
        return Kept(rows, self.manifests.get(tenant_id))

    async def change(
        self, tenant_id: str, changes: Sequence[Change], revise: Revise
    ) -> tuple[SignedManifest | None, tuple[str, ...]]:
        self._check()
        old = self.manifests.get(tenant_id)
        applying = [each for each in changes if self._applies(tenant_id, each)]
        if changes and not applying:
            return old, ()
        for each in applying:
            if each.row is not None and each.row.key_id in self._retired:
                raise Conflict(f"key {each.row.key_id} was retired; nothing is sealed under it any more")
        kept = sum(row.tenant_id == tenant_id for row in self.rows.values())
        new = revise(old, kept, applying)
        rows = dict(self.rows)
        for each in applying:
            rows.pop(each.credential_id, None)
            if each.row is not None:
                if any((row.tenant_id, row.name) == (tenant_id, each.row.name) for row in rows.values()):
                    raise Conflict(f"tenant {tenant_id} has a credential of that name", param="name")
                rows[each.credential_id] = each.row
        self.rows, self.manifests[tenant_id] = rows, new
        self._generation += 1
        return new, tuple(each.credential_id for each in applying)

    async def figures(self) -> VaultFigures:
        self._check()
        rows = self.rows.values()
        return VaultFigures(
            dict(Counter(row.key_id for row in rows)),
            tuple(sorted({row.tenant_id for row in rows} | set(self.manifests))),
            min((row.created_at for row in rows), default=None),
        )

    async def generation(self) -> int:
        self._check()
        return self._generation

    async def retire(self, key_id: str) -> bool:
        self._check()
        if any(row.key_id == key_id for row in self.rows.values()):
            return False
        self._retired.add(key_id)
        return True

    def _applies(self, tenant_id: str, change: Change) -> bool:
        row = self.rows.get(change.credential_id)
        if row is None or row.tenant_id != tenant_id:
            return change.expected is None
        return change.expected is not None and row.digest == change.expected

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of credentials is not reachable")


class InMemoryRotationLog(RotationLog):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._latest: Rotation | None = None

    async def latest(self) -> Rotation | None:
        self._check()
        return self._latest

    async def note(self, rotation: Rotation, *, instead_of: str | None) -> bool:
        self._check()
        if (None if self._latest is None else self._latest.rotation_id) != instead_of:
            return False
        self._latest = rotation
        return True

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the log of rotations is not reachable")


class InMemoryPins(ManifestPins):
    """What an instance would remember in its data directory."""

    def __init__(self) -> None:
        self.pins: Pins | None = None

    async def read(self) -> Pins | None:
        return self.pins

    async def write(self, pins: Pins) -> None:
        self.pins = pins
