"""Who signs the vault's manifests, and what this instance remembers of them.

The signing seed is itself a credential of the vault, under the master keys: all instances share it, and
whoever has only the database cannot sign. The memory lies outside of the database (`ManifestPins`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.vault import Kept, ManifestPins, ManifestSigning, Pins
from domain.errors import CredentialDamaged
from domain.vault.credential import Change
from domain.vault.manifest import Finding, Manifest, Pin, SignedManifest, all_of, pin_finding
from domain.vault.secret import SecretBytes

PINS_WRITTEN_EVERY_S: Final = 1.0


class Signer(NamedTuple):
    seed: SecretBytes
    public: bytes


class Checked(NamedTuple):
    """A tenant's manifest, and what is wrong with it; `manifest` None: nothing is listed, or nothing can be
    believed."""

    manifest: Manifest | None
    pin: Pin | None
    findings: tuple[Finding, ...]


class ManifestBook:
    """Signs, checks and remembers manifests. Belongs to one event loop."""

    def __init__(self, signing: ManifestSigning, pins: ManifestPins, clock: Clock) -> None:
        self._signing = signing
        self._stored = pins
        self._clock = clock
        self._by_tenant: dict[str, Pin] = {}
        self._public: bytes | None = None
        self._read = False
        self._dirty = False
        self._begins_anew = False
        self._written_at = clock.monotonic()

    @property
    def pinned(self) -> Mapping[str, Pin]:
        return self._by_tenant

    async def read(self) -> bytes | None:
        """Reads what was remembered, once; the public key remembered, None: nothing is. Raises
        CredentialDamaged, StoreUnavailable."""
        if not self._read:
            self._take(await self._stored.read())
            self._read = True
        return self._public

    async def admit(self, public: bytes) -> None:
        """Remembers who signs. Raises CredentialDamaged where somebody else did."""
        known = await self.read()
        if known is None:
            self._public, self._dirty = public, True
        elif known != public:
            raise CredentialDamaged(
                "the vault's manifests are signed by another key than before: the database is not the one "
                "this data directory knows, or it was tampered with"
            )

    async def forget(self) -> None:
        """Believes whatever is there next: for an operator who accepts it."""
        self._by_tenant, self._public, self._read = {}, None, True
        self._dirty = self._begins_anew = True

    def pin(self, tenant_id: str) -> Pin | None:
        """The newest this instance saw. To be asked before rows are read: what is seen meanwhile may be
        newer than they are."""
        return self._by_tenant.get(tenant_id)

    def check(self, signer: Signer | None, tenant_id: str, kept: Kept, pin: Pin | None) -> Checked:
        """What is wrong with a tenant's rows and manifest, given what was known before they were read;
        nothing is remembered."""
        manifest, seen, findings = None, None, []
        signed = kept.manifest
        if signed is not None:
            manifest = self._believed(signer, tenant_id, signed)
            if manifest is None:
                text = f"the manifest of tenant {tenant_id!r} is not what was signed"
                findings.append(Finding("manifest", tenant_id, "", text))
            else:
                seen = Pin(manifest.counter, signed.digest)
        if (lost := pin_finding(pin, tenant_id, seen)) is not None:
            findings.append(lost)
        if manifest is not None:
            findings += manifest.findings(kept.rows)
        elif signed is None:
            findings += all_of(tenant_id, 0, ()).findings(kept.rows)
        return Checked(manifest, seen, tuple(findings))

    def next(
        self, signer: Signer, tenant_id: str, old: SignedManifest | None, kept: int, changes: Sequence[Change]
    ) -> SignedManifest:
        """The manifest after these changes. Raises CredentialDamaged for an old one that cannot be
        believed."""
        manifest = Manifest(tenant_id=tenant_id)
        pin, seen = self._by_tenant.get(tenant_id), None
        if old is not None:
            believed = self._believed(signer, tenant_id, old)
            if believed is None:
                raise CredentialDamaged(f"the manifest of tenant {tenant_id!r} is not what was signed")
            manifest, seen = believed, Pin(believed.counter, old.digest)
        elif kept:
            raise CredentialDamaged(f"tenant {tenant_id!r} has credentials and no manifest of them")
        if (lost := pin_finding(pin, tenant_id, seen)) is not None:
            raise CredentialDamaged(lost.message)
        return self.signed(signer, manifest.revised(changes))

    def signed(self, signer: Signer, manifest: Manifest) -> SignedManifest:
        body = manifest.body()
        return SignedManifest(body, self._signing.sign(signer.seed, body))

    def public_of(self, seed: SecretBytes) -> Signer:
        return Signer(seed, self._signing.public(seed))

    def new_seed(self) -> SecretBytes:
        return self._signing.new_seed()

    def remember(self, tenant_id: str, signed: SignedManifest) -> None:
        """The newest this instance saw; never goes back."""
        pin = Pin(Manifest.parse(signed.body).counter, signed.digest)
        known = self._by_tenant.get(tenant_id)
        if known is None or pin.counter > known.counter:
            self._by_tenant[tenant_id] = pin
            self._dirty = True

    async def keep(self, *, at_once: bool = False) -> None:
        """Writes what is new of the memory, at most once a second. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        if not self._dirty or self._public is None:
            return
        if not at_once and now - self._written_at < PINS_WRITTEN_EVERY_S:
            return
        if not self._begins_anew:
            # Neighbours on the same machine write there too.
            there = await self._stored.read()
            if there is not None and there.public == self._public:
                self._take(there)
        self._dirty, self._begins_anew, self._written_at = False, False, now
        await self._stored.write(Pins(self._public, dict(self._by_tenant)))

    def _take(self, pins: Pins | None) -> None:
        if pins is None:
            return
        self._public = pins.public
        for tenant_id, pin in pins.by_tenant.items():
            known = self._by_tenant.get(tenant_id)
            if known is None or pin.counter > known.counter:
                self._by_tenant[tenant_id] = pin

    def _believed(self, signer: Signer | None, tenant_id: str, signed: SignedManifest) -> Manifest | None:
        if signer is None or not self._signing.verify(signer.public, signed.body, signed.signature):
            return None
        try:
            manifest = Manifest.parse(signed.body)
        except ValueError:
            return None
        return manifest if manifest.tenant_id == tenant_id else None
