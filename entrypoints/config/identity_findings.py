"""What is wrong with issuers and logins only when the whole configuration is known."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from domain.tenancy.role import OPERATOR_TENANT, ROLES
from entrypoints.config.problems import Finding
from entrypoints.config.root import Settings


def identity_findings(settings: Settings) -> Iterator[Finding]:
    """Roles nobody has, logins without an address, and what is risky."""
    identity = settings.identity
    for index, issuer in enumerate(identity.issuers):
        where = ("identity", "issuers", index)
        for value, role in issuer.roles.items():
            if role not in ROLES and role not in settings.roles:
                yield Finding(
                    (*where, "roles", value),
                    f"no built-in role {role!r} and none under `roles`; it counts only in tenants that have "
                    "made one of that name",
                )
        if issuer.default_role in ("owner", "admin"):
            told = f"everybody this issuer vouches for is {issuer.default_role}"
            yield Finding((*where, "default_role"), told)
        if issuer.tenant == OPERATOR_TENANT and not issuer.clients:
            yield Finding(
                (*where, "tenant"), f"its tokens reach {OPERATOR_TENANT}, which runs the installation"
            )
    login = identity.login
    if login is None:
        return
    public_url = settings.server.public_url
    if public_url is None:
        told = "a login needs server.public_url, the address under which browsers reach this server"
        yield Finding(("identity", "login"), told, fatal=True)
    elif urlsplit(public_url).scheme == "http" and settings.profile != "embedded":
        yield Finding(("server", "public_url"), "logins need https outside the embedded profile", fatal=True)
