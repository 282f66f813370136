"""Who may make, change and revoke which keys, and what a key may say.

Nobody grants more than they hold: not a permission, a model, a network, an identity, an integration or a
budget, and not the owner's role. Nobody gets the secret of a key that holds more than they do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from domain.errors import Forbidden, InvalidRequest
from domain.tenancy.identities import check_assertable
from domain.tenancy.key import KeyRecord
from domain.tenancy.names import check_shown_name
from domain.tenancy.networks import beyond_networks, check_networks
from domain.tenancy.patterns import beyond, check_patterns
from domain.tenancy.principal import Principal
from domain.tenancy.role import OWNER, PERMISSIONS, ROLES, permissions_of

NAME_LENGTH_MAX: Final = 100
ALLOWED_MODELS_MAX: Final = 1000
TENANT_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
PAYER_LENGTH_MAX: Final = 64
PAYER_SHAPE: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 ._:/-]{{0,{PAYER_LENGTH_MAX - 1}}}")
PAYERS: Final = ("team", "project", "cost_center")
"""Fields of a key that say whom its cost is counted for; empty: nobody beyond the tenant."""
LIVE: Final = "live"
ENVIRONMENTS: Final = (LIVE, "test")
LIMITS: Final = ("assertable", "integrations", "managed_budgets")
"""Fields of a key that are sets of names with `*` at their end; None: no limit."""
RoleTable = Mapping[str, frozenset[str]]
"""Permissions by role, as the key's tenant has them; the built-in ones where nothing is said."""
_SAME: Final = ("allowed_models", "expires_at", *PAYERS, "networks", *LIMITS, "env")
"""Fields that have one name and one meaning in `NewKey` and `KeyRecord`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What is asked for. `scopes` narrows the role's permissions; None takes all of them.

    `team`, `project` and `cost_center` say whom the key's cost is counted for; `env` stands in the key's
    text for people and scanners, and makes no difference. The rest as in `KeyRecord`.
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
    networks: tuple[str, ...] = ()
    assertable: frozenset[str] | None = None
    integrations: frozenset[str] | None = None
    managed_budgets: frozenset[str] | None = None
    env: str = LIVE


def as_asked(record: KeyRecord) -> NewKey:
    """What somebody would have to ask for to get a key like this one."""
    return NewKey(
        tenant_id=record.tenant_id,
        name=record.name,
        role=record.role,
        scopes=record.permissions,
        **{field: getattr(record, field) for field in _SAME},
    )


def with_terms(record: KeyRecord, terms: NewKey) -> KeyRecord:
    """The same key, but for what it may do from now on. Tenant and environment stay."""
    return replace(
        record,
        name=terms.name,
        role=terms.role,
        permissions=terms.scopes,
        **{field: getattr(terms, field) for field in _SAME if field != "env"},
    )


def check_new_key(new: NewKey, now: datetime, roles: RoleTable = ROLES) -> None:
    """Raises InvalidRequest that names the field, what was wrong and what is allowed."""
    check_terms(new, roles)
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidRequest("expires_at must be in the future", param="expires_at")


def check_terms(new: NewKey, roles: RoleTable = ROLES) -> None:
    """Raises InvalidRequest that names the field, for whatever was wrong at any time."""
    if not TENANT_SHAPE.fullmatch(new.tenant_id):
        raise InvalidRequest(
            f"tenant_id {new.tenant_id[:80]!r} must be 1-63 of a-z, 0-9, '-' and '_', and start with "
            "a letter or digit",
            param="tenant_id",
        )
    check_shown_name(new.name, "name", chars_max=NAME_LENGTH_MAX)
    if new.role not in roles:
        raise InvalidRequest(f"role {new.role[:80]!r} is unknown; allowed: {', '.join(roles)}", param="role")
    if new.scopes is not None:
        _check_scopes(new.scopes, new, roles)
    if new.allowed_models is not None:
        if not new.allowed_models or len(new.allowed_models) > ALLOWED_MODELS_MAX:
            raise InvalidRequest(
                f"allowed_models must name 1-{ALLOWED_MODELS_MAX} routes, models or provider/* patterns",
                param="allowed_models",
            )
        if not all(name and len(name) <= 200 and name.isprintable() for name in new.allowed_models):
            raise InvalidRequest("allowed_models must hold names of 1-200 characters", param="allowed_models")
    if new.expires_at is not None and new.expires_at.tzinfo is None:
        raise InvalidRequest("expires_at needs a time zone, such as 2030-01-31T12:00:00Z", param="expires_at")
    for field in PAYERS:
        check_payer(getattr(new, field), field)
    check_networks(new.networks, "networks")
    check_assertable(new.assertable or ())
    check_patterns(new.integrations or (), "integrations")
    check_patterns(new.managed_budgets or (), "managed_budgets")
    if new.env not in ENVIRONMENTS:
        raise InvalidRequest(
            f"env {new.env[:40]!r} is unknown; allowed: {', '.join(ENVIRONMENTS)}", param="env"
        )


def check_payer(text: str, field: str) -> None:
    """Raises InvalidRequest unless `text` is empty or may name a team, a project or a cost centre."""
    if text and not PAYER_SHAPE.fullmatch(text):
        raise InvalidRequest(
            f"{field} {text[:80]!r} must be 1-{PAYER_LENGTH_MAX} letters, digits, spaces and ._:/- and start "
            "with a letter or digit",
            param=field,
        )


def _check_scopes(scopes: frozenset[str], new: NewKey, roles: RoleTable) -> None:
    if not scopes:
        raise InvalidRequest("scopes must name at least one permission, or be left out", param="scopes")
    allowed = permissions_of(new.role, new.tenant_id, roles=roles)
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


def named_tenant(by: Principal, tenant_id: str | None, permission: str) -> str:
    """The tenant that is meant, the caller's own where none is named. What the installation keeps for itself,
    as the vault does, belongs to none.

    Raises InvalidRequest for what cannot be a tenant's name; Forbidden as `check_tenant`.
    """
    wanted = by.tenant_id if tenant_id is None else tenant_id
    if not TENANT_SHAPE.fullmatch(wanted):
        raise InvalidRequest(f"tenant_id {wanted[:80]!r} cannot be a tenant's", param="tenant_id")
    check_tenant(by, wanted, permission)
    return wanted


def grant(by: Principal, new: NewKey, roles: RoleTable = ROLES) -> NewKey:
    """The key as `by` may make it; every limit of `by` is passed on where the key has none of its own.

    Raises:
        Forbidden: it would hold more than `by` does, or somebody else would pay for it.
    """
    check_tenant(by, new.tenant_id, "keys.write")
    new = _counted_for(by, new)
    if new.allowed_models is None:
        new = replace(new, allowed_models=by.allowed_models)
    if not new.networks:
        new = replace(new, networks=by.networks)
    for field in LIMITS:
        if getattr(new, field) is None:
            limit: Any = {field: _limit(by, field)}
            new = replace(new, **limit)
    check_holds(by, new, roles)
    return new


def check_holds(by: Principal, wanted: NewKey, roles: RoleTable = ROLES) -> None:
    """Raises Forbidden unless `by` holds everything that this key holds."""
    if wanted.role == OWNER and by.role != OWNER:
        raise Forbidden("only an owner makes or changes another owner", param="role")
    excess = permissions_of(wanted.role, wanted.tenant_id, wanted.scopes, roles) - by.permissions
    if excess:
        raise Forbidden(
            f"this key cannot grant what it does not hold: {', '.join(sorted(excess))}", param="scopes"
        )
    for field in PAYERS:
        if getattr(by, field) not in ("", getattr(wanted, field)):
            raise _counted_elsewhere(by, field)
    if by.allowed_models is not None:
        models = {"*"} if wanted.allowed_models is None else wanted.allowed_models
        if wider := sorted(name for name in models if not _within(name, by.allowed_models)):
            told = ", ".join(name[:80] for name in wider[:5])
            raise Forbidden(f"this key cannot grant models it may not call: {told}", param="allowed_models")
    if wider := beyond_networks(wanted.networks, by.networks):
        raise _wider("networks", wider, "networks")
    for field in LIMITS:
        if wider := beyond(getattr(wanted, field), _limit(by, field)):
            raise _wider(field.replace("_", " "), wider, field)


def _limit(by: Principal, field: str) -> frozenset[str] | None:
    # Whom an issuer vouches for speaks for themselves alone. Who administers keys that way could make none
    # for a server with many users otherwise, and change none.
    held: frozenset[str] | None = getattr(by, field)
    return None if by.subject and field == "assertable" else held


def _wider(what: str, names: list[str], param: str) -> Forbidden:
    told = ", ".join(name[:80] for name in names[:5])
    return Forbidden(f"this key cannot grant {what} it does not hold itself: {told}", param=param)


def _counted_for(by: Principal, new: NewKey) -> NewKey:
    """A key that is counted for somebody makes keys for the same, never for others or for nobody."""
    for field in PAYERS:
        own, wanted = getattr(by, field), getattr(new, field)
        if own and wanted not in ("", own):
            raise _counted_elsewhere(by, field)
    return replace(
        new,
        team=by.team or new.team,
        project=by.project or new.project,
        cost_center=by.cost_center or new.cost_center,
    )


def _counted_elsewhere(by: Principal, field: str) -> Forbidden:
    return Forbidden(
        f"this key is counted for {field} {getattr(by, field)!r} and makes no keys for others", param=field
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
