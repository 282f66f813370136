"""A budget as people write it, and how it becomes one that can be held to.

The file, the API and the command line all say the same words; they are checked here, once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from domain.budgets.budget import BASIS_POINTS, DEFAULT_ALERTS, Budget, Switch, check_budget
from domain.budgets.period import make_period
from domain.budgets.scope import EACH, OF_MONEY, OF_TARGET, Dimension, Scope, make_scope
from domain.errors import InvalidRequest
from domain.money import InvalidAmount, parse_usd
from domain.tenancy.key_rules import TENANT_SHAPE
from domain.tenancy.role import OPERATOR_TENANT

DEFAULT_FIRST_ALERT: Final = DEFAULT_ALERTS[0] / BASIS_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """The words. `limit_usd` is an amount of dollars as it was written, `alert_at` and `switch_at` are shares
    of it. `alert_at` None: the usual ones. An empty `switch_route`: requests stay on their route.
    """

    name: str
    scope: Mapping[str, str] = field(default_factory=dict)
    period: str
    limit_usd: object
    rolling: bool = False
    time_zone: str = "UTC"
    hard: bool = False
    alert_at: tuple[float, ...] | None = None
    switch_at: float = 0.0
    switch_route: str = ""
    contact: str = ""


def make_budget(
    terms: BudgetTerms,
    *,
    budget_id: str,
    owner: str,
    declared: bool = False,
    first_alert: float = DEFAULT_FIRST_ALERT,
) -> Budget:
    """The budget these words describe. `first_alert` is the first threshold where the words name none.

    Raises:
        InvalidRequest: with the field (`scope.agent`, `on_threshold.at`), what is wrong and what is allowed.
    """
    scope = _scope(terms.scope)
    budget = Budget(
        budget_id=budget_id,
        owner=owner,
        name=terms.name,
        scope=scope,
        period=make_period(terms.period, rolling=terms.rolling, time_zone=terms.time_zone),
        limit_nano_usd=_limit(terms.limit_usd),
        hard=terms.hard,
        alert_at=_alerts(terms.alert_at, first_alert),
        switch=_switch(terms, scope),
        contact=terms.contact,
        declared=declared,
    )
    check_budget(budget)
    return budget


def usual_alerts(first: float) -> tuple[int, ...]:
    """The first threshold, and those of the usual ones above it; in basis points."""
    start = basis_points(first, "budget_alert_threshold")
    return tuple(sorted({start, *(share for share in DEFAULT_ALERTS[1:] if share > start)} - {0}))


def basis_points(share: float, param: str) -> int:
    """A share of the limit in ten-thousandths. Raises InvalidRequest for what is no number."""
    if not -1e6 < share < 1e6:  # also false for NaN
        raise InvalidRequest(f"{param} must be a share of the limit, such as 0.8", param=param)
    return round(share * BASIS_POINTS)


def owner_of(scope: Scope) -> str:
    """Whose a declared budget is: of the one tenant it concerns, else of whoever runs the installation."""
    return scope.tenant or OPERATOR_TENANT


def counts_the_same(one: Budget, other: Budget) -> bool:
    """Whether one of both is pointless: they count the same spending, over the same time, as strictly."""
    return (one.scope, one.period, one.hard) == (other.scope, other.period, other.hard)


def same_name(one: Budget, other: Budget) -> bool:
    """Whether people who see both could not tell which is meant."""
    return one.name == other.name and (one.owner == other.owner or one.scope.tenant == other.scope.tenant)


def twin_of(budget: Budget, others: Iterable[Budget]) -> Budget | None:
    """Another budget of the same owner that counts the same."""
    return next(
        (
            other
            for other in others
            if other.budget_id != budget.budget_id
            and other.owner == budget.owner
            and counts_the_same(budget, other)
        ),
        None,
    )


def names_one(scope: Scope, dimension: Dimension) -> str | None:
    """The one value a scope names of a dimension; None: it names none, or counts each."""
    for each, value in scope.parts:
        if each is dimension and value != EACH:
            return value
    return None


def _scope(written: Mapping[str, str]) -> Scope:
    scope = make_scope(dict(written), dimensions=OF_MONEY)
    if scope.tenant is not None and not TENANT_SHAPE.fullmatch(scope.tenant):
        raise InvalidRequest(
            f"no tenant can be called {scope.tenant[:80]!r}; allowed: 1-63 of a-z, 0-9, '-' and '_'",
            param="scope.tenant",
        )
    return scope


def _limit(written: object) -> int:
    if isinstance(written, bool) or not isinstance(written, str | int | float | Decimal):
        raise InvalidRequest(
            "limit_usd must be an amount of dollars, such as 100 or '0.05'", param="limit_usd"
        )
    try:
        return parse_usd(written)
    except InvalidAmount as error:
        raise InvalidRequest(f"limit_usd is {error}", param="limit_usd") from None


def _alerts(written: tuple[float, ...] | None, first: float) -> tuple[int, ...]:
    if written is None:
        return usual_alerts(first)
    return tuple(basis_points(share, "alert_at") for share in written)


def _switch(terms: BudgetTerms, scope: Scope) -> Switch | None:
    if not terms.switch_route:
        return None
    if any(dimension in OF_TARGET for dimension, _ in scope.parts):
        raise InvalidRequest(
            "a budget of a model or provider cannot switch routes: which one it is, is only known after a "
            "route was chosen",
            param="on_threshold",
        )
    return Switch(basis_points(terms.switch_at, "on_threshold.at"), terms.switch_route)
