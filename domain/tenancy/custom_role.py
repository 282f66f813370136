"""Roles beside the built-in ones: a tenant's own, and those of the whole installation.

A role is never more than a list of permissions. Nobody makes or changes one that holds more than they do, so
that a role is no way up; what only the operator's tenant may do, no other tenant's role can name.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import Conflict, Forbidden, InvalidRequest
from domain.tenancy.principal import Principal
from domain.tenancy.project import check_text
from domain.tenancy.role import INSTALLATION_WIDE, OPERATOR_TENANT, PERMISSIONS, ROLES

ROLES_PER_TENANT_MAX: Final = 1_000
ROLE_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRole:
    """A role of one tenant. `tenant_id` is empty for those the configuration gives to every tenant."""

    tenant_id: str
    name: str
    permissions: frozenset[str]
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


def check_role(role: CustomRole) -> None:
    """Raises InvalidRequest that names the field, what was wrong and what is allowed; Conflict for a name
    that is built in."""
    if role.name in ROLES:
        raise Conflict(f"the role {role.name!r} is built in; give yours another name", param="name")
    if not ROLE_SHAPE.fullmatch(role.name):
        raise InvalidRequest(
            "a role's name must be 1-63 of a-z, 0-9, '-' and '_', and start with a letter or digit",
            param="name",
        )
    check_text(role.description, "description")
    allowed = allowed_permissions(role.tenant_id)
    beyond = sorted(role.permissions - allowed)
    if beyond:
        raise InvalidRequest(
            f"permissions {', '.join(repr(name[:60]) for name in beyond[:5])} are none a role here may hold; "
            f"allowed: {', '.join(sorted(allowed))}",
            param="permissions",
        )
    if not role.permissions:
        raise InvalidRequest("permissions must name at least one", param="permissions")


def allowed_permissions(tenant_id: str) -> frozenset[str]:
    """What roles of this tenant may hold at all."""
    return PERMISSIONS if tenant_id in (OPERATOR_TENANT, "") else PERMISSIONS - INSTALLATION_WIDE


def check_role_reach(by: Principal, *permissions: frozenset[str]) -> None:
    """Raises Forbidden where any of these sets holds what `by` does not."""
    excess = frozenset().union(*permissions) - by.permissions
    if excess:
        raise Forbidden(
            f"this role would hold what you do not: {', '.join(sorted(excess))}", param="permissions"
        )
