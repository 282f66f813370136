"""Volume discounts follow the month's bill, and a swapped table keeps them."""

from datetime import UTC, datetime

from adapters.memory.system import SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.runtime import Runtime
from application.use_cases.apply_discounts import ApplyDiscounts
from contracts.ports.usage import usage_event
from domain.routing.effective_price import PriceContract, VolumeDiscount
from domain.routing.live import LiveState
from tests.unit.routing._talks import cached_target, caching
from tests.unit.routing._world import table_of

USD = 1_000_000_000
NOVEMBER = datetime(2026, 11, 21, 12, tzinfo=UTC)
CONTRACT = PriceContract(
    discount_basis_points=1_000, volume=(VolumeDiscount(above_nano_usd=100 * USD, basis_points=2_000),)
)


def world(spent_nano_usd: int, at: datetime) -> tuple[Runtime, ApplyDiscounts, SteppingClock]:
    table = table_of(
        cached_target("acme/m", caching(10.0), contract=CONTRACT), cached_target("other/m", caching(10.0))
    )
    log = InMemoryUsageLog()
    log.record(
        usage_event(1, provider="acme", cost_nano_usd=spent_nano_usd, started_at_us=int(at.timestamp() * 1e6))
    )
    runtime, clock = Runtime(table, LiveState(table)), SteppingClock(utc=NOVEMBER)
    return runtime, ApplyDiscounts(runtime, log, clock), clock


def price(runtime: Runtime, target_id: str = "acme/m") -> int | None:
    return runtime.snapshot[0].by_id[target_id].offering.prices.base.input


async def test_the_discount_rises_when_the_months_bill_passes_the_threshold() -> None:
    runtime, apply, _ = world(101 * USD, NOVEMBER)
    assert price(runtime) == 9 * USD, "the plain discount holds from the start"
    live = runtime.snapshot[1]

    assert await apply() is True
    assert (price(runtime), price(runtime, "other/m")) == (7 * USD, 10 * USD)
    assert runtime.snapshot[1] is live
    assert await apply() is False


async def test_a_new_month_starts_from_nothing() -> None:
    runtime, apply, clock = world(101 * USD, NOVEMBER)
    await apply()
    clock.advance(11 * 86_400)

    assert await apply() is True
    assert price(runtime) == 9 * USD
    _, last_months, _ = world(101 * USD, datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    assert await last_months() is False


async def test_a_new_table_comes_at_the_prices_in_force() -> None:
    runtime, apply, _ = world(101 * USD, NOVEMBER)
    await apply()

    runtime.swap(table_of(cached_target("acme/m", caching(20.0), contract=CONTRACT)))

    assert price(runtime) == 14 * USD
    assert runtime.volume_providers == ("acme",)
