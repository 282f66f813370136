"""The vault: credentials are put in, replaced, taken out and opened, each time against the signed list.

Nothing is opened that the manifest does not list as it stands there, and nothing is signed that builds on
something it does not list. What is opened leaves as a secret that never prints.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from application.ports.system import Clock, IdFactory
from application.ports.vault import CredentialEnvelope, CredentialStore, Kept, KeyEncryption
from application.vault_manifests import ManifestBook, Signer
from domain.errors import Conflict, CredentialDamaged, NotFound
from domain.vault.credential import (
    OWN_TENANT,
    Change,
    NewCredential,
    StoredCredential,
    check_names,
    check_room,
    check_value,
)
from domain.vault.manifest import Finding, Manifest, Pin, all_of, pin_finding
from domain.vault.secret import SecretBytes

SIGNER_NAME: Final = "manifest-signer"
RESEALED_TRIES_MAX: Final = 5
"""Each rotation seals a row once, so it hardly comes twice."""
AT_ONCE: Final = 8
"""How many rows are sealed again at the same time: keys may be far away."""


class Read(NamedTuple):
    """A tenant's rows and their list, and what this instance knew of the list before it read them."""

    kept: Kept
    pin: Pin | None


class Vault:
    """Belongs to one event loop."""

    def __init__(
        self,
        store: CredentialStore,
        envelope: CredentialEnvelope,
        keys: KeyEncryption,
        book: ManifestBook,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self.store = store
        self.keys = keys
        self.book = book
        self._envelope = envelope
        self._clock = clock
        self._ids = ids
        self._signer: Signer | None = None

    async def open(self, tenant_id: str, names: Collection[str]) -> dict[str, SecretBytes]:
        """Those of `names` that the tenant has.

        Raises CredentialDamaged where one of them, or the list of all, is not what was stored; VaultLocked,
        StoreUnavailable.
        """
        if not names:
            return {}
        read = await self.read(tenant_id)
        kept, manifest = read.kept, await self.believed(tenant_id, read)
        opened: dict[str, SecretBytes] = {}
        for row in kept.rows:
            if row.name in names:
                opened[row.name] = await self.open_row(row, manifest)
        lost = {entry.credential_id for entry in manifest.findings(kept.rows) if entry.code == "missing"}
        if lost and set(names) - set(opened):
            raise CredentialDamaged(
                f"a credential of tenant {tenant_id!r} is listed and not there: {', '.join(sorted(lost))}; "
                "see `interchange credentials verify`"
            )
        return opened

    async def open_row(self, row: StoredCredential, manifest: Manifest) -> SecretBytes:
        """What is in one row. Raises CredentialDamaged, VaultLocked."""
        if not manifest.lists(row.credential_id, row.digest):
            raise CredentialDamaged(
                f"credential {row.name!r} of tenant {row.tenant_id!r} is not the one that its manifest lists"
            )
        return await self._envelope.open(row.address, row.key_id, row.sealed)

    async def put(self, new: NewCredential, value: SecretBytes, by: str) -> StoredCredential:
        """A credential of that name from now on. Raises InvalidRequest, Conflict where there is one, or
        no room; CredentialDamaged, VaultLocked, StoreUnavailable."""
        check_names(new)
        check_value(value.reveal())
        kept = await self.store.tenant(new.tenant_id)
        if any(row.name == new.name for row in kept.rows):
            raise Conflict(
                f"tenant {new.tenant_id} has a credential {new.name!r}; replace it instead", param="name"
            )
        _check_room(new.tenant_id, kept.rows, len(value.reveal()))
        row = await self._sealed_row(new, value, by)
        await self.change(new.tenant_id, [Change(row.credential_id, None, row)])
        return row

    async def replace(
        self,
        tenant_id: str,
        credential_id: str,
        value: SecretBytes,
        by: str,
        *,
        expected_version: int | None = None,
    ) -> StoredCredential:
        """The next version; the one before is gone from the database. `expected_version`: only in the place
        of that one, else Conflict. Raises as `put` does, and NotFound."""
        check_value(value.reveal())

        async def next_version(kept: Kept, row: StoredCredential) -> Change:
            if expected_version not in (None, row.version):
                raise Conflict(f"credential {credential_id} was changed by somebody else; try again")
            others = [other for other in kept.rows if other is not row]
            _check_room(tenant_id, others, len(value.reveal()))
            now, key_id = self._clock.utc_now(), await self._primary()
            bare = replace(row, version=row.version + 1, key_id=key_id, updated_at=now, updated_by=by)
            sealed = await self._envelope.seal(bare.address, key_id, value)
            return Change(credential_id, row.digest, replace(bare, sealed=sealed, sealed_at=now))

        _, made = await self._change_as_it_stands(tenant_id, credential_id, next_version)
        assert made is not None, "asked for above"
        return made

    async def delete(self, tenant_id: str, credential_id: str) -> StoredCredential:
        """Takes it out for good; what it was. Raises NotFound, Conflict, CredentialDamaged,
        StoreUnavailable."""

        async def nothing(_: Kept, row: StoredCredential) -> Change:
            return Change(credential_id, row.digest, None)

        row, _ = await self._change_as_it_stands(tenant_id, credential_id, nothing)
        return row

    async def row(self, tenant_id: str, credential_id: str) -> tuple[Kept, StoredCredential]:
        """One credential as it is stored, among all of its tenant. Raises NotFound, StoreUnavailable."""
        kept = await self.store.tenant(tenant_id)
        for row in kept.rows:
            if row.credential_id == credential_id:
                return kept, row
        raise NotFound(f"no credential {credential_id[:60]!r} in this tenant", param="credential_id")

    async def reseal(
        self, rows: Sequence[StoredCredential], manifest: Manifest, key_id: str, now: datetime
    ) -> tuple[list[Change], list[str]]:
        """The rows under this key and data keys of their own, not stored yet; and the ids of those that
        do not open. Raises VaultLocked."""
        changes: list[Change] = []
        failed: list[str] = []

        async def one(row: StoredCredential) -> None:
            try:
                content = await self.open_row(row, manifest)
            except CredentialDamaged:
                failed.append(row.credential_id)
                return
            bare = replace(row, key_id=key_id)
            sealed = await self._envelope.seal(bare.address, key_id, content)
            made = replace(bare, sealed=sealed, sealed_at=now)
            changes.append(Change(row.credential_id, row.digest, made))

        for start in range(0, len(rows), AT_ONCE):
            await _all(*(one(row) for row in rows[start : start + AT_ONCE]))
        return changes, failed

    async def change(self, tenant_id: str, changes: Sequence[Change]) -> tuple[str, ...]:
        """The ids of what changed: what somebody else changed meanwhile did not. Raises Conflict,
        CredentialDamaged, StoreUnavailable."""
        signer = await self.signer(create=True)
        assert signer is not None
        signed, applied = await self.store.change(
            tenant_id,
            changes,
            lambda old, kept, applying: self.book.next(signer, tenant_id, old, kept, applying),
        )
        if applied and signed is not None:
            self.book.remember(tenant_id, signed)
            await self.book.keep()
        return applied

    async def read(self, tenant_id: str) -> Read:
        """Raises StoreUnavailable; CredentialDamaged where what is remembered was changed."""
        await self.book.read()
        pin = self.book.pin(tenant_id)
        return Read(await self.store.tenant(tenant_id), pin)

    async def believed(self, tenant_id: str, read: Read) -> Manifest:
        """The tenant's manifest. Raises CredentialDamaged where it cannot be believed."""
        checked = self.book.check(await self.signer(), tenant_id, read.kept, read.pin)
        for finding in checked.findings:
            if not finding.credential_id:
                raise CredentialDamaged(finding.message)
        return checked.manifest or Manifest(tenant_id=tenant_id)

    async def check(self, *, deep: bool) -> list[Finding]:
        """Everything that is wrong: with the lists, or, `deep`, with what is inside too. What is right is
        remembered. Raises VaultLocked, StoreUnavailable."""
        findings: list[Finding] = []
        try:
            signer = await self.signer()
        except CredentialDamaged as error:
            return [Finding("manifest", OWN_TENANT, "", error.message)]
        figures = await self.store.figures()
        for tenant_id in sorted({*figures.tenants, *self.book.pinned}):
            kept, pin = await self.read(tenant_id)
            checked = self.book.check(signer, tenant_id, kept, pin)
            findings += checked.findings
            if deep and checked.manifest is not None:
                findings += await self._unreadable(kept, checked.manifest)
            if kept.manifest is not None and not checked.findings:
                self.book.remember(tenant_id, kept.manifest)
        await self.book.keep(at_once=True)
        return findings

    async def accept(self) -> int:
        """Signs what is there, whatever is missing or was put back; how many tenants changed. For an operator
        who restored a backup and knows it. Raises CredentialDamaged, VaultLocked, StoreUnavailable."""
        try:
            await self.book.read()
        except CredentialDamaged:
            pinned: dict[str, Pin] = {}
        else:
            pinned = dict(self.book.pinned)
        await self.book.forget()
        self._signer = None
        signer = await self.signer(create=True, anew=True)
        assert signer is not None
        figures, accepted = await self.store.figures(), 0
        for tenant_id in sorted({*figures.tenants, *pinned}):
            kept = await self.store.tenant(tenant_id)
            checked = self.book.check(signer, tenant_id, kept, None)
            before = pinned.get(tenant_id)
            counter = max(
                0 if before is None else before.counter,
                0 if checked.manifest is None else checked.manifest.counter,
            )
            went_back = pin_finding(before, tenant_id, checked.pin) is not None
            if checked.findings or went_back:
                new = self.book.signed(signer, all_of(tenant_id, counter + 1, kept.rows))
                await self.store.change(tenant_id, (), lambda _old, _kept, _changes, new=new: new)  # type: ignore[misc]
                self.book.remember(tenant_id, new)
                accepted += 1
            elif kept.manifest is not None:
                self.book.remember(tenant_id, kept.manifest)
        await self.book.keep(at_once=True)
        return accepted

    async def signer(self, *, create: bool = False, anew: bool = False) -> Signer | None:
        """Who signs; None: nobody did yet. `anew`: also where one is gone.

        Raises CredentialDamaged where there should be one, VaultLocked, StoreUnavailable.
        """
        if self._signer is not None:
            return self._signer
        kept = await self.store.tenant(OWN_TENANT)
        row = next((row for row in kept.rows if row.name == SIGNER_NAME), None)
        if row is None:
            figures = await self.store.figures()
            if not anew and (figures.tenants or await self.book.read() is not None):
                raise CredentialDamaged("the key that signs the vault's manifests is gone")
            if not create:
                return None
            return await self._first_signer(kept)
        seed = await self._envelope.open(row.address, row.key_id, row.sealed)
        signer = self.book.public_of(seed)
        await self.book.admit(signer.public)
        self._signer = signer
        return signer

    async def _first_signer(self, kept: Kept) -> Signer:
        seed = self.book.new_seed()
        signer = self.book.public_of(seed)
        new = NewCredential(tenant_id=OWN_TENANT, name=SIGNER_NAME, integration="vault", field="ed25519")
        row = await self._sealed_row(new, seed, "vault")
        anew = all_of(OWN_TENANT, 0, kept.rows)
        try:
            signed, _ = await self.store.change(
                OWN_TENANT,
                [Change(row.credential_id, None, row)],
                lambda _old, _kept, applying: self.book.signed(signer, anew.revised(applying)),
            )
        except Conflict:
            # Another instance was first.
            found = await self.signer()
            assert found is not None
            return found
        await self.book.admit(signer.public)
        if signed is not None:
            self.book.remember(OWN_TENANT, signed)
        self._signer = signer
        return signer

    async def _sealed_row(self, new: NewCredential, value: SecretBytes, by: str) -> StoredCredential:
        now, key_id = self._clock.utc_now(), await self._primary()
        bare = StoredCredential(
            credential_id=self._ids.next("cred"),
            tenant_id=new.tenant_id,
            name=new.name,
            integration=new.integration,
            field=new.field,
            version=1,
            key_id=key_id,
            sealed=b"",
            sealed_at=now,
            created_at=now,
            updated_at=now,
            updated_by=by,
        )
        return replace(bare, sealed=await self._envelope.seal(bare.address, key_id, value))

    async def _primary(self) -> str:
        return (await self.keys.keys()).primary.key_id

    async def _change_as_it_stands(
        self,
        tenant_id: str,
        credential_id: str,
        change: Callable[[Kept, StoredCredential], Awaitable[Change]],
    ) -> tuple[StoredCredential, StoredCredential | None]:
        """The row before and after. A rotation that seals it anew in between is nobody's conflict."""
        version: int | None = None
        for _ in range(RESEALED_TRIES_MAX):
            kept, row = await self.row(tenant_id, credential_id)
            if version not in (None, row.version):
                break
            version = row.version
            wanted = await change(kept, row)
            if await self.change(tenant_id, [wanted]):
                return row, wanted.row
        raise Conflict(f"credential {credential_id} was changed by somebody else; try again")

    async def _unreadable(self, kept: Kept, manifest: Manifest) -> list[Finding]:
        listed = [row for row in kept.rows if manifest.lists(row.credential_id, row.digest)]
        found: list[Finding] = []
        for row in listed:
            try:
                await self._envelope.open(row.address, row.key_id, row.sealed)
            except CredentialDamaged as error:
                found.append(Finding("unreadable", row.tenant_id, row.credential_id, error.message))
        return found


async def _all(*works: object) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)  # type: ignore[arg-type]


def _check_room(tenant_id: str, rows: Sequence[StoredCredential], size_bytes: int) -> None:
    if tenant_id != OWN_TENANT:
        check_room(tenant_id, len(rows) + 1, sum(len(row.sealed) for row in rows) + size_bytes)
