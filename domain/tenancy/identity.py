"""Whom a token or a login lets in: an issuer's claims in the words of this installation."""

import hashlib
import re
from typing import Final, NamedTuple

from domain.errors import Forbidden, InvalidRequest, InvalidToken
from domain.tenancy.identities import AGENT, USER
from domain.tenancy.issuer import Claims, Issuer
from domain.tenancy.key_rules import check_payer
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT

TEXT_CHARS_MAX: Final = 200
VALUES_MAX: Final = 1000
TENANT_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ID_BEGINS: Final = "jwt_"
"""No key's id begins so."""
CLAIMED_CHARS_MAX: Final = 300
"""Of a claim that a pattern is tried on."""


class Identity(NamedTuple):
    """Somebody an issuer vouches for. `scopes` None: whatever the role may."""

    issuer: str
    subject: str
    tenant_id: str
    role: str
    scopes: frozenset[str] | None
    name: str
    user: str
    agent: str = ""
    team: str = ""
    project: str = ""
    cost_center: str = ""

    @property
    def key_id(self) -> str:
        """Stable as long as issuer, subject and tenant are."""
        said = "\0".join((self.issuer, self.subject, self.tenant_id))
        return f"{ID_BEGINS}{hashlib.sha256(said.encode()).hexdigest()[:24]}"


def identify(issuer: Issuer, claims: Claims) -> Identity:
    """Whom these claims name. They were checked before.

    Raises:
        InvalidToken: a claim that is needed is missing or could not be a name.
        Forbidden: nothing here lets such a subject in.
    """
    subject = _text(claims, "sub")
    if not subject:
        raise InvalidToken("this token names no subject")
    role = _role(issuer, claims)
    if not role:
        raise Forbidden("your issuer vouches for you, but no role here is yours")
    return Identity(
        issuer=issuer.issuer,
        subject=subject,
        tenant_id=_tenant(issuer, claims),
        role=role,
        scopes=_scopes(issuer, claims),
        name=_text(claims, issuer.name_claim) or subject,
        user=_text(claims, issuer.user_claim),
        agent=_text(claims, issuer.agent_claim),
        team=_payer(claims, issuer.team_claim),
        project=_payer(claims, issuer.project_claim),
        cost_center=_payer(claims, issuer.cost_center_claim),
    )


def principal_of(identity: Identity, permissions: frozenset[str], kind: str) -> Principal:
    """The caller. It speaks for itself and nobody else."""
    named = ((USER, identity.user), (AGENT, identity.agent))
    return Principal(
        tenant_id=identity.tenant_id,
        key_id=identity.key_id,
        key_name=identity.name,
        role=identity.role,
        permissions=permissions,
        team=identity.team,
        project=identity.project,
        cost_center=identity.cost_center,
        kind=kind,
        subject=identity.subject,
        assertable=frozenset(f"{which}:{name}" for which, name in named if name),
    )


def _tenant(issuer: Issuer, claims: Claims) -> str:
    if issuer.tenant:
        return issuer.tenant
    claimed = _text(claims, issuer.tenant_claim)
    known = dict(issuer.tenants).get(claimed) if claimed else None
    if known is not None:
        return known
    found = None
    if claimed and issuer.tenant_pattern and len(claimed) <= CLAIMED_CHARS_MAX:
        found = re.fullmatch(issuer.tenant_pattern, claimed)
    tenant = (found[1] or "") if found else ""
    # Whoever runs the installation is named by the operator alone, never read out of a claim.
    if not TENANT_SHAPE.fullmatch(tenant) or tenant == OPERATOR_TENANT:
        raise Forbidden("your issuer vouches for you, but no tenant here is yours")
    return tenant


def _role(issuer: Issuer, claims: Claims) -> str:
    held = _values(claims, issuer.roles_claim)
    return next((role for value, role in issuer.roles if value in held), issuer.default_role)


def _scopes(issuer: Issuer, claims: Claims) -> frozenset[str] | None:
    if not issuer.scopes_claim:
        return None
    prefix = issuer.scope_prefix
    held = _values(claims, issuer.scopes_claim)
    return frozenset(value.removeprefix(prefix) for value in held if value.startswith(prefix))


def _at(claims: Claims, name: str) -> object:
    """A claim by its name, or by names with dots between where there is none of the whole name."""
    if not name:
        return None
    if name in claims:
        return claims[name]
    here: object = claims
    for part in name.split("."):
        if not isinstance(here, dict) and here is not claims:
            return None
        here = here.get(part) if isinstance(here, dict) else claims.get(part)
    return here


def _values(claims: Claims, name: str) -> frozenset[str]:
    """The words of a claim: of a list, or of a text with spaces between them."""
    found = _at(claims, name)
    listed = found.split(" ") if isinstance(found, str) else found
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(each for each in listed[:VALUES_MAX] if isinstance(each, str) and each)


def _text(claims: Claims, name: str) -> str:
    """Empty where it is missing.

    Raises InvalidToken for what could not be a name here: a `*` would stand for others' names.
    """
    found = _at(claims, name)
    if found is None:
        return ""
    if (
        not isinstance(found, str)
        or not found
        or len(found) > TEXT_CHARS_MAX
        or not found.isprintable()
        or found != found.strip()
        or "*" in found
    ):
        raise InvalidToken(f"this token's {name[:40]!r} cannot be used as a name here")
    return found


def _payer(claims: Claims, name: str) -> str:
    found = _text(claims, name)
    try:
        check_payer(found, name)
    except InvalidRequest:
        raise InvalidToken(f"this token's {name[:40]!r} cannot be used as a name here") from None
    return found
