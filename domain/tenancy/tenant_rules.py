"""What a tenant may be called and described as, and who may describe which."""

import re
from collections.abc import Collection
from typing import Final

from domain.egress.entries import parse_entry
from domain.errors import Forbidden, InvalidRequest, NotFound
from domain.tenancy.key_rules import NAME_LENGTH_MAX, TENANT_SHAPE
from domain.tenancy.names import check_shown_name
from domain.tenancy.networks import check_networks
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT
from domain.tenancy.tenant import Tenant, TenantState

LISTED_MAX: Final = 100
HOST_LENGTH_MAX: Final = 253

WORD_SHAPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,62}")
HOST_SHAPE: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")


def check_tenant_id(tenant_id: str) -> None:
    """Raises InvalidRequest unless a tenant could be called so."""
    if not TENANT_SHAPE.fullmatch(tenant_id):
        raise InvalidRequest(
            f"tenant_id {tenant_id[:80]!r} must be 1-63 of a-z, 0-9, '-' and '_', and start with a letter or "
            "digit",
            param="tenant_id",
        )


def check_description(tenant: Tenant) -> None:
    """Raises InvalidRequest that names the field and what is allowed there."""
    check_tenant_id(tenant.tenant_id)
    if tenant.name:
        check_shown_name(tenant.name, "name", chars_max=NAME_LENGTH_MAX)
    if tenant.organisation and not TENANT_SHAPE.fullmatch(tenant.organisation):
        raise InvalidRequest(
            "organisation must be 1-63 of a-z, 0-9, '-' and '_', and start with a letter or digit",
            param="organisation",
        )
    for field in ("residency", "privacy"):
        _check_words((getattr(tenant, field),) if getattr(tenant, field) else (), field)
    _check_words(tenant.compliance, "compliance")
    _check_words(tenant.guardrails, "guardrails")
    check_networks(tenant.networks, "networks")
    _check_hosts(tenant.egress)
    if tenant.tenant_id == OPERATOR_TENANT and not tenant.active:
        raise InvalidRequest(
            f"{OPERATOR_TENANT} runs the installation and cannot be suspended", param="state"
        )


def state_of(text: str) -> TenantState:
    """Raises InvalidRequest that lists the states."""
    try:
        return TenantState(text)
    except ValueError:
        allowed = ", ".join(state.value for state in TenantState)
        raise InvalidRequest(f"state {text[:40]!r} is unknown; allowed: {allowed}", param="state") from None


def check_sight(by: Principal, tenant_id: str) -> None:
    """Raises NotFound for a tenant that is none of the caller's business, as for one there is not."""
    if tenant_id != by.tenant_id and not by.may("tenants.manage"):
        raise no_tenant(tenant_id)


def check_manager(by: Principal) -> None:
    """Raises Forbidden unless `by` may make and change tenants."""
    if not by.may("tenants.manage"):
        raise Forbidden(f"the role {by.role!r} may not do this (needs tenants.manage)")


def no_tenant(tenant_id: str) -> NotFound:
    return NotFound(f"no tenant {tenant_id[:63]!r}", param="tenant_id")


def _check_words(words: Collection[str], field: str) -> None:
    if len(words) > LISTED_MAX:
        raise InvalidRequest(f"{field} may list at most {LISTED_MAX}", param=field)
    for word in words:
        if not WORD_SHAPE.fullmatch(word):
            raise InvalidRequest(
                f"{field} {word[:63]!r} must be 1-63 letters, digits and ._:- and start with a letter or "
                "digit",
                param=field,
            )


def _check_hosts(hosts: Collection[str]) -> None:
    if len(hosts) > LISTED_MAX:
        raise InvalidRequest(f"egress may list at most {LISTED_MAX} hosts", param="egress")
    for host in hosts:
        if len(host) > HOST_LENGTH_MAX or not HOST_SHAPE.fullmatch(host):
            raise InvalidRequest(
                f"egress {host[:80]!r} is no host; write api.example.com, *.example.com or "
                "api.example.com:8443",
                param="egress",
            )
        parse_entry(host, "egress")
