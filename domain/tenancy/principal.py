"""Who is calling, as every rule sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. `permissions` are names such as `llm.call`; deny by default.

    `allowed_models` limits routes, targets and `provider/*` patterns; None: all of the tenant's.
    `key_id` is unique to the credential; of tokens and sessions it is derived from issuer and subject.
    """

    tenant_id: str
    key_id: str
    key_name: str
    role: str
    permissions: frozenset[str]
    allowed_models: frozenset[str] | None = None
    team: str = ""
    project: str = ""
    cost_center: str = ""
    """Whom its cost is counted for; empty: nobody beyond the tenant."""
    kind: str = "key"
    """How it was recognised: `key`, `token` (a JWT), `session` (a login) or `local` (the machine itself)."""
    subject: str = ""
    """Who it is to the issuer of a token or session; empty for keys."""
    networks: tuple[str, ...] = ()
    """CIDRs it may call from, besides what its tenant allows; empty: anywhere."""
    assertable: frozenset[str] | None = None
    """Users and agents it may name, as `user:…` and `agent:…` with one `*` at the end; None: any."""
    integrations: frozenset[str] | None = None
    """Names of integrations it may reach, with one `*` at the end; None: all of the tenant's."""
    managed_budgets: frozenset[str] | None = None
    """Budgets it may change where its permissions let it, by id or name; None: all of the tenant's."""

    def may(self, permission: str) -> bool:
        return permission in self.permissions
