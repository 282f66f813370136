"""`budgets`: what may be spent, by whom, in which time."""

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field, WithJsonSchema, field_validator

from domain.budgets.budget import CONTACT_LENGTH_MAX, NAME_LENGTH_MAX, Budget
from domain.budgets.scope import VALUE_LENGTH_MAX
from domain.budgets.terms import BudgetTerms, make_budget, owner_of
from entrypoints.config.sections import Section, Word

FILE_ID: Final = "file:"
"""Ids of declared budgets are this and their name."""
BUDGETS_MAX: Final = 10_000

BudgetScope = Literal[
    "tenant",
    "team",
    "project",
    "key",
    "user",
    "agent",
    "session",
    "workflow",
    "model",
    "provider",
]
ScopeValue = Annotated[str, Field(min_length=1, max_length=VALUE_LENGTH_MAX)]
Usd = Annotated[
    Decimal, Field(ge=0, le=1_000_000_000_000), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]


class OnThresholdSettings(Section):
    """From a share of the limit on, requests are planned on another route, such as a cheaper one."""

    at: float = Field(gt=0, le=1, description="Share of the limit that must be spent.")
    route: str = Field(min_length=1, max_length=127, description="A route of this file, or `auto`.")


class BudgetSettings(Section):
    """A limit on spending. `hard` refuses with 402 what would pass it; otherwise it only counts and alerts.

    Every budget that concerns a request holds, however they overlap.
    """

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX, description="Unique in this file.")
    scope: dict[BudgetScope, ScopeValue] = Field(
        min_length=1,
        description="Whose spending counts: each dimension with one value, or `*` for a budget of its own "
        "for every value. All of them must hold. Without `tenant`, all tenants count together. A key is "
        "named by its id, a model as `model` or `provider/model`.",
    )
    period: Annotated[Literal["hour", "day", "week", "month", "quarter", "year", "total"], Word]
    rolling: bool = Field(
        default=False,
        description="A sliding window instead of a calendar period: 30 days for `month`, 90 for `quarter`, "
        "365 for `year`.",
    )
    time_zone: str = Field(
        default="UTC", max_length=64, description="IANA name; says when a calendar period begins."
    )
    limit_usd: Usd
    hard: bool = Field(default=False, description="Refuse (402) what would pass the limit.")
    alert_at: tuple[Annotated[float, Field(gt=0, le=10)], ...] | None = Field(
        default=None,
        max_length=16,
        description="Shares of the limit, rising, at which `cost.budget_alert` is told once per period. "
        "Default: `budget_alert_threshold`, and 0.9 and 1.0 where they are above it.",
    )
    on_threshold: OnThresholdSettings | None = None
    contact: str | None = Field(
        default=None, max_length=CONTACT_LENGTH_MAX, description="Told to whoever is refused."
    )

    @field_validator("alert_at")
    @classmethod
    def _thresholds_rise(cls, alert_at: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if alert_at is not None and list(alert_at) != sorted(set(alert_at)):
            raise ValueError("thresholds must rise, each given once")
        return alert_at

    @property
    def terms(self) -> BudgetTerms:
        """The same in the domain's words."""
        switch = self.on_threshold
        return BudgetTerms(
            name=self.name,
            scope={str(name): value for name, value in self.scope.items()},
            period=self.period,
            limit_usd=self.limit_usd,
            rolling=self.rolling,
            time_zone=self.time_zone,
            hard=self.hard,
            alert_at=self.alert_at,
            switch_at=0.0 if switch is None else switch.at,
            switch_route="" if switch is None else switch.route,
            contact=self.contact or "",
        )

    def budget(self, first_alert: float) -> Budget:
        """As it is held to. Raises InvalidRequest, naming the key, for what could not work."""
        made = make_budget(
            self.terms, budget_id=f"{FILE_ID}{self.name}", owner="", declared=True, first_alert=first_alert
        )
        return replace(made, owner=owner_of(made.scope))
