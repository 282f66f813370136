"""How an integration is doing, as its last checks tell."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

SLOW_MS: Final = 5_000.0
"""A check that takes longer finds an integration degraded."""
FAILURES_TOLERATED: Final = 1
"""One failed check after a good one may have been an accident; the next one is a fact."""
KEPT_DAYS: Final = 7
KEPT_MAX: Final = 10_080
"""Checks of one integration: a week of one a minute."""
ERROR_CHARS_MAX: Final = 500


class HealthState(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """It answers slowly, failed once, or says what nobody accepted yet."""
    UNHEALTHY = "unhealthy"
    MAINTENANCE = "maintenance"
    """Its owner paused it; nobody looks."""


class HealthCheck(NamedTuple):
    """One look at an integration. `latency_ms` None: it did not answer."""

    tenant_id: str
    integration_id: str
    checked_at_us: int
    state: HealthState
    latency_ms: float | None = None
    error: str = ""
    failures: int = 0
    """Failed checks in a row, this one included."""

    @property
    def up(self) -> bool:
        return self.state in (HealthState.HEALTHY, HealthState.DEGRADED)


class Seen(NamedTuple):
    """What one attempt to reach an integration came to; `error` empty: it answered. `complaint`: it answered,
    and somebody should still look at it."""

    latency_ms: float
    error: str = ""
    complaint: str = ""


def judged(place: tuple[str, str], seen: Seen, before: HealthCheck | None, checked_at_us: int) -> HealthCheck:
    """The check that follows `before`, of the integration `(tenant_id, integration_id)`."""
    tenant_id, integration_id = place
    if not seen.error:
        degraded = seen.latency_ms > SLOW_MS or seen.complaint
        state = HealthState.DEGRADED if degraded else HealthState.HEALTHY
        said = seen.complaint[:ERROR_CHARS_MAX]
        return HealthCheck(tenant_id, integration_id, checked_at_us, state, seen.latency_ms, said)
    was_up = before is not None and (before.up or before.failures > 0)
    failures = 1 if before is None else before.failures + 1
    blip = was_up and failures <= FAILURES_TOLERATED
    return HealthCheck(
        tenant_id,
        integration_id,
        checked_at_us,
        HealthState.DEGRADED if blip else HealthState.UNHEALTHY,
        None,
        seen.error[:ERROR_CHARS_MAX],
        failures,
    )


def availability(checks: Sequence[HealthCheck]) -> float | None:
    """Share of the checks that found it up, 0 to 1; None: nobody looked. Maintenance does not count."""
    looked = [check for check in checks if check.state is not HealthState.MAINTENANCE]
    return sum(check.up for check in looked) / len(looked) if looked else None
