"""Tenants: the border nothing crosses, and what is demanded of everything inside it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final


class TenantState(Enum):
    """A suspended tenant keeps everything it has, and nobody of it is let in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant as every rule sees it. What is empty demands nothing.

    `organisation` groups tenants for limits that they share. `residency` and `compliance` hold for all that
    is sent or kept for it; `privacy` names a policy that is the least its requests get; `guardrails` names
    those every request of it passes. `networks` are CIDRs its callers may come from, `egress` hosts its own
    integrations may reach.
    """

    tenant_id: str
    name: str = ""
    organisation: str = ""
    state: TenantState = TenantState.ACTIVE
    residency: str = ""
    compliance: frozenset[str] = frozenset()
    privacy: str = ""
    guardrails: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    projects_enforced: bool = False
    """Whether each of its keys has to name one of its projects."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def active(self) -> bool:
        return self.state is TenantState.ACTIVE


TENANTS_MAX: Final = 100_000


def unregistered(tenant_id: str) -> Tenant:
    """A tenant nobody described: active, without demands of its own."""
    return Tenant(tenant_id=tenant_id)
