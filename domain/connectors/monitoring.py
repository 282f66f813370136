"""How an integration is watched, as its owner says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.errors import InvalidConfiguration

INTERVAL_S: Final = 60.0
INTERVAL_S_MIN: Final = 5.0
INTERVAL_S_MAX: Final = 86_400.0
METRICS: Final = ("availability", "latency", "pool")
"""What is shown of each integration, beside what its usage rows tell."""
CONFIRM_AFTER_S: Final = 5.0
"""A first failure is looked at again so soon."""
JITTER: Final = 0.1
_KEYS: Final = ("enabled", "interval_s", "metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """`interval_s` is between checks; `metrics` are those of METRICS that are shown."""

    enabled: bool = True
    interval_s: float = INTERVAL_S
    metrics: frozenset[str] = frozenset(METRICS)

    def next_check_s(self, *, failed_once: bool, draw: float) -> float:
        """Seconds to the next check, so that many integrations are not all looked at together; `draw` is
        from 0 to 1."""
        period_s = min(self.interval_s, CONFIRM_AFTER_S) if failed_once else self.interval_s
        return period_s * (1 + JITTER * (2 * draw - 1))


def monitoring_of(said: Mapping[str, Any]) -> Monitoring:
    """`monitoring` of an integration. Raises InvalidConfiguration."""
    for key in said:
        if key not in _KEYS:
            raise _wrong(f"monitoring.{key[:80]}", f"is unknown; allowed: {', '.join(_KEYS)}")
    enabled = said.get("enabled", True)
    if not isinstance(enabled, bool):
        raise _wrong("monitoring.enabled", "must be true or false")
    interval_s = said.get("interval_s", INTERVAL_S)
    number = isinstance(interval_s, int | float) and not isinstance(interval_s, bool)
    if not number or not INTERVAL_S_MIN <= interval_s <= INTERVAL_S_MAX:
        raise _wrong("monitoring.interval_s", f"must be {INTERVAL_S_MIN:g} to {INTERVAL_S_MAX:g} seconds")
    metrics = said.get("metrics")
    if metrics is None:
        metrics = METRICS
    listed = isinstance(metrics, list | tuple) and all(isinstance(each, str) for each in metrics)
    if not listed or not set(metrics) <= set(METRICS):
        raise _wrong("monitoring.metrics", f"may list {', '.join(METRICS)}")
    return Monitoring(enabled=enabled, interval_s=float(interval_s), metrics=frozenset(metrics))


def _wrong(param: str, what: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"{param} {what}", param=param)
