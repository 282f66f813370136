"""Making, changing, pausing and removing integrations through the API. What the file declares is the file's.

An integration belongs to one tenant. A key that is bound to some integrations sees and changes only those:
for it, the others do not exist.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NamedTuple

from application.ports.integrations import HealthLog, IntegrationStore
from application.ports.system import Clock
from application.ports.tool_pins import ToolPins
from application.tools.finishing import to_the_end
from application.tools.forms import Asked, TermsCheck, in_configuration, read_form, same_place
from application.tools.health_board import HealthBoard
from application.tools.keeping_secrets import IntegrationSecrets, own_name, own_names
from application.tools.kinds import ConnectorKinds
from application.tools.pinning import complaint_of
from application.tools.reaching import OpensConnectors, Reached, attempted, reach_anew
from domain.connectors.health import HealthCheck, HealthState, Seen, judged
from domain.connectors.integration import (
    INSTALLATION,
    INTEGRATIONS_PER_TENANT_MAX,
    Integration,
    IntegrationKind,
    IntegrationState,
    check_integration_id,
)
from domain.errors import (
    Forbidden,
    IntegrationExists,
    IntegrationUnavailable,
    InvalidConfiguration,
    NotFound,
    OwnedByFile,
    StoreUnavailable,
)
from domain.tenancy.key_rules import named_tenant
from domain.tenancy.patterns import matches_any
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretBytes

READ: Final = "integrations.read"
OPERATE: Final = "integrations.operate"
WRITE: Final = "integrations.write"
HISTORY_MAX: Final = 100


async def _nothing_more(_integration: Integration, _given: Mapping[str, SecretBytes]) -> None:
    """Its own section said it all."""


class IntegrationKeeping(NamedTuple):
    """What the running configuration knows of integrations."""

    declared: Callable[[], Sequence[Integration]]
    declared_in: Callable[[Integration], str | None]
    """Where the file declares it, such as `interchange.yaml:12`."""
    check_terms: TermsCheck
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""
    check: Callable[[Integration, Mapping[str, SecretBytes]], Awaitable[None]] = _nothing_more
    """What only the running configuration can tell of one that is new or changed. Raises Conflict,
    InvalidConfiguration."""


class IntegrationRecord(NamedTuple):
    """An integration, where the file declares it, and how it is doing (None: nobody looked)."""

    integration: Integration
    declared_in: str | None = None
    health: HealthCheck | None = None
    inner: bool = True
    """Whether whoever asked may see how it is configured: tenants use what is there for all of them, and need
    not know of the operator's hosts, queries and credentials."""


class Tested(NamedTuple):
    """An integration that could be reached."""

    integration: Integration
    check: HealthCheck
    facts: Mapping[str, Any]


class ManageIntegrations:
    """Every change is in force on this instance when it returns, and within a second on all."""

    def __init__(
        self,
        store: IntegrationStore,
        health: HealthLog,
        board: HealthBoard,
        kinds: ConnectorKinds,
        opening: OpensConnectors,
        secrets: IntegrationSecrets,
        clock: Clock,
        keeping: IntegrationKeeping,
        pins: ToolPins | None = None,
    ) -> None:
        """`pins` are of tools of upstream servers."""
        self._pins = pins
        self._store = store
        self._health = health
        self._board = board
        self._kinds = kinds
        self._opening = opening
        self._secrets = secrets
        self._clock = clock
        self._keeping = keeping

    async def page(
        self,
        by: Principal,
        tenant_id: str | None = None,
        *,
        limit: int,
        after: str = "",
        kind: IntegrationKind | None = None,
    ) -> tuple[list[IntegrationRecord], bool]:
        """By id, and whether more follow; those that are declared for everybody are among them.

        Raises Forbidden, StoreUnavailable.
        """
        wanted = named_tenant(by, tenant_id, READ)
        found = {
            each.integration_id: each
            for each in self._declared(wanted)
            if each.integration_id > after and kind in (None, each.kind) and _reaches(by, each.integration_id)
        }
        at = after
        while len(found) <= limit:
            stored = await self._store.page(wanted, limit=limit + 1, after=at, kind=kind)
            found |= {each.integration_id: each for each in stored if _reaches(by, each.integration_id)}
            if len(stored) <= limit:
                break
            at = stored[-1].integration_id
        names = sorted(found)
        return [self._record(found[name], by) for name in names[:limit]], len(names) > limit

    async def one(
        self, by: Principal, integration_id: str, tenant_id: str | None = None
    ) -> IntegrationRecord:
        """Raises NotFound (also for what the key does not reach), Forbidden, StoreUnavailable."""
        return await self._found(by, integration_id, tenant_id, READ)

    async def create(self, by: Principal, asked: Asked, tenant_id: str | None = None) -> IntegrationRecord:
        """Reaches it once before it is kept; where that fails, nothing is kept.

        Raises InvalidRequest for the id, IntegrationExists, OwnedByFile, Conflict (too many), Forbidden,
        InvalidConfiguration, IntegrationUnavailable where it cannot be reached, VaultLocked,
        CredentialDamaged, StoreUnavailable.
        """
        wanted = named_tenant(by, tenant_id, WRITE)
        check_integration_id(asked.integration_id)
        if not _reaches(by, asked.integration_id):
            raise Forbidden("this key is bound to other integrations", param="integration_id")
        await self._refuse_known(wanted, asked.integration_id)
        form = read_form(self._kinds, asked, wanted)
        with in_configuration():
            self._keeping.check_terms(form.terms)
            await self._secrets.check(by, form.integration, form.referenced)
        now_us = self._now_us()
        named = {**form.referenced, **{field: own_name(asked.integration_id, field) for field in form.given}}
        integration = replace(
            form.integration,
            credentials=named,
            created_at_us=now_us,
            updated_at_us=now_us,
            updated_by=by.key_id,
        )
        with in_configuration():
            await self._keeping.check(integration, form.given)
        reached = await self._reach(integration, form.given)
        await to_the_end(self._keep_new(integration, form.given, by))
        await self._note_reached(integration, reached)
        await self._tell()
        return self._record(integration)

    async def replace(
        self, by: Principal, integration_id: str, asked: Asked, tenant_id: str | None = None
    ) -> IntegrationRecord:
        """Secrets that are not sent keep their value, unless the endpoint leads elsewhere. An active one is
        reached once before; where that fails, nothing changes. Its type cannot change.

        Raises as `create`, and NotFound, Conflict when somebody else changed it meanwhile.
        """
        known = await self._writable(by, integration_id, tenant_id, WRITE)
        form = read_form(self._kinds, asked, known.tenant_id)
        if form.integration.kind is not known.kind:
            raise InvalidConfiguration(
                f"type cannot change (it is {known.kind.value}): make another integration", param="type"
            )
        with in_configuration():
            self._keeping.check_terms(form.terms)
            credentials = await self._secrets.after(by, known, form)
        integration = replace(
            form.integration,
            credentials=credentials,
            state=known.state,
            version=known.version + 1,
            created_at_us=known.created_at_us,
            updated_at_us=self._now_us(),
            updated_by=by.key_id,
        )
        with in_configuration():
            await self._keeping.check(integration, form.given)
        reached = None
        if integration.state is IntegrationState.ACTIVE:
            reached = await self._reach(integration, form.given)
        await to_the_end(self._keep_changed(known, integration, form.given, by))
        if reached is not None:
            await self._note_reached(integration, reached)
        await self._tell()
        return self._record(integration)

    async def remove(
        self, by: Principal, integration_id: str, tenant_id: str | None = None
    ) -> IntegrationRecord:
        """Its last state; the secrets that came with it go too. Raises NotFound, Forbidden, OwnedByFile,
        VaultLocked, CredentialDamaged, StoreUnavailable."""
        known = await self._writable(by, integration_id, tenant_id, WRITE)
        # Secrets first: whoever tries again after a failure still finds what they belonged to.
        await self._secrets.take_out(known.tenant_id, own_names(known))
        if not await self._store.delete(known.tenant_id, integration_id):
            raise _unknown(integration_id)
        if self._pins is not None:
            await self._pins.forget(known.tenant_id, integration_id)
        await self._tell()
        return IntegrationRecord(known)

    async def test(self, by: Principal, integration_id: str, tenant_id: str | None = None) -> Tested:
        """Reaches it now, in whatever state it is; what came of it is noted as a check.

        Raises NotFound, Forbidden, IntegrationUnavailable, InvalidConfiguration, VaultLocked,
        CredentialDamaged, StoreUnavailable.
        """
        integration = (await self._found(by, integration_id, tenant_id, OPERATE)).integration
        place = (integration.tenant_id, integration_id)
        before = await self._board.known(*place)
        attempt = await attempted(self._reached(integration), self._clock)
        check = judged(place, attempt.seen, before, self._now_us())
        await self._board.note(integration, check)
        if attempt.reached is None:
            raise attempt.error or IntegrationUnavailable(attempt.seen.error)
        return Tested(integration, check, attempt.reached.facts)

    async def set_state(
        self, by: Principal, integration_id: str, state: IntegrationState, tenant_id: str | None = None
    ) -> IntegrationRecord:
        """Pauses it or lets it go on. Raises NotFound, Forbidden, OwnedByFile, Conflict, StoreUnavailable."""
        known = await self._writable(by, integration_id, tenant_id, OPERATE)
        if known.state is state:
            return self._record(known)
        now_us = self._now_us()
        changed = replace(
            known, state=state, version=known.version + 1, updated_at_us=now_us, updated_by=by.key_id
        )
        await self._store.change(changed, expected_version=known.version)
        if state is IntegrationState.MAINTENANCE:
            paused = HealthCheck(known.tenant_id, integration_id, now_us, HealthState.MAINTENANCE)
            await self._board.note(changed, paused)
        await self._tell()
        return self._record(changed)

    async def health(
        self, by: Principal, integration_id: str, tenant_id: str | None = None
    ) -> tuple[IntegrationRecord, list[HealthCheck]]:
        """The newest checks first, at most HISTORY_MAX. Raises as `one`."""
        record = await self._found(by, integration_id, tenant_id, READ)
        place = (record.integration.tenant_id, integration_id)
        checks = await self._health.history(*place, limit=HISTORY_MAX)
        return record._replace(health=checks[0] if checks else record.health), checks

    async def _keep_new(
        self, integration: Integration, given: Mapping[str, SecretBytes], by: Principal
    ) -> None:
        # The row first: whoever has it owns the name, and with it the names of its credentials.
        await self._store.put(integration, tenant_max=INTEGRATIONS_PER_TENANT_MAX)
        try:
            await self._secrets.keep(integration.tenant_id, integration.integration_id, given, by.key_id)
        except BaseException:
            await self._store.delete(integration.tenant_id, integration.integration_id)
            raise

    async def _keep_changed(
        self, known: Integration, wanted: Integration, given: Mapping[str, SecretBytes], by: Principal
    ) -> None:
        aside = () if same_place(known, wanted) else await self._secrets.set_aside(known)
        changed = False
        try:
            await self._store.change(wanted, expected_version=known.version)
            changed = True
            await self._secrets.keep(wanted.tenant_id, wanted.integration_id, given, by.key_id)
        except BaseException:
            if changed:
                back = replace(known, version=wanted.version + 1)
                await self._store.change(back, expected_version=wanted.version)
            await self._secrets.put_back(known.tenant_id, aside)
            raise
        await self._secrets.take_out(known.tenant_id, own_names(known) - own_names(wanted))

    async def _reach(self, integration: Integration, given: Mapping[str, SecretBytes]) -> Reached:
        with in_configuration():
            return await reach_anew(self._opening, integration, given, self._clock)

    async def _reached(self, integration: Integration) -> Reached:
        reached = await self._reach(integration, {})
        return reached._replace(complaint=await self._complaint(integration, reached))

    async def _complaint(self, integration: Integration, reached: Reached) -> str:
        return await complaint_of(self._pins, integration, reached.tools, self._clock)

    async def _note_reached(self, integration: Integration, reached: Reached) -> None:
        place = (integration.tenant_id, integration.integration_id)
        seen = Seen(reached.latency_ms, complaint=await self._complaint(integration, reached))
        check = judged(place, seen, None, self._now_us())
        await self._board.note(integration, check)

    async def _refuse_known(self, tenant_id: str, integration_id: str) -> None:
        for each in self._declared(tenant_id):
            if each.integration_id == integration_id:
                raise self._owned_by_file(each)
        if await self._store.get(tenant_id, integration_id) is not None:
            raise IntegrationExists(f"integration {integration_id!r} exists", param="integration_id")

    async def _writable(
        self, by: Principal, integration_id: str, tenant_id: str | None, permission: str
    ) -> Integration:
        record = await self._found(by, integration_id, tenant_id, permission)
        if record.integration.declared:
            raise self._owned_by_file(record.integration)
        return record.integration

    async def found(
        self, by: Principal, integration_id: str, tenant_id: str | None, permission: str
    ) -> Integration:
        """One that a caller may do something with. Raises as `one`."""
        return (await self._found(by, integration_id, tenant_id, permission)).integration

    async def _found(
        self, by: Principal, integration_id: str, tenant_id: str | None, permission: str
    ) -> IntegrationRecord:
        wanted = named_tenant(by, tenant_id, permission)
        if not _reaches(by, integration_id):
            raise _unknown(integration_id)
        declared = [each for each in self._declared(wanted) if each.integration_id == integration_id]
        own = next((each for each in declared if each.tenant_id == wanted), None)
        found = own or await self._store.get(wanted, integration_id) or next(iter(declared), None)
        if found is None:
            raise _unknown(integration_id)
        return self._record(found, by)

    def _declared(self, tenant_id: str) -> list[Integration]:
        """What the file says of a tenant's integrations; its own come after those for everybody."""
        every = self._keeping.declared()
        return [each for each in every if each.tenant_id == INSTALLATION] + [
            each for each in every if each.tenant_id == tenant_id
        ]

    def _record(self, integration: Integration, by: Principal | None = None) -> IntegrationRecord:
        place = self._keeping.declared_in(integration) if integration.declared else None
        health = self._board.latest(integration.tenant_id, integration.integration_id)
        inner = integration.tenant_id != INSTALLATION or by is None or by.tenant_id == OPERATOR_TENANT
        return IntegrationRecord(integration, place if inner else None, health, inner)

    def _owned_by_file(self, integration: Integration) -> OwnedByFile:
        place = self._keeping.declared_in(integration)
        return OwnedByFile(
            f"integration {integration.integration_id!r} is declared in {place or 'the configuration'}; "
            "change it there, or take it out there first",
            param="integration_id",
            details={"owner": "file", "declared_in": place},
        )

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def _reaches(by: Principal, integration_id: str) -> bool:
    return matches_any(by.integrations, integration_id)


def _unknown(integration_id: str) -> NotFound:
    return NotFound(f"no integration {integration_id[:80]!r} in this tenant", param="integration_id")
