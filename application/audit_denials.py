"""Noting who was turned away: one entry per minute for all that were alike, so that a flood fills no disk."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from application.audit_trail import details_text
from application.ports.audit import AuditStore
from application.ports.system import Clock
from domain.audit.entry import DENIED, AuditDraft, bounded
from domain.errors import StoreUnavailable
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT

GROUPS_MAX: Final = 1000
PER_TENANT_MAX: Final = 100
WRITE_EVERY_S: Final = 60.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Alike(NamedTuple):
    tenant_id: str
    actor_kind: str
    actor_id: str
    actor_name: str
    role: str
    address: str
    action: str
    code: str


class Denials:
    """Counts refusals in memory; `write` enters them, and is for the lifespan to run and to end with.

    Beyond `GROUPS_MAX` different ones in one round (`PER_TENANT_MAX` of one tenant) the rest of a tenant is
    counted together. A process that is killed loses at most one round.
    """

    def __init__(self, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counts: dict[_Alike, list[int]] = {}
        self._of_tenant: dict[str, int] = {}

    def note(self, by: Principal | None, action: str, code: str, address: str) -> None:
        """Somebody was refused with this code. `by` is None when nobody knows who it was."""
        now_us = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
        tenant_id = by.tenant_id if by is not None else OPERATOR_TENANT
        if by is None:
            alike = _Alike(tenant_id, "nobody", "", "", "", bounded(address), action, code)
        else:
            # Of tokens the name is that of a user, who may have to be forgotten; usage rows know the id.
            name = "" if by.kind == "token" else bounded(by.key_name)
            alike = _Alike(tenant_id, by.kind, by.key_id, name, by.role, bounded(address), action, code)
        counted = self._counts.get(alike)
        if counted is None:
            theirs = self._of_tenant.get(tenant_id, 0)
            if theirs >= PER_TENANT_MAX or len(self._counts) >= GROUPS_MAX:
                alike = _Alike(tenant_id, "several", "", "", "", "", "several", code)
                counted = self._counts.get(alike)
                if counted is None and len(self._counts) >= 2 * GROUPS_MAX:
                    alike = _Alike(OPERATOR_TENANT, "several", "", "", "", "", "several", "several")
                    counted = self._counts.get(alike)
        if counted is None:
            self._of_tenant[tenant_id] = self._of_tenant.get(tenant_id, 0) + 1
            counted = self._counts[alike] = [now_us, now_us, 0]
        counted[1] = now_us
        counted[2] += 1

    async def write(self) -> None:
        """Enters what was counted. Raises StoreUnavailable; then it is counted on."""
        counts, self._counts, self._of_tenant = self._counts, {}, {}
        if not counts:
            return
        try:
            await self._store.append([_draft(alike, *counted) for alike, counted in counts.items()])
        except StoreUnavailable:
            self._take_back(counts)
            raise

    def _take_back(self, counts: dict[_Alike, list[int]]) -> None:
        for alike, (first_us, last_us, number) in counts.items():
            newer = self._counts.pop(alike, None)
            if newer is not None:
                last_us, number = newer[1], number + newer[2]
            self._counts[alike] = [first_us, last_us, number]
        self._of_tenant = {}
        for alike in self._counts:
            self._of_tenant[alike.tenant_id] = self._of_tenant.get(alike.tenant_id, 0) + 1


def _draft(alike: _Alike, first_us: int, last_us: int, number: int) -> AuditDraft:
    return AuditDraft(
        tenant_id=alike.tenant_id,
        at_us=first_us,
        kind=DENIED,
        action=alike.action,
        outcome=alike.code,
        actor_kind=alike.actor_kind,
        actor_id=alike.actor_id,
        actor_name=alike.actor_name,
        role=alike.role,
        address=alike.address,
        subject="",
        request_id="",
        refers_to=0,
        details=details_text({"times": number, "until_us": last_us}),
    )
