"""What the configuration says of objectives and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.sla.measure import Scopes
from domain.sla.objective import DEFAULT_OBJECTIVES, Objective
from domain.sla.rules import RULES, AlertRule
from domain.tenancy.role import OPERATOR_TENANT

RUNBOOKS: Final = "docs/handbook.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertTerms:
    """`rules` are those in force, by name; `runbooks` is where remedies are written down, without `#`."""

    objectives: tuple[Objective, ...] = DEFAULT_OBJECTIVES
    rules: Mapping[str, AlertRule] = field(default_factory=lambda: RULES)
    runbooks: str = RUNBOOKS
    enabled: bool = True

    def scopes(self) -> Scopes:
        """What has to be measured apart."""
        named = [(each.tenant_id, each.route) for each in self.objectives]
        named += [(each.tenant_id, each.route) for each in self.rules.values()]
        return Scopes(
            frozenset(tenant for tenant, route in named if tenant and not route),
            frozenset(route for tenant, route in named if route and not tenant),
            frozenset((tenant, route) for tenant, route in named if tenant and route),
        )

    def runbook(self, rule: str) -> str:
        """Where to read what to do; rules of one's own are like one that is written about."""
        known = self.rules.get(rule)
        return f"{self.runbooks}#alert-{rule if known is None else known.looks_at}"


def owner_of(tenant_id: str) -> str:
    """Whose business it is: what is of everybody is the operator's."""
    return tenant_id or OPERATOR_TENANT
