"""What an operator pays a provider beside its list prices."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema

from domain.money import parse_usd
from domain.routing.effective_price import PriceContract, ReservedCapacity, VolumeDiscount
from entrypoints.config.sections import Section

Percent = Annotated[
    Decimal,
    Field(ge=0, le=100, decimal_places=2, description="Percent off the list price, to two decimals."),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "maximum": 100}),
]
_Usd = Annotated[
    Decimal, Field(ge=0, le=1_000_000_000), WithJsonSchema({"type": ["number", "string"], "minimum": 0})
]


class VolumeDiscountSettings(Section):
    """`percent` off once this month's bill of the provider (UTC, as recorded here) has passed
    `above_usd_per_month`. Of several that are passed the largest counts, on top of `discount_percent`."""

    above_usd_per_month: _Usd
    percent: Percent


class ReservedSettings(Section):
    """Throughput paid by the hour. While the current minute's tokens are below `tokens_per_minute`, a call
    costs nothing more; then list prices apply. Counted per process."""

    tokens_per_minute: int = Field(ge=1, le=10**12)
    hourly_usd: _Usd = Field(
        default=Decimal(0), description="What the reservation costs, used or not; billed to no request."
    )
    models: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = Field(
        default=(), max_length=1000, description="The provider's own model names it is for; empty: all."
    )


def price_contract(
    discount_percent: Decimal, volume: tuple[VolumeDiscountSettings, ...], reserved: ReservedSettings | None
) -> PriceContract | None:
    """The provider's section as the domain wants it; None where list prices hold."""
    if not discount_percent and not volume and reserved is None:
        return None
    return PriceContract(
        discount_basis_points=int(discount_percent * 100),
        volume=tuple(
            VolumeDiscount(
                above_nano_usd=parse_usd(step.above_usd_per_month), basis_points=int(step.percent * 100)
            )
            for step in volume
        ),
        reserved=None
        if reserved is None
        else ReservedCapacity(
            tokens_per_minute=reserved.tokens_per_minute,
            hourly_nano_usd=parse_usd(reserved.hourly_usd),
            models=frozenset(reserved.models),
        ),
    )
