"""Who is calling, as every rule sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller. `permissions` are names such as `llm.call`; deny by default.

    `allowed_models` limits routes, targets and `provider/*` patterns; None: all of the tenant's.
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

    def may(self, permission: str) -> bool:
        return permission in self.permissions
