"""What an operator really pays: contracts over list prices, capacity paid for already, tiers of service.

A discount is put into a table's prices when the table is made, so that ranking, price bounds and bills use
the same numbers and a request pays nothing for it. What depends on the moment (room left in reserved
capacity) is asked when a request is planned, and settled when it is billed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from domain.catalog.prices import PriceTable, Rates, Tier, Variant, bill
from domain.llm.usage import Usage
from domain.money import NanoUsd

MINUTE_S = 60.0
RESERVED = "reserved"
"""`AttemptEvent.billed_as` of an attempt that reserved capacity carried."""
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDiscount:
    """`basis_points` (hundredths of a percent) off once the month's bill has passed `above_nano_usd`."""

    above_nano_usd: int
    basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedCapacity:
    """Throughput that is paid by the hour: up to so many tokens per minute cost nothing more.

    `hourly_nano_usd` is what the reservation costs whether it is used or not; no request is billed for it.
    `models` limits it to these model names; empty: all of the provider.
    """

    tokens_per_minute: int
    hourly_nano_usd: int = 0
    models: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceContract:
    """What an operator agreed with one provider. The discounts add up, to at most the whole price."""

    discount_basis_points: int = 0
    volume: tuple[VolumeDiscount, ...] = ()
    reserved: ReservedCapacity | None = None

    def basis_points_off(self, month_nano_usd: int) -> int:
        """Hundredths of a percent off the list price once the month's bill has come to this."""
        passed = [step.basis_points for step in self.volume if month_nano_usd > step.above_nano_usd]
        return min(BASIS_POINTS, self.discount_basis_points + max(passed, default=0))


class ReservedMeter:
    """Tokens that reserved capacity carried in the current minute of the clock it is told."""

    __slots__ = ("_minute", "_tokens")

    def __init__(self) -> None:
        self._minute = -1
        self._tokens = 0

    def room(self, reserved: ReservedCapacity, now: float) -> bool:
        """Whether the minute's tokens are still below what is reserved."""
        return int(now // MINUTE_S) != self._minute or self._tokens < reserved.tokens_per_minute

    def claim(self, reserved: ReservedCapacity, tokens: int, now: float) -> bool:
        """Counts an attempt against the minute it ends in, if there is room; whether there was.

        The attempt that passes the limit is still carried whole; the next one is not.
        """
        if not self.room(reserved, now):
            return False
        minute = int(now // MINUTE_S)
        if minute != self._minute:
            self._minute, self._tokens = minute, 0
        self._tokens += tokens
        return True


def carries(reserved: ReservedCapacity | None, model: str) -> bool:
    """Whether a provider's reserved capacity is for this model."""
    return reserved is not None and (not reserved.models or model in reserved.models)


def discounted(prices: PriceTable, basis_points: int) -> PriceTable:
    """The same prices less so many hundredths of a percent; each rate is rounded up to a nano-dollar."""
    if not basis_points:
        return prices
    return replace(
        prices,
        base=_less(prices.base, basis_points),
        tiers=_tiers_less(prices.tiers, basis_points),
        per_request=_rate_less(prices.per_request, basis_points),
        variants=tuple(
            Variant(
                name=variant.name,
                base=_less(variant.base, basis_points),
                tiers=_tiers_less(variant.tiers, basis_points),
            )
            for variant in prices.variants
        ),
        extras=tuple((unit, _rate_less(rate, basis_points)) for unit, rate in prices.extras),
        units=tuple((unit, _rate_less(rate, basis_points)) for unit, rate in prices.units),
    )


def _tiers_less(tiers: tuple[Tier, ...], basis_points: int) -> tuple[Tier, ...]:
    return tuple(
        Tier(above_input_tokens=tier.above_input_tokens, rates=_less(tier.rates, basis_points))
        for tier in tiers
    )


def _less(rates: Rates, basis_points: int) -> Rates:
    known = ((bucket.name, getattr(rates, bucket.name)) for bucket in fields(rates))
    return Rates(**{name: _rate_less(rate, basis_points) for name, rate in known if rate is not None})


def _rate_less(rate: int, basis_points: int) -> int:
    return -(-rate * (BASIS_POINTS - basis_points) // BASIS_POINTS)


def billed_variant(prices: PriceTable, asked: str, served: str) -> str:
    """Which prices apply: those of the tier the provider says it served, else of the one asked for.

    A bare word, such as `flex`, is a tier of service; other conditions are named (`speed=fast`).
    Empty where the table has no prices of their own for it: it costs what every request costs.
    """
    name = served or (asked if "=" in asked or not asked else f"service_tier={asked}")
    return name if name and prices.variant(name) is not None else ""


def charge(prices: PriceTable, usage: Usage, variant: str, *, carried: bool) -> NanoUsd | None:
    """The marginal bill of one attempt in nano-dollars; None when a needed price is unknown.

    `carried` by reserved capacity: nothing, whatever the prices say.
    """
    return NanoUsd(0) if carried else bill(prices, usage, variant=variant or None)


def discounts_due(
    contracts: Mapping[str, PriceContract], month_nano_usd: Mapping[str, int]
) -> dict[str, int]:
    """Hundredths of a percent off by provider at these bills of the month; only those that are due."""
    due = {
        name: contract.basis_points_off(month_nano_usd.get(name, 0)) for name, contract in contracts.items()
    }
    return {name: basis_points for name, basis_points in due.items() if basis_points}
