"""What is wrong with tenants and roles only when the whole configuration is known."""

from collections.abc import Iterator

from domain.errors import Conflict, InvalidRequest
from domain.tenancy.custom_role import check_role
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.config.problems import Finding
from entrypoints.config.root import Settings


def known_regions(settings: Settings) -> tuple[str, ...]:
    """What a tenant may be held to."""
    named = (section.region for section in settings.providers.values() if section.region)
    return tuple(dict.fromkeys((*settings.residency.atlas().regions, *named)))


def tenant_findings(settings: Settings) -> Iterator[Finding]:
    """Names that cannot be, and policies, guardrails and regions nobody knows."""
    atlas, known = settings.residency.atlas(), known_regions(settings)
    sinks = settings.residency.sinks(hosted_gateway=settings.portkey.api_key is not None)
    for name, tenant in settings.tenants.items():
        if name == OPERATOR_TENANT and tenant.state != "active":
            told = f"{OPERATOR_TENANT} runs the installation and cannot be suspended"
            yield Finding(("tenants", name, "state"), told, fatal=True)
        if tenant.privacy and tenant.privacy not in settings.privacy.names():
            told = f"no policy {tenant.privacy!r}; known: {', '.join(settings.privacy.names())}"
            yield Finding(("tenants", name, "privacy"), told, fatal=True)
        for guardrail in tenant.guardrails:
            if guardrail not in settings.guardrails:
                told = f"no guardrail {guardrail!r}; known: {', '.join(settings.guardrails) or 'none'}"
                yield Finding(("tenants", name, "guardrails"), told, fatal=True)
        if tenant.residency and tenant.residency not in known:
            told = f"no region or group {tenant.residency!r}; known: {', '.join(known)}"
            yield Finding(("tenants", name, "residency"), told, fatal=True)
        elif tenant.residency:
            outside = sinks.breaches(atlas.residency((tenant.residency,)))
            if outside:
                told = ", ".join(f"{sink.name} {sink.where}" for sink in outside)
                yield Finding(
                    ("tenants", name, "residency"),
                    f"{told}: its content is not kept there (see `residency` and docs/residency.md)",
                )
    for name, role in settings.roles.items():
        try:
            check_role(role.role(name))
        except (InvalidRequest, Conflict) as error:
            yield Finding(("roles", name), error.message, fatal=True)
