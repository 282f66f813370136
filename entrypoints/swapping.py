"""Putting a compiled configuration in the place of the one that runs, in one step.

Compiling reads nothing that changes, so it may be done in another thread; putting in place happens on the
event loop and does not wait, so no request sees half of it. Calls that run keep what they have. A provider
that is gone stays reachable for a while, for requests that planned with it; no new plan names it.
"""

from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from application.ports.system import Clock
from domain.routing.live import LiveState
from entrypoints.compiling import breaker_policy, compiled_table, health_policy, key_pools
from entrypoints.containers import Container
from entrypoints.experimenting import check_names as check_experiment_names
from entrypoints.experimenting import declared_experiments
from entrypoints.limiting import check_names, declared_limits
from entrypoints.live import Prepare
from entrypoints.money import check_budget_names, declared_budgets
from entrypoints.provider_endpoints import direct_endpoints, gateway_targets
from entrypoints.provisioning import Provision
from entrypoints.settings import Settings
from entrypoints.tenancy import check_tenant_names, declared_tenancy

Endpoint = TypeVar("Endpoint")

GONE_KEPT_S: Final = 600.0
"""As long as a request may take before its last attempt begins, unless its route says otherwise."""


class Lingering(Generic[Endpoint]):
    """Endpoints by provider, with those that are gone kept at least for a time."""

    def __init__(self, clock: Clock, in_use: Mapping[str, Endpoint]) -> None:
        self._clock = clock
        self._in_use = dict(in_use)
        self._gone: dict[str, tuple[float, Endpoint]] = {}

    def with_gone(self, by: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
        """What to reach from now on: all of `by`, and what it lacks of the last ones."""
        return {name: endpoint for name, (_, endpoint) in self._gone_then(by).items()} | dict(by)

    def now_uses(self, these: Mapping[str, Endpoint]) -> None:
        """They are in place."""
        self._gone, self._in_use = self._gone_then(these), dict(these)

    def _gone_then(self, by: Mapping[str, Endpoint]) -> dict[str, tuple[float, Endpoint]]:
        now = self._clock.monotonic()
        fresh = {name: (now + GONE_KEPT_S, endpoint) for name, endpoint in self._in_use.items()}
        return {
            name: entry for name, entry in (self._gone | fresh).items() if name not in by and entry[0] > now
        }


def preparing(container: Container, provided: Provision) -> Prepare:
    """Compiles configurations for this container, which runs on `provided` now.

    The returned function raises InvalidRequest, ValueError or ProvisioningError for what cannot be compiled.
    """
    clock, prove, way_out = container.clock(), container.prove(), container.way_out()
    direct = Lingering(clock, direct_endpoints(provided, prove, way_out))
    gateway = Lingering(clock, gateway_targets(provided))

    def prepare(settings: Settings, wanted: Provision) -> Callable[[], None]:
        table = compiled_table(wanted)
        follow, declared = container.money().follow, declared_budgets(settings)
        check_budget_names(declared, follow.stored)
        limits, limited = container.limiting().follow, declared_limits(settings)
        check_names(limited, limits.stored)
        experiments, tried = container.experimenting().follow, declared_experiments(settings)
        check_experiment_names(tried, experiments.stored)
        tenancy, tenants = container.tenancy().follow, declared_tenancy(settings)
        check_tenant_names(tenants, tenancy.stored)
        integrations = container.integrating().prepare(settings)
        endpoints, targets = direct_endpoints(wanted, prove, way_out), gateway_targets(wanted)

        guardrails = container.guardrails().prepare(settings)

        def put_in_place() -> None:
            runtime = container.runtime()
            live = LiveState(
                table,
                breaker_policy=breaker_policy(settings.breaker),
                health_policy=health_policy(settings.health),
                breaker_policies={
                    name: breaker_policy(settings.breaker_of(name)) for name in settings.providers
                }
                | dict(wanted.breakers),
                key_pools=key_pools(wanted),
                old=runtime.snapshot[1],
            )
            reachable = direct.with_gone(endpoints)
            container.outgoing().use(settings, wanted, reachable)
            container.direct().set_endpoints(reachable)
            container.resources().set_endpoints(reachable)
            container.gateway().set_endpoints(gateway.with_gone(targets))
            runtime.replace(table, live)
            follow.declare(declared)
            limits.declare(limited)
            experiments.declare(tried)
            tenancy.declare(tenants)
            container.integrating().follow.declare(integrations)
            container.identities().use(settings)
            container.guarding().guards.use(settings.guards.policy())
            container.privacy().policies.use(settings.privacy.default, settings.privacy.made())
            guardrails()
            container.recording().use(settings)
            direct.now_uses(endpoints)
            gateway.now_uses(targets)

        return put_in_place

    return prepare
