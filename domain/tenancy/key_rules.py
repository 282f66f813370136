"""Who may make and revoke which keys, and what a new key may say.

Nobody grants more than they hold: not a permission, not a model, not the owner's role.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.key import KeyRecord
from domain.tenancy.principal import Principal
from domain.tenancy.role import OWNER, PERMISSIONS, ROLES, permissions_of

NAME_LENGTH_MAX: Final = 100
ALLOWED_MODELS_MAX: Final = 1000
TENANT_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
PAYER_LENGTH_MAX: Final = 64
PAYER_SHAPE: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 ._:/-]{{0,{PAYER_LENGTH_MAX - 1}}}")
PAYERS: Final = ("team", "project", "cost_center")
"""Fields of a key that say whom its cost is counted for; empty: nobody beyond the tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What is asked for. `scopes` narrows the role's permissions; None takes all of them.

    `team`, `project` and `cost_center` say whom the key's cost is counted for.
    """

    tenant_id: str
    name: str
    role: str
    scopes: frozenset[str] | None = None
    allowed_models: frozenset[str] | None = None
    expires_at: datetime | None = None
    team: str = ""
    project: str = ""
    cost_center: str = ""


def check_new_key(new: NewKey, now: datetime) -> None:
    """Raises InvalidRequest that names the field, what was wrong and what is allowed."""
    if not TENANT_SHAPE.fullmatch(new.tenant_id):
        raise InvalidRequest(
            f"tenant_id {new.tenant_id[:80]!r} must be 1-63 of a-z, 0-9, '-' and '_', and start with "
            "a letter or digit",
            param="tenant_id",
        )
    if not new.name.strip() or len(new.name) > NAME_LENGTH_MAX or not new.name.isprintable():
        raise InvalidRequest(f"name must be 1-{NAME_LENGTH_MAX} printable characters", param="name")
    if new.role not in ROLES:
        raise InvalidRequest(f"role {new.role[:80]!r} is unknown; allowed: {', '.join(ROLES)}", param="role")
    if new.scopes is not None:
        _check_scopes(new.scopes, new)
    if new.allowed_models is not None:
        if not new.allowed_models or len(new.allowed_models) > ALLOWED_MODELS_MAX:
            raise InvalidRequest(
                f"allowed_models must name 1-{ALLOWED_MODELS_MAX} routes, models or provider/* patterns",
                param="allowed_models",
            )
        if not all(name and len(name) <= 200 and name.isprintable() for name in new.allowed_models):
            raise InvalidRequest("allowed_models must hold names of 1-200 characters", param="allowed_models")
    if new.expires_at is not None:
        if new.expires_at.tzinfo is None:
            raise InvalidRequest(
                "expires_at needs a time zone, such as 2030-01-31T12:00:00Z", param="expires_at"
            )
        if new.expires_at <= now:
            raise InvalidRequest("expires_at must be in the future", param="expires_at")
    for field in PAYERS:
        check_payer(getattr(new, field), field)


def check_payer(text: str, field: str) -> None:
    """Raises InvalidRequest unless `text` is empty or may name a team, a project or a cost centre."""
    if text and not PAYER_SHAPE.fullmatch(text):
        raise InvalidRequest(
            f"{field} {text[:80]!r} must be 1-{PAYER_LENGTH_MAX} letters, digits, spaces and ._:/- and start "
            "with a letter or digit",
            param=field,
        )


def _check_scopes(scopes: frozenset[str], new: NewKey) -> None:
    if not scopes:
        raise InvalidRequest("scopes must name at least one permission, or be left out", param="scopes")
    allowed = permissions_of(new.role, new.tenant_id)
    unknown = sorted(scopes - PERMISSIONS)
    if unknown:
        raise InvalidRequest(
            f"scopes {', '.join(repr(name[:80]) for name in unknown[:5])} are unknown; "
            f"allowed for role {new.role}: {', '.join(sorted(allowed))}",
            param="scopes",
        )
    beyond = sorted(scopes - allowed)
    if beyond:
        raise InvalidRequest(
            f"role {new.role} in tenant {new.tenant_id} does not include {', '.join(beyond)}; "
            f"allowed: {', '.join(sorted(allowed))}",
            param="scopes",
        )


def check_tenant(by: Principal, tenant_id: str, permission: str) -> None:
    """Raises Forbidden unless `by` may do this in that tenant."""
    if not by.may(permission):
        raise Forbidden(f"this key's role {by.role} may not do this: {permission} is needed")
    if tenant_id != by.tenant_id and not by.may("tenants.manage"):
        raise Forbidden(f"this key belongs to tenant {by.tenant_id} and may not act in another tenant")


def grant(by: Principal, new: NewKey) -> NewKey:
    """The key as `by` may make it; limits to some models, and who pays, are passed on.

    Raises:
        Forbidden: it would hold more than `by` does, or somebody else would pay for it.
    """
    check_tenant(by, new.tenant_id, "keys.write")
    if new.role == OWNER and by.role != OWNER:
        raise Forbidden("only an owner makes another owner")
    excess = permissions_of(new.role, new.tenant_id, new.scopes) - by.permissions
    if excess:
        raise Forbidden(
            f"this key cannot grant what it does not hold: {', '.join(sorted(excess))}", param="scopes"
        )
    new = _counted_for(by, new)
    if by.allowed_models is None:
        return new
    wanted = new.allowed_models if new.allowed_models is not None else by.allowed_models
    wider = sorted(name for name in wanted if not _within(name, by.allowed_models))
    if wider:
        raise Forbidden(
            f"this key cannot grant models it may not call: {', '.join(wider[:5])}", param="allowed_models"
        )
    return replace(new, allowed_models=wanted)


def _counted_for(by: Principal, new: NewKey) -> NewKey:
    """A key that is counted for somebody makes keys for the same, never for others or for nobody."""
    for field in PAYERS:
        own, wanted = getattr(by, field), getattr(new, field)
        if own and wanted not in ("", own):
            raise Forbidden(
                f"this key is counted for {field} {own!r} and makes no keys for others", param=field
            )
    return replace(
        new,
        team=by.team or new.team,
        project=by.project or new.project,
        cost_center=by.cost_center or new.cost_center,
    )


def check_revocation(by: Principal, record: KeyRecord) -> None:
    """Raises Forbidden: not in this tenant, or an owner's key without being an owner."""
    check_tenant(by, record.tenant_id, "keys.write")
    if record.role == OWNER and by.role != OWNER:
        raise Forbidden("only an owner revokes an owner's key")


def _within(name: str, limit: frozenset[str]) -> bool:
    if name in limit:
        return True
    provider, slash, _ = name.partition("/")
    return bool(slash) and f"{provider}/*" in limit
