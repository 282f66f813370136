"""The alerts there are: when each fires, how long it waits, and what it is about.

One table for the monitor in the process, the API and the documents. The rules for Prometheus
(`contracts/alert_rules.py`) have the same names, so that a runbook is found by either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from domain.errors import InvalidConfiguration
from domain.sla.alert import Timing, Verdict

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0


class Severity(StrEnum):
    WARNING = "warning"
    """Somebody should look today."""
    CRITICAL = "critical"
    """Somebody should look now."""


class Unit(StrEnum):
    """Of values and thresholds."""

    RATIO = "ratio"
    SECONDS = "seconds"
    COUNT = "count"
    BURN_RATE = "burn_rate"


COST: Final = "cost-per-request"
HITS: Final = "cache-hit-ratio"
PROVIDER_FAILURES: Final = "provider-failures"
BUDGET: Final = "budget-nearly-spent"
LATENCY: Final = "latency-p95"
ERRORS: Final = "error-rate"
BURN_FAST: Final = "error-budget-burning-fast"
BURN_SLOW: Final = "error-budget-burning"
BREAKER: Final = "breaker-open"
PROVIDER_UNUSABLE: Final = "provider-unusable"
WEBHOOK_DISABLED: Final = "webhook-disabled"
DEAD_LETTERS: Final = "webhook-dead-letters"
KEY_EXPIRING: Final = "key-expiring"
CERTIFICATE: Final = "certificate-expiring"
USAGE_REFUSED: Final = "usage-log-refusing"
USAGE_BUFFERING: Final = "usage-log-buffering"
LEDGER: Final = "ledger-unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """`above`: it is bad above the threshold, else below it. `clear_at` is where it is good again.

    `window_s` is how far back each look goes, 0 for what is looked at as it is; with less than `least` to
    judge (requests, attempts, look-ups) there is no verdict. Raises InvalidConfiguration, naming the field.
    """

    name: str
    title: str
    severity: Severity
    unit: Unit
    threshold: float
    clear_at: float
    for_s: float
    resolve_s: float = 300.0
    window_s: float = 0.0
    least: int = 0
    above: bool = True
    enabled: bool = True
    kind: str = ""
    """The rule of the table that it is like; empty: it is one of them."""
    tenant_id: str = ""
    route: str = ""
    """Whose requests it looks at; empty: everybody's. Only of rules in `SCOPED`."""

    def __post_init__(self) -> None:
        wrong = self.clear_at > self.threshold if self.above else self.clear_at < self.threshold
        if wrong:
            side = "at or below" if self.above else "at or above"
            raise InvalidConfiguration(f"clear_at lies {side} the threshold", param="clear_at")

    @property
    def looks_at(self) -> str:
        """Which of the rules of the table says what is looked at."""
        return self.kind or self.name

    @property
    def timing(self) -> Timing:
        return Timing(self.for_s, self.resolve_s)

    def judge(self, value: float | None, judged: float | None = None) -> Verdict:
        """What a value says; `judged` is how much it was made of, None: it is what it is."""
        if value is None or (judged is not None and judged < self.least):
            return Verdict.UNKNOWN
        if value > self.threshold if self.above else value < self.threshold:
            return Verdict.BREACHED
        good = value <= self.clear_at if self.above else value >= self.clear_at
        return Verdict.CLEAR if good else Verdict.BETWEEN


def _rule(
    name: str, title: str, severity: Severity, unit: Unit, threshold: float, clear_at: float,
    for_s: float, window_s: float = 0.0, least: int = 0, **more: bool | float,
) -> AlertRule:  # fmt: skip
    return AlertRule(
        name=name, title=title, severity=severity, unit=unit, threshold=threshold, clear_at=clear_at,
        for_s=for_s, window_s=window_s, least=least, **more,  # type: ignore[arg-type]
    )  # fmt: skip


_W, _C = Severity.WARNING, Severity.CRITICAL
_M: Final = MINUTE_S
RULES: Final[Mapping[str, AlertRule]] = MappingProxyType(
    {
        each.name: each
        for each in (
            _rule(
                COST, "Requests cost more than the day before",
                _W, Unit.RATIO, 0.2, 0.1, 10 * _M, 5 * _M, 20,
            ),
            _rule(
                HITS, "Caches answer less than they should",
                _W, Unit.RATIO, 0.7, 0.7, 30 * _M, 5 * _M, 20, above=False,
            ),
            _rule(
                PROVIDER_FAILURES, "A provider fails",
                _C, Unit.RATIO, 0.05, 0.03, 5 * _M, 5 * _M, 20,
            ),
            _rule(BUDGET, "A budget is nearly spent", _W, Unit.RATIO, 0.9, 0.9, 0.0),
            _rule(LATENCY, "Requests are slow", _W, Unit.SECONDS, 5.0, 4.5, 5 * _M, 5 * _M, 20),
            _rule(ERRORS, "Requests end in errors", _C, Unit.RATIO, 0.05, 0.03, 5 * _M, 5 * _M, 20),
            _rule(
                BURN_FAST, "An error budget is used up much too fast",
                _C, Unit.BURN_RATE, 1.0, 1.0, 2 * _M, least=100,
            ),
            _rule(
                BURN_SLOW, "An error budget will not last",
                _W, Unit.BURN_RATE, 1.0, 1.0, 60 * _M, least=100, resolve_s=3600.0,
            ),
            _rule(BREAKER, "A circuit breaker stays open", _W, Unit.COUNT, 0.0, 0.0, 5 * _M, resolve_s=60.0),
            _rule(PROVIDER_UNUSABLE, "No target of a provider can be used", _C, Unit.COUNT, 0.0, 0.0, 5 * _M),
            _rule(WEBHOOK_DISABLED, "A webhook endpoint is disabled", _W, Unit.COUNT, 0.0, 0.0, 0.0,
                  resolve_s=0.0),
            _rule(DEAD_LETTERS, "Webhooks were given up", _W, Unit.COUNT, 0.0, 0.0, 0.0, 3600.0),
            _rule(KEY_EXPIRING, "An API key ends soon", _W, Unit.SECONDS, 7 * DAY_S, 7 * DAY_S, 0.0,
                  above=False, resolve_s=0.0),
            _rule(CERTIFICATE, "The listener's certificate ends soon", _C, Unit.SECONDS, 14 * DAY_S,
                  14 * DAY_S, 0.0, above=False, resolve_s=0.0),
            _rule(USAGE_REFUSED, "Usage can be written nowhere, and requests are refused", _C, Unit.COUNT,
                  0.0, 0.0, 0.0),
            _rule(USAGE_BUFFERING, "Usage does not reach the database", _W, Unit.COUNT, 0.0, 0.0, 5 * _M),
            _rule(LEDGER, "The budget ledger does not answer", _C, Unit.COUNT, 0.0, 0.0, _M),
        )
    }
)  # fmt: skip
"""By name. Counts say how many there are, or 1 for what is so; `cost-per-request` is the rise over the 24
hours before, as a share; burn rates are shares of what their windows allow."""

SCOPED: Final = frozenset({COST, HITS, LATENCY, ERRORS})
"""Rules that may look at one tenant or route alone."""
MEASURED: Final = SCOPED | {PROVIDER_FAILURES, BURN_FAST, BURN_SLOW}
"""Rules that judge requests: nothing to look at is no verdict. Of the others it is a good one."""
BAD_LEAST: Final = 5
"""Bad requests within the long window, below which no budget burns: one of few is chance."""
