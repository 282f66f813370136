"""How providers are doing, and an operator's hand on them (SPEC R1, R2, O5)."""

from dataclasses import dataclass

from application.ports.system import Clock
from application.runtime import Runtime
from domain.errors import Forbidden, InvalidRequest, NotFound
from domain.resilience.breaker import BreakerState
from domain.resilience.key_pool import KeyStatus
from domain.routing.health import HealthSnapshot, HealthState
from domain.routing.live import LiveState
from domain.routing.table import RoutingTable
from domain.tenancy.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """One target: its breaker, how long until it may be tried, and calls in flight."""

    id: str
    region: str | None
    """Where it is; None: nobody knows."""
    breaker: str
    back_after_s: float | None
    first_token_ms: float | None
    latency_p95_ms: float | None
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One provider with its targets. `forced` is an operator's verdict, None without one."""

    name: str
    simulated: bool
    health: HealthSnapshot
    forced: str | None
    usable: bool
    targets: tuple[TargetStatus, ...]
    keys: tuple[KeyStatus, ...] = ()
    """Its keys, where it has several or their limits are declared."""


class ProvidersStatus:
    """Reads what live traffic showed; sends nothing."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    def __call__(self, by: Principal | None = None) -> list[ProviderStatus]:
        """Every provider, in the order of the configuration; with `by` only those that are theirs to see."""
        table, live = self._runtime.snapshot
        hidden = frozenset() if by is None else hidden_from(by, table)
        now = self._clock.monotonic()
        targets: dict[str, list[TargetStatus]] = {name: [] for name in live.providers}
        simulated: dict[str, bool] = {}
        usable: dict[str, bool] = {}
        for target in table.targets:
            state = live.targets[target.index]
            simulated[target.provider] = target.simulated
            usable[target.provider] = usable.get(target.provider, False) or state.usable(now)
            first_token_ms = state.ttft.value_s(now) * 1000 if state.ttft.known else None
            targets[target.provider].append(
                TargetStatus(
                    id=target.id,
                    region=target.region,
                    breaker=state.breaker.state(now).value,
                    back_after_s=state.back_after_s(now),
                    first_token_ms=first_token_ms,
                    latency_p95_ms=state.latency.predicted_p95_ms(),
                    in_flight=state.in_flight,
                )
            )
        return [
            ProviderStatus(
                name=name,
                simulated=simulated.get(name, False),
                health=state.health.snapshot(now),
                forced=state.health.forced.value if state.health.forced else None,
                usable=usable.get(name, False),
                targets=tuple(targets[name]),
                keys=() if state.keys is None else state.keys.statuses(now),
            )
            for name, state in live.providers.items()
            if name not in hidden
        ]

    def any_usable(self) -> bool:
        """Whether at least one target may be tried now."""
        _, live = self._runtime.snapshot
        now = self._clock.monotonic()
        return any(state.usable(now) for state in live.targets)


class SteerProvider:
    """Maintenance, a forced state, and breakers opened or closed by hand."""

    BREAKER_ACTIONS = ("open", "close", "reset")

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock

    def force(self, by: Principal, provider: str, state: str) -> None:
        """Forces a health state, or `auto` to judge by traffic again.

        Raises Forbidden, NotFound, InvalidRequest.
        """
        live = self._live(by, provider)
        if state == "auto":
            live.providers[provider].health.force(None)
            return
        try:
            live.providers[provider].health.force(HealthState(state))
        except ValueError:
            allowed = ", ".join(["auto", *(known.value for known in HealthState)])
            raise InvalidRequest(f"state {state!r} is unknown; allowed: {allowed}", param="state") from None

    def breaker(self, by: Principal, provider: str, action: str) -> BreakerState | None:
        """Opens, closes or resets the breakers of all the provider's targets. Raises as `force`."""
        live = self._live(by, provider)
        if action not in self.BREAKER_ACTIONS:
            raise InvalidRequest(
                f"action {action!r} is unknown; allowed: {', '.join(self.BREAKER_ACTIONS)}", param="action"
            )
        table, _ = self._runtime.snapshot
        now = self._clock.monotonic()
        state: BreakerState | None = None
        for target in table.targets:
            if target.provider == provider:
                breaker = live.targets[target.index].breaker
                if action == "open":
                    breaker.force_open()
                elif action == "close":
                    breaker.force_close()
                else:
                    breaker.reset()
                state = breaker.state(now)
        return state

    def _live(self, by: Principal, provider: str) -> LiveState:
        if not by.may("providers.write"):
            raise Forbidden(f"the role {by.role!r} may not steer providers (needs providers.write)")
        table, live = self._runtime.snapshot
        hidden = hidden_from(by, table)
        known = [name for name in live.providers if name not in hidden]
        if provider not in known:
            raise NotFound(f"no provider {provider!r}; known: {', '.join(known) or 'none'}", param="provider")
        return live


def hidden_from(by: Principal, table: RoutingTable) -> frozenset[str]:
    """Providers that other tenants have alone; whoever manages tenants sees them all."""
    if not table.belonging.divides or by.may("tenants.manage"):
        return frozenset()
    mask = table.belonging.open_to(by.tenant_id)
    return frozenset(target.provider for target in table.targets if not mask >> target.index & 1)
