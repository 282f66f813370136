"""Roles: one table from role to permissions. What is not in it is denied.

A tenant's own roles stop at the tenant's border. What concerns the whole installation (the shared
catalogue, its configuration, other tenants' keys) only the tenant that runs it may do.
"""

from collections.abc import Mapping
from typing import Final

from domain.tenancy.principal import Principal

OPERATOR_TENANT: Final = "default"
"""The tenant that runs the installation; the first key belongs to it."""

OWNER: Final = "owner"

_CALL: Final = frozenset({"llm.call", "models.read", "routing.explain", "batch.read", "batch.write"}) | {
    "tools.read",
    "tools.execute",
    "feedback.write",
}
_SEE: Final = frozenset(
    {"models.read", "routing.explain", "catalog.read", "providers.read", "usage.read", "budgets.read"}
    | {"cache.read", "tenants.read", "limits.read", "privacy.read", "guardrails.read", "feedback.read"}
    | {"integrations.read", "tools.read", "webhooks.read", "events.read", "alerts.read"}
    | {"experiments.read"}
)
_OPERATE: Final = frozenset(
    {"metrics.read", "config.read", "providers.write", "agents.stop", "budgets.write"}
    | {"recommendations.write", "experiments.write"}
    | {"cache.write", "limits.write", "integrations.operate", "webhooks.operate", "alerts.operate"}
)
_ADMINISTER: Final = (
    frozenset({"keys.read", "keys.write", "catalog.write", "config.write"} | {"roles.read", "roles.write"})
    | {"credentials.read", "credentials.write", "credentials.rotate"}
    | {"integrations.write", "webhooks.write"}
)

ROLES: Final[dict[str, frozenset[str]]] = {
    "owner": _CALL
    | _SEE
    | _OPERATE
    | _ADMINISTER
    | {"audit.read", "tenants.manage"}
    | {"prompts.read", "privacy.export", "privacy.erase"},
    "admin": _CALL | _SEE | _OPERATE | _ADMINISTER | {"audit.read"},
    "operator": _CALL | _SEE | _OPERATE | {"keys.read", "roles.read", "credentials.read"},
    "developer": _CALL | _SEE,
    "viewer": _SEE,
    "auditor": _SEE
    | {
        "audit.read",
        "keys.read",
        "roles.read",
        "config.read",
        "metrics.read",
        "credentials.read",
        "prompts.read",
    },
    "agent": _CALL,
}

PERMISSIONS: Final = frozenset().union(*ROLES.values())

INSTALLATION_WIDE: Final = frozenset(
    {"catalog.write", "config.read", "config.write", "metrics.read", "providers.write", "tenants.manage"}
    | {"credentials.rotate"}
)
"""Given by a role only in the operator's tenant."""


def permissions_of(
    role: str,
    tenant_id: str,
    scopes: frozenset[str] | None = None,
    roles: Mapping[str, frozenset[str]] = ROLES,
) -> frozenset[str]:
    """What a key of this role in this tenant may do; `scopes` can only narrow it.

    `roles` are those the tenant has, the built-in ones among them; one that is not there may do nothing.
    """
    allowed = roles.get(role, frozenset())
    if tenant_id != OPERATOR_TENANT:
        allowed -= INSTALLATION_WIDE
    return allowed if scopes is None else allowed & scopes


def local_operator() -> Principal:
    """Whoever can read the data directory of the machine itself: an owner without a key."""
    return Principal(
        tenant_id=OPERATOR_TENANT,
        key_id="local",
        key_name="local operator",
        role=OWNER,
        permissions=permissions_of(OWNER, OPERATOR_TENANT),
        kind="local",
    )
