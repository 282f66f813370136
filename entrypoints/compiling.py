"""What the configuration comes to in the domain's own words: policies, the routing table, live state."""

from collections.abc import Callable

from application.attempts import FailoverHappened
from application.ports.telemetry import Metrics
from application.runtime import Runtime
from domain.resilience.breaker import BreakerPolicy
from domain.resilience.key_pool import PoolKey
from domain.routing.health import HealthPolicy
from domain.routing.live import LiveState
from domain.routing.table import RoutingTable
from entrypoints.provisioning import Provision
from entrypoints.settings import BreakerSettings, HealthSettings, Settings


def breaker_policy(settings: BreakerSettings) -> BreakerPolicy:
    """The configuration's breaker section as the domain wants it."""
    return BreakerPolicy(**settings.model_dump())


def health_policy(settings: HealthSettings) -> HealthPolicy:
    """The configuration's health section as the domain wants it."""
    unavailable = settings.unavailable_consecutive_failures
    return HealthPolicy(
        window_s=settings.window_s,
        minimum_samples=settings.minimum_samples,
        degraded_success_rate=max(settings.degraded_below, settings.unhealthy_below),
        unhealthy_success_rate=settings.unhealthy_below,
        degraded_latency_ms=settings.degraded_latency_ms,
        degraded_consecutive_failures=min(3, unavailable),
        unhealthy_consecutive_failures=min(5, unavailable),
        unavailable_consecutive_failures=unavailable,
    )


def key_pools(provision: Provision) -> dict[str, tuple[PoolKey, ...]]:
    """The pools of the providers that have several keys."""
    return {
        name: tuple(key.pool for key in each.keys) for name, each in provision.providers.items() if each.keys
    }


def compiled_table(provision: Provision) -> RoutingTable:
    """The routing table of a provision."""
    return RoutingTable.compile(
        provision.targets,
        provision.routes,
        default_route=provision.default_route,
        cache=provision.cache,
        home_region=provision.residency.home,
        known_regions=provision.residency.atlas().regions,
        region_groups=provision.residency.region_groups(),
    )


def compiled_runtime(settings: Settings, provision: Provision) -> Runtime:
    """The routing table of a provision, with fresh live state under the configured policies."""
    table = compiled_table(provision)
    live = LiveState(
        table,
        breaker_policy=breaker_policy(settings.breaker),
        health_policy=health_policy(settings.health),
        breaker_policies={name: breaker_policy(settings.breaker_of(name)) for name in settings.providers},
        key_pools=key_pools(provision),
    )
    return Runtime(table, live)


def failover_observer(metrics: Metrics) -> Callable[[FailoverHappened], None]:
    """Counts failovers; their rows are in the usage log."""

    def observe(happened: FailoverHappened) -> None:
        metrics.failed_over(happened.original_provider, happened.fallback_provider, happened.reason)

    return observe
