"""Puts together what works with the vault, from ports alone, and what runs beside requests for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from application.audit_trail import AuditTrail
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.ports.vault import (
    CredentialEnvelope,
    CredentialStore,
    KeyEncryption,
    ManifestPins,
    ManifestSigning,
    RotationLog,
)
from application.use_cases.manage_credentials import ManageCredentials, UsedBy, nothing_uses
from application.use_cases.rotate_vault import RotateVault, VaultStatus
from application.vault import Vault
from application.vault_manifests import ManifestBook
from application.vault_own_keys import OwnKeys
from domain.errors import CredentialDamaged, InterchangeError, VaultLocked
from domain.tenancy.role import OPERATOR_TENANT, local_operator
from domain.vault.manifest import Finding
from domain.vault.rotation import Rotation
from domain.vault.secret import SecretText
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.config.credential_references import used_by
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import Settings

log = logging.getLogger("interchange")

FOLLOWED_EVERY_S: Final = 0.5
ROTATION_LOOK_EVERY_S: Final = 30.0
PINS_KEPT_EVERY_S: Final = 1.0
PROBLEMS_SHOWN_MAX: Final = 5


UseKeys = Callable[[Mapping[str, bytes]], None]


@dataclass(slots=True)
class _Seen:
    findings: tuple[Finding, ...] = ()
    locked: str = ""
    sealing: str = ""
    generation: int | None = None
    status: VaultStatus | None = None
    stuck: tuple[str, int] = ("", -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFacts:
    """How a vault stands. `locked` says why its keys cannot be used; empty: they can."""

    used: bool
    locked: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vaulting:
    """What the routes, the commands and the background call."""

    vault: Vault
    rotate: RotateVault
    own: OwnKeys
    seals: list[UseKeys] = field(default_factory=list)
    """What is told the keys of kept answers, and when they turned."""
    seen: _Seen = field(default_factory=_Seen)

    def manage(
        self, settings: Callable[[], Settings], also_used_by: UsedBy = nothing_uses
    ) -> ManageCredentials:
        """For a configuration that may name credentials of the operator's tenant; `also_used_by` knows of
        others that do, of any tenant."""

        def user(tenant_id: str, name: str) -> str | None:
            named = used_by(settings(), name) if tenant_id == OPERATOR_TENANT else None
            return named or also_used_by(tenant_id, name)

        return ManageCredentials(self.vault, used_by=user)

    async def open_named(self, names: Collection[str]) -> dict[str, SecretText]:
        """Those of the operator's tenant that are there, for what the configuration names.

        Raises ProvisioningError where they do not open, StoreUnavailable.
        """
        try:
            opened = await self.vault.open(OPERATOR_TENANT, names)
        except (CredentialDamaged, VaultLocked) as error:
            raise ProvisioningError([f"vault: {error.message}"]) from error
        try:
            return {name: SecretText(content.reveal().decode()) for name, content in opened.items()}
        except UnicodeDecodeError:
            text = "vault: a credential that the configuration names is not text"
            raise ProvisioningError([text]) from None

    async def exist(self, names: Collection[str]) -> dict[str, SecretText]:
        """Those that are there, not opened: for looking at a configuration where the keys are not."""
        if not names:
            return {}
        kept = await self.vault.store.tenant(OPERATOR_TENANT)
        return {row.name: SecretText("not-opened") for row in kept.rows if row.name in names}

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should see to, in words: `found`, or that the keys are away."""
        return (*self.found, *([self.seen.locked] if self.seen.locked else []))

    @property
    def found(self) -> tuple[str, ...]:
        """What is missing, was put back or changed, as the last look found it."""
        told = [finding.message for finding in self.seen.findings[:PROBLEMS_SHOWN_MAX]]
        if more := len(self.seen.findings) - len(told):
            told.append(f"and {more} more; see `interchange credentials verify`")
        return tuple(told)

    @property
    def degraded(self) -> bool:
        """Whether something is not as it was stored, or the keys are away."""
        return bool(self.seen.findings or self.seen.locked)

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_vault_findings",
            "Credentials and lists of them that are not what was stored.",
            (((), len(self.seen.findings)),),
        )
        yield Gauge(
            "interchange_vault_locked",
            "1 while the source of master keys does not answer.",
            (((), int(bool(self.seen.locked))),),
        )
        if self.seen.status is not None:
            yield Gauge(
                "interchange_vault_credentials",
                "Credentials under each master key, of all tenants.",
                tuple(((("key_id", use.key.key_id),), use.credentials) for use in self.seen.status.keys),
            )

    async def look(self) -> None:
        """Compares the signed lists with what is stored, and counts. Raises StoreUnavailable."""
        if not (await self.vault.store.figures()).tenants and await self._never_used():
            return
        before = set(self.seen.findings)
        try:
            findings = await self.vault.check(deep=False)
            self.seen.status = await self.rotate.figures()
        except VaultLocked as error:
            if not self.seen.locked:
                log.error("the vault is locked: %s", error.message)
            self.seen.locked = error.message
            return
        self.seen.locked, self.seen.findings = "", tuple(findings)
        for finding in findings:
            if finding not in before:
                log.error("vault: %s", finding.message)
        if before and not findings:
            log.warning("vault: every credential is as it was stored again")

    async def follow_own_keys(self) -> None:
        """Tells the seals which keys there are, whenever something of the vault changed. Raises
        StoreUnavailable."""
        if not self.seals:
            return
        generation = await self.vault.store.generation()
        if generation == self.seen.generation:
            return
        try:
            opened = await self.own.open()
        except (VaultLocked, CredentialDamaged) as error:
            if error.message != self.seen.sealing:
                log.error("vault: kept answers are sealed for this process only: %s", error.message)
            self.seen.sealing = error.message
            return
        for use in self.seals:
            use({name: key.reveal() for name, key in opened.items()})
        self.seen.generation, self.seen.sealing = generation, ""

    async def _never_used(self) -> bool:
        try:
            return await self.vault.book.read() is None
        except CredentialDamaged:
            return False

    async def start(
        self,
        stack: AsyncExitStack,
        tasks: BackgroundTasks,
        settings: Settings,
        follow: Callable[[], Awaitable[None]],
        trail: AuditTrail,
    ) -> None:
        """Looks once, then compares, remembers and turns until the tasks end; `follow` takes over what
        changed of the credentials in use, `trail` is told what begins by itself."""
        section = settings.vault
        await in_any_case(self.look)
        await in_any_case(self.follow_own_keys)
        stack.push_async_callback(in_any_case, self.aclose)
        tasks.start("credentials", lambda: every(FOLLOWED_EVERY_S, follow))
        tasks.start("cache keys", lambda: every(FOLLOWED_EVERY_S, self.follow_own_keys))
        tasks.start("vault", lambda: every(section.check_every_s, self.look))
        tasks.start("vault memory", lambda: every(PINS_KEPT_EVERY_S, self.vault.book.keep))
        tasks.start("vault rotation", lambda: self._turn(section.rotate_every_days, trail))

    async def aclose(self) -> None:
        """Keeps what is to be remembered. Raises StoreUnavailable."""
        await self.vault.book.keep(at_once=True)

    async def _turn(self, every_days: int | None, trail: AuditTrail) -> None:
        """Carries out what was asked for here, what is due, and what somebody else left unfinished."""
        while True:
            try:
                if (due := await self.rotate.begin_if_due(every_days)) is not None:
                    async with trail.act(local_operator(), "credentials.rotate", due.rotation_id):
                        pass  # `run` is what takes long; it says itself how it ended
                if self.rotate.asked.is_set() or await self._was_left():
                    told(await self.rotate.run())
            except InterchangeError as error:
                log.warning("vault rotation: %s; it goes on later", error.message)
            try:
                async with asyncio.timeout(ROTATION_LOOK_EVERY_S):
                    await self.rotate.asked.wait()
            except TimeoutError:
                continue

    async def _was_left(self) -> bool:
        """Whether one is unfinished that did not move since the last look."""
        rotation = await self.rotate.unfinished()
        if rotation is None:
            return False
        now = (rotation.rotation_id, rotation.done + rotation.failed)
        stuck, self.seen.stuck = self.seen.stuck == now, now
        return stuck


class OpenedVault(NamedTuple):
    """For commands."""

    manage: ManageCredentials
    vaulting: Vaulting
    rotate_every_days: int | None = None


def told(rotation: Rotation | None) -> None:
    """Logs how a rotation ended."""
    if rotation is None:
        return
    log.warning("vault: %d credentials are under new keys (%s)", rotation.done, rotation.kind.value)
    if rotation.failed:
        log.error("vault: %d credentials do not open and were left as they are", rotation.failed)


def make_vaulting(
    *,
    store: CredentialStore,
    rotations: RotationLog,
    envelope: CredentialEnvelope,
    keys: KeyEncryption,
    signing: ManifestSigning,
    pins: ManifestPins,
    clock: Clock,
    ids: IdFactory,
) -> Vaulting:
    """Everything around stored credentials; opens nothing."""
    vault = Vault(store, envelope, keys, ManifestBook(signing, pins, clock), clock, ids)
    own = OwnKeys(vault, signing.new_seed)
    return Vaulting(vault=vault, rotate=RotateVault(vault, rotations, clock, ids, own), own=own)
