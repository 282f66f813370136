"""How Redis is, for the health and metrics pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from application.ports.telemetry import Gauge


class ConnectionHealth(Protocol):
    """As the last calls tell."""

    up: bool
    last_error: str
    latency_s: float
    calls: int
    failures: int


class LeasePool(Protocol):
    """What a pool of leases counts."""

    visits: int
    pools_lost: int


class RedisTold(Protocol):
    """What a server says of itself."""

    @property
    def version(self) -> str: ...

    @property
    def masters(self) -> int: ...

    @property
    def complaints(self) -> tuple[str, ...]: ...


@dataclass(slots=True)
class RedisStatus:
    """`connection` is None where no Redis is configured."""

    connection: ConnectionHealth | None = None
    pool: LeasePool | None = None

    def page(self, *, in_full: bool) -> dict[str, Any]:
        """One part of the health page; errors and figures are for those who may see them."""
        health = self.connection
        if health is None:
            return {"status": "not_configured"}
        status = {"status": "up" if health.up else "down"}
        if not in_full:
            return status
        return {**status, "latency_ms": round(health.latency_s * 1000, 3), "last_error": health.last_error}

    def gauges(self) -> Iterable[Gauge]:
        """What is measured at the moment of the scrape."""
        health = self.connection
        if health is None:
            return
        yield Gauge("interchange_redis_up", "1 while Redis answers in time.", (((), int(health.up)),))
        yield Gauge("interchange_redis_latency_seconds", "Of the last call.", (((), health.latency_s),))
        yield Gauge("interchange_redis_calls_total", "Calls to Redis.", (((), health.calls),), "counter")
        yield Gauge(
            "interchange_redis_failures_total", "Calls that failed.", (((), health.failures),), "counter"
        )
        if self.pool is not None:
            yield Gauge(
                "interchange_lease_pool_visits_total",
                "How often the database was asked for more leases on behalf of the pool in Redis.",
                (((), self.pool.visits),),
                "counter",
            )
            yield Gauge(
                "interchange_lease_pools_lost_total",
                "How often Redis had lost what it knew of budget leases.",
                (((), self.pool.pools_lost),),
                "counter",
            )
