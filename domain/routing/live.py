"""What is true of targets and providers right now, beside a table that does not change.

States live longer than tables: when a table is compiled anew, each target keeps its state by its id, so a
configuration reload closes no breaker and loses no call in flight.
"""

from collections.abc import Mapping, Sequence
from math import inf

from domain.resilience.breaker import BreakerPolicy, CircuitBreaker
from domain.resilience.key_pool import KeyPool, PoolKey
from domain.routing.effective_price import ReservedCapacity, ReservedMeter
from domain.routing.filters import DropReason
from domain.routing.health import HealthPolicy, HealthState, HealthWindow
from domain.routing.latency import LatencyWindow, PeakEwma
from domain.routing.masks import ThresholdMasks, mask_of
from domain.routing.prompt_cache import CacheLearning
from domain.routing.table import DIRECT_MAX, Members, RoutingTable

PREDICTIONS_KEPT_S = 1.0
"""How long latency predictions of a large route serve before they are gathered again."""

_BREAKER_POLICY = BreakerPolicy()
_HEALTH_POLICY = HealthPolicy()

_FORCED_OUT = {
    HealthState.MAINTENANCE: DropReason.MAINTENANCE,
    HealthState.UNAVAILABLE: DropReason.UNHEALTHY,
    HealthState.UNHEALTHY: DropReason.UNHEALTHY,
}


class ProviderState:
    """A provider's health and an operator's switch. `disabled` takes it out until it is switched back.

    `keys` is the pool of its keys, None where it has one key or proves itself otherwise.
    """

    __slots__ = ("disabled", "health", "keys", "reserved")

    def __init__(self, health_policy: HealthPolicy) -> None:
        self.health = HealthWindow(health_policy)
        self.disabled = False
        self.reserved = ReservedMeter()
        self.keys: KeyPool | None = None

    def why_not(self, now: float) -> DropReason | None:
        """Why none of its targets may be used; None when they may.

        An operator's word holds until taken back: HEALTHY and DEGRADED admit, the others do not. What
        traffic shows holds for a while (`HealthPolicy.unavailable_hold_s`).
        """
        if self.disabled:
            return DropReason.DISABLED
        forced = self.health.forced
        if forced is not None:
            return _FORCED_OUT.get(forced)
        if self.keys is not None and self.keys.closed_until > now:
            return DropReason.COOLING_DOWN
        return DropReason.UNHEALTHY if self.health.held_for_s(now) > 0 else None

    def back_after_s(self, now: float) -> float | None:
        """Seconds until it may be tried; 0: now; None: when an operator says so."""
        if self.why_not(now) is None:
            return 0.0
        if self.disabled or self.health.forced is not None:
            return None
        keys_s = 0.0 if self.keys is None else self.keys.closed_until - now
        return max(self.health.held_for_s(now), keys_s)


class TargetState:
    """What the attempt loop keeps of one target: calls `in_flight`, `cool_until` in monotonic seconds.

    `caching` is what its answers taught about its prompt cache.
    """

    __slots__ = ("breaker", "caching", "cool_until", "in_flight", "latency", "provider", "ttft")

    def __init__(self, provider: ProviderState, breaker_policy: BreakerPolicy) -> None:
        self.provider = provider
        self.breaker = CircuitBreaker(breaker_policy)
        self.ttft = PeakEwma()
        self.latency = LatencyWindow()
        self.caching = CacheLearning()
        self.cool_until = 0.0
        self.in_flight = 0

    def usable(self, now: float) -> bool:
        """Whether a call may be tried now."""
        return self.cool_until <= now and self.breaker.would_admit(now) and self.provider.why_not(now) is None

    def why_not(self, now: float) -> DropReason | None:
        """Why no call may be tried now; None when one may."""
        if (reason := self.provider.why_not(now)) is not None:
            return reason
        if not self.breaker.would_admit(now):
            return DropReason.BREAKER_OPEN
        return DropReason.COOLING_DOWN if self.cool_until > now else None

    def back_after_s(self, now: float) -> float | None:
        """Seconds until a call may be tried; 0: now; None: when an operator says so."""
        provider_s = self.provider.back_after_s(now)
        if provider_s is None or (self.breaker.held and not self.breaker.would_admit(now)):
            return None
        return max(provider_s, self.breaker.reopen_after_s(now), self.cool_until - now, 0.0)

    def cool_down(self, until: float) -> None:
        """Leaves the target alone until then; the longest of several demands holds."""
        self.cool_until = max(self.cool_until, until)

    def expected_load(self, now: float) -> float:
        """Peak EWMA of the first token times the calls queued here, this one included."""
        return self.ttft.load(self.in_flight, now)


class LiveState:
    """The states of one table: `targets` by `Target.index`, `providers` by the operator's name."""

    __slots__ = (
        "_by_id",
        "_predicted",
        "_predicted_at",
        "_reserved",
        "breaker_policies",
        "breaker_policy",
        "health_policy",
        "key_pools",
        "providers",
        "targets",
    )

    def __init__(
        self,
        table: RoutingTable,
        *,
        breaker_policy: BreakerPolicy = _BREAKER_POLICY,
        health_policy: HealthPolicy = _HEALTH_POLICY,
        breaker_policies: Mapping[str, BreakerPolicy] | None = None,
        key_pools: Mapping[str, Sequence[PoolKey]] | None = None,
        old: "LiveState | None" = None,
    ) -> None:
        """Fresh states, or those of `old` where it has them. `breaker_policies` are by provider or target id,
        `key_pools` by provider.

        A breaker whose policy changed starts anew; everything else known of its target is kept.
        """
        self.breaker_policy = breaker_policy
        self.breaker_policies = dict(breaker_policies or {})
        self.health_policy = health_policy
        self.key_pools = dict(key_pools or {})
        self.providers: dict[str, ProviderState] = {}
        self._by_id: dict[str, TargetState] = {}
        self.targets: list[TargetState] = []
        self._predicted = ThresholdMasks(())
        self._predicted_at = -inf
        self._reserved: list[tuple[int, ReservedCapacity]] = []
        for target in table.targets:
            provider = self.providers.get(target.provider)
            if provider is None:
                provider = self._provider(target.provider, old)
            state = self._target(target.id, target.provider, provider, old)
            self._by_id[target.id] = state
            self.targets.append(state)
            if table.reserved >> target.index & 1 and target.contract and target.contract.reserved:
                self._reserved.append((target.index, target.contract.reserved))

    @classmethod
    def carry_over(cls, old: "LiveState", table: RoutingTable) -> "LiveState":
        """States for a new table under the old policies; what is no longer in the table is forgotten."""
        return cls(
            table,
            breaker_policy=old.breaker_policy,
            health_policy=old.health_policy,
            breaker_policies=old.breaker_policies,
            key_pools=old.key_pools,
            old=old,
        )

    def of(self, target_id: str) -> TargetState | None:
        """The state of a target by its id."""
        return self._by_id.get(target_id)

    def with_room(self, mask: int, now: float) -> list[int]:
        """Those of a set that reserved capacity would carry now, at no further cost."""
        return [
            index
            for index, reserved in self._reserved
            if mask >> index & 1 and self.targets[index].provider.reserved.room(reserved, now)
        ]

    def quick_enough(self, members: Members, ceiling_ms: int, now: float) -> int:
        """The set of a route's targets whose predicted p95 keeps the ceiling; those without a prediction do.

        For a large route the predictions may be PREDICTIONS_KEPT_S old.
        """
        if len(members.indices) <= DIRECT_MAX:
            slow = mask_of(
                index
                for index in members.indices
                if (self.targets[index].latency.predicted_p95_ms(now) or 0.0) > ceiling_ms
            )
        else:
            if not 0 <= now - self._predicted_at < PREDICTIONS_KEPT_S:
                predicted = ((i, state.latency.predicted_p95_ms(now)) for i, state in enumerate(self.targets))
                self._predicted = ThresholdMasks((i, p95_ms) for i, p95_ms in predicted if p95_ms is not None)
                self._predicted_at = now
            slow = self._predicted.above(ceiling_ms)
        return members.mask & ~slow

    def _provider(self, name: str, old: "LiveState | None") -> ProviderState:
        kept = None if old is None else old.providers.get(name)
        if kept is None:
            kept = ProviderState(self.health_policy)
        elif kept.health.policy != self.health_policy:
            forced, kept.health = kept.health.forced, HealthWindow(self.health_policy)
            kept.health.force(forced)
        keys = self.key_pools.get(name)
        if not keys:
            kept.keys = None
        elif kept.keys is None:
            kept.keys = KeyPool(keys)
        else:
            kept.keys.configure(keys)
        self.providers[name] = kept
        return kept

    def _target(
        self, target_id: str, provider_name: str, provider: ProviderState, old: "LiveState | None"
    ) -> TargetState:
        policies = self.breaker_policies
        policy = policies.get(target_id) or policies.get(provider_name) or self.breaker_policy
        kept = None if old is None else old.of(target_id)
        if kept is None:
            return TargetState(provider, policy)
        kept.provider = provider
        if kept.breaker.policy != policy:
            kept.breaker = CircuitBreaker(policy)
        return kept
