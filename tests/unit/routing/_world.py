"""Small catalogues for routing tests."""

from collections.abc import Iterable, Sequence
from typing import Any

from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates, Tier
from domain.llm.capabilities import Capability
from domain.resilience.breaker import BreakerPolicy
from domain.routing.health import HealthPolicy
from domain.routing.live import LiveState
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target

USD_PER_MTOK = 1_000_000_000
TEXT = Capability.TEXT | Capability.STREAMING


def priced(input_usd: float, output_usd: float, *tiers: Tier, per_request: int = 0) -> PriceTable:
    """Prices in dollars per million tokens."""
    rates = Rates(input=round(input_usd * USD_PER_MTOK), output=round(output_usd * USD_PER_MTOK))
    return PriceTable(base=rates, tiers=tiers, per_request=per_request)


def target(
    target_id: str,
    *,
    prices: PriceTable | None = None,
    capabilities: Capability = TEXT,
    context: int | None = 128_000,
    quality: float | None = None,
    region: str | None = None,
    regions: Iterable[str] = (),
    compliance: Iterable[str] = (),
    tags: Iterable[str] = (),
    aliases: Sequence[str] = (),
    vendor: str | None = None,
) -> Target:
    """A target by its id; `table_of` gives it its index."""
    provider, _, model = target_id.partition("/")
    offering = Offering(
        provider=vendor or provider,
        model=model,
        prices=priced(1, 2) if prices is None else prices,
        capabilities=capabilities,
        context_tokens=context,
        quality=quality,
        regions=frozenset(regions),
        aliases=tuple(aliases),
    )
    return Target(
        index=0,
        id=target_id,
        provider=provider,
        model=model,
        offering=offering,
        wire="openai",
        region=region,
        compliance=frozenset(compliance),
        tags=frozenset(tags),
    )


def indexed(targets: Iterable[Target]) -> list[Target]:
    """The same targets, each with its place as its index."""
    fields = [
        *[
            "id",
            "provider",
            "model",
            "offering",
            "wire",
            "via",
            "region",
            "compliance",
            "tags",
            "prompt_cache",
            "contract",
        ]
    ]
    return [
        Target(index=place, **{name: getattr(one, name) for name in fields})
        for place, one in enumerate(targets)
    ]


def table_of(*targets: Target, **settings: Any) -> RoutingTable:
    """A table with one operator's route, `auto`, over all targets."""
    placed = indexed(targets)
    route_settings = {
        key: settings.pop(key) for key in ("strategy", "max_fallbacks", "affinity") if key in settings
    }
    members = settings.pop("members", None) or [RouteTarget(target=one) for one in placed]
    members = [member if isinstance(member, RouteTarget) else _member(placed, *member) for member in members]
    auto = Route(name="auto", targets=tuple(members), **route_settings)
    return RoutingTable.compile(placed, {"auto": auto}, **settings)


def _member(placed: list[Target], place: int, weight: float = 1.0, priority: int = 0) -> RouteTarget:
    return RouteTarget(target=placed[place], weight=weight, priority=priority)


def live_of(
    table: RoutingTable,
    *,
    breaker: BreakerPolicy | None = None,
    health: HealthPolicy | None = None,
) -> LiveState:
    """Fresh live state; the breaker opens at the first failure unless told otherwise."""
    return LiveState(
        table,
        breaker_policy=breaker or BreakerPolicy(consecutive_failures=1),
        health_policy=health or HealthPolicy(),
    )


def open_breaker(live: LiveState, index: int, now: float) -> None:
    """Makes the target's breaker open at this moment."""
    state = live.targets[index]
    while state.breaker.would_admit(now):
        state.breaker.record(state.breaker.try_acquire(now=now), ok=False, now=now)  # type: ignore[arg-type]
