"""A budget as somebody declared it, and the account that one of its subjects has in one period."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from domain.budgets.period import Period
from domain.budgets.scope import Scope, Spender
from domain.errors import InvalidRequest
from domain.money import NANO_PER_USD, format_usd

BASIS_POINTS: Final = 10_000
DEFAULT_ALERTS: Final = (8_000, 9_000, 10_000)
ALERT_BASIS_POINTS_MAX: Final = 10 * BASIS_POINTS
ALERTS_MAX: Final = 16
LIMIT_NANO_USD_MAX: Final = 2**62
"""About 4.6 billion dollars; what the stores' integers hold with room for sums."""
NAME_LENGTH_MAX: Final = 128
CONTACT_LENGTH_MAX: Final = 256


class Switch(NamedTuple):
    """From this share of the limit on (basis points), requests are planned on another route."""

    at_basis_points: int
    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`owner` is the tenant that may see and change it; the operator's may span tenants.

    `hard` refuses what would pass the limit; otherwise it only counts and alerts. `alert_at` are basis
    points of the limit, rising. `contact` is told to whoever is refused. `declared` ones come from the
    configuration file and are read-only elsewhere.
    """

    budget_id: str
    owner: str
    name: str
    scope: Scope
    period: Period
    limit_nano_usd: int
    hard: bool = False
    alert_at: tuple[int, ...] = DEFAULT_ALERTS
    switch: Switch | None = None
    contact: str = ""
    declared: bool = False


class Account(NamedTuple):
    """What one subject of a budget may spend in one period. Times are UTC epoch microseconds.

    `rolling_us` is the length of a sliding window, 0 for calendar periods.
    """

    account_id: str
    budget_id: str
    tenant_id: str
    """Whom its alerts and figures belong to: the spending tenant, or the owner of a budget over several."""
    name: str
    subject: str
    limit_nano_usd: int
    hard: bool
    period: str
    period_start_us: int
    period_end_us: int | None
    rolling_us: int
    alert_at: tuple[int, ...]
    contact: str = ""
    switch: Switch | None = None


def account_of(budget: Budget, spender: Spender, now: datetime) -> Account | None:
    """The account an attempt of this spender concerns now; None: the budget does not count it."""
    subject = budget.scope.subject(spender)
    if subject is None:
        return None
    window = budget.period.window(now)
    return Account(
        # With its scope: a budget that counts something else from now on begins anew under the same name.
        account_id(budget.budget_id, f"{budget.scope.describe()}\x1f{subject}", window.key),
        budget.budget_id,
        spender.tenant if budget.scope.tenant is not None or "tenant=" in subject else budget.owner,
        budget.name,
        subject,
        budget.limit_nano_usd,
        budget.hard,
        budget.period.unit.value,
        window.start_us,
        window.end_us,
        window.rolling_us,
        budget.alert_at,
        budget.contact,
        budget.switch,
    )


def renewed(account: Account, budget: Budget) -> Account:
    """The same account under what its budget says now."""
    return account._replace(
        name=budget.name,
        limit_nano_usd=budget.limit_nano_usd,
        hard=budget.hard,
        alert_at=budget.alert_at,
        contact=budget.contact,
        switch=budget.switch,
    )


def account_id(budget_id: str, subject: str, window_key: str) -> str:
    """A short id that follows from what it names, so that every instance finds the same account."""
    text = "\x1f".join((budget_id, subject, window_key))
    return f"acc_{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"


def check_budget(budget: Budget) -> None:
    """Raises InvalidRequest, naming the field, for a budget that could not work."""
    if not budget.name or len(budget.name) > NAME_LENGTH_MAX or not budget.name.isprintable():
        raise InvalidRequest(f"name must be 1 to {NAME_LENGTH_MAX} printable characters", param="name")
    if not 0 <= budget.limit_nano_usd <= LIMIT_NANO_USD_MAX:
        raise InvalidRequest(
            f"limit_usd must be between 0 and {LIMIT_NANO_USD_MAX // NANO_PER_USD}, "
            f"not {format_usd(budget.limit_nano_usd)}",
            param="limit_usd",
        )
    alerts = budget.alert_at
    if len(alerts) > ALERTS_MAX or list(alerts) != sorted(set(alerts)):
        raise InvalidRequest(f"alert_at must be at most {ALERTS_MAX} rising shares", param="alert_at")
    if any(not 0 < share <= ALERT_BASIS_POINTS_MAX for share in alerts):
        raise InvalidRequest("alert_at must be shares above 0 and up to 10", param="alert_at")
    if budget.switch is not None and not 0 < budget.switch.at_basis_points <= BASIS_POINTS:
        raise InvalidRequest("on_threshold.at must be above 0 and at most 1", param="on_threshold.at")
    if len(budget.contact) > CONTACT_LENGTH_MAX or not budget.contact.isprintable():
        raise InvalidRequest(
            f"contact must be at most {CONTACT_LENGTH_MAX} printable characters", param="contact"
        )
