"""A rate limit as people write it, and the accounts that requests are counted on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from domain.budgets.period import Period, make_period
from domain.budgets.scope import Dimension, Scope, Spender, make_scope
from domain.errors import InvalidRequest
from domain.limits.bucket import LimitRule, make_rule

NAME_LENGTH_MAX: Final = 100
AMOUNT_MAX: Final = 1_000_000_000
BURST_PERIODS_MAX: Final = 10
"""A burst may be the amount of so many periods."""
OF_LIMITS: Final = tuple(each for each in Dimension if each is not Dimension.PROVIDER)
"""Who answers is chosen after a request was let through."""
PERIOD_S: Final[Mapping[str, int]] = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
CALENDAR_PERIODS: Final = ("hour", "day", "week", "month")
UTC: Final = "UTC"


class Meter(Enum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTerms:
    """The words. None: that is not limited, or the burst is one period's amount."""

    name: str
    scope: Mapping[str, str] = field(default_factory=dict)
    per: str
    requests: int | None = None
    tokens: int | None = None
    burst: int | None = None
    burst_tokens: int | None = None
    calendar: bool = False
    time_zone: str = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many requests, tokens or both per period, of everybody in its scope or of each.

    Without `period` it slides: in every window of length w at most `burst + amount * w / per`. With it, it is
    a quota: at most `amount` in each period of the calendar. `owner` is the tenant whose it is.
    """

    limit_id: str
    owner: str
    name: str
    scope: Scope
    per: str
    requests: int | None
    tokens: int | None
    burst: int | None = None
    burst_tokens: int | None = None
    period: Period | None = None
    declared: bool = False

    @property
    def meters(self) -> tuple[tuple[Meter, int, int | None], ...]:
        """What it counts: (meter, amount, burst)."""
        both = (
            (Meter.REQUESTS, self.requests, self.burst),
            (Meter.TOKENS, self.tokens, self.burst_tokens),
        )
        return tuple((meter, amount, burst) for meter, amount, burst in both if amount is not None)


class LimitAccount(NamedTuple):
    """Where one subject is counted by one meter of one limit; of a quota, in one period."""

    account_id: str
    limit_id: str
    name: str
    owner: str
    scope: str
    """For people: `tenant=default, key=*`."""
    subject: str
    meter: Meter
    amount: int
    per: str
    rule: LimitRule | None
    """None: a quota."""
    period_end_us: int | None = None


def accounts_of(limit: RateLimit, spender: Spender, now: datetime) -> tuple[LimitAccount, ...]:
    """Where a request of this spender is counted now; none: the limit does not concern it."""
    subject = limit.scope.subject(spender)
    if subject is None:
        return ()
    window = None if limit.period is None else limit.period.window(now)
    # With its scope: a limit that counts something else from now on begins anew under the same name. So does
    # one with another rate: a bucket's level is a time, which would mean something else.
    counted = f"{limit.scope.describe()}\x1f{subject}\x1f{'' if window is None else window.key}"
    return tuple(
        LimitAccount(
            _account_id(limit.limit_id, f"{counted}\x1f{_rate(limit, amount, burst)}", meter),
            limit.limit_id,
            limit.name,
            limit.owner,
            limit.scope.describe(),
            subject,
            meter,
            amount,
            limit.per,
            _rule(limit, amount, burst),
            None if window is None else window.end_us,
        )
        for meter, amount, burst in limit.meters
    )


def make_limit(terms: LimitTerms, *, limit_id: str, owner: str, declared: bool = False) -> RateLimit:
    """The limit these words describe. Raises InvalidRequest, naming the field, for what could not be one."""
    if not terms.name or len(terms.name) > NAME_LENGTH_MAX or not terms.name.isprintable():
        raise InvalidRequest(f"name must be 1 to {NAME_LENGTH_MAX} printable characters", param="name")
    if terms.requests is None and terms.tokens is None:
        raise InvalidRequest("a rate limit needs requests, tokens or both", param="requests")
    allowed = CALENDAR_PERIODS if terms.calendar else tuple(PERIOD_S)
    if terms.per not in allowed:
        what = "a quota's per" if terms.calendar else "per"
        raise InvalidRequest(f"{what} must be one of {', '.join(allowed)}", param="per")
    if terms.time_zone != UTC and not terms.calendar:
        raise InvalidRequest(
            "time_zone says when a period of the calendar begins: it goes with calendar", param="time_zone"
        )
    for name, amount in (("requests", terms.requests), ("tokens", terms.tokens)):
        if amount is not None and not 1 <= amount <= AMOUNT_MAX:
            raise InvalidRequest(f"{name} must be from 1 to {AMOUNT_MAX}", param=name)
    for name, amount, burst in (
        ("burst", terms.requests, terms.burst),
        ("burst_tokens", terms.tokens, terms.burst_tokens),
    ):
        _check_burst(name, amount, burst, terms.calendar)
    return RateLimit(
        limit_id=limit_id,
        owner=owner,
        name=terms.name,
        scope=make_scope(dict(terms.scope), dimensions=OF_LIMITS, of="a rate limit"),
        per=terms.per,
        requests=terms.requests,
        tokens=terms.tokens,
        burst=terms.burst,
        burst_tokens=terms.burst_tokens,
        period=make_period(terms.per, time_zone=terms.time_zone) if terms.calendar else None,
        declared=declared,
    )


def terms_of(limit: RateLimit) -> LimitTerms:
    """The words that describe a limit."""
    return LimitTerms(
        name=limit.name,
        scope={dimension.value: value for dimension, value in limit.scope.parts},
        per=limit.per,
        requests=limit.requests,
        tokens=limit.tokens,
        burst=limit.burst,
        burst_tokens=limit.burst_tokens,
        calendar=limit.period is not None,
        time_zone=UTC if limit.period is None else limit.period.time_zone,
    )


def _check_burst(name: str, amount: int | None, burst: int | None, calendar: bool) -> None:
    if burst is None:
        return
    if calendar:
        raise InvalidRequest("a quota has no burst: all of it may be used at once", param=name)
    if amount is None:
        raise InvalidRequest(f"{name} without the amount it belongs to", param=name)
    if not 1 <= burst <= amount * BURST_PERIODS_MAX:
        raise InvalidRequest(
            f"{name} must be from 1 to {BURST_PERIODS_MAX} times the amount per period", param=name
        )


def _rule(limit: RateLimit, amount: int, burst: int | None) -> LimitRule | None:
    if limit.period is not None:
        return None
    return make_rule(amount, PERIOD_S[limit.per] * 1_000_000, amount if burst is None else burst)


def _rate(limit: RateLimit, amount: int, burst: int | None) -> str:
    return "" if limit.period is not None else f"{amount}/{limit.per}/{burst}"


def _account_id(limit_id: str, counted: str, meter: Meter) -> str:
    text = "\x1f".join((limit_id, counted, meter.value))
    return f"lim_{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"
