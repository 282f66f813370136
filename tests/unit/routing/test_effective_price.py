"""Contracts, reserved capacity and tiers of service change what is ranked and billed, exactly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import PriceTable, Rates, Tier, Variant, bill
from domain.llm.usage import Usage
from domain.routing.effective_price import (
    PriceContract,
    ReservedCapacity,
    ReservedMeter,
    VolumeDiscount,
    billed_variant,
    discounted,
)
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.price_bound import worst_cost
from domain.routing.repricing import repriced
from domain.routing.requirements import Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from tests.unit.routing._talks import cached_target, caching
from tests.unit.routing._world import live_of, table_of

USD = 1_000_000_000
RESERVED = ReservedCapacity(tokens_per_minute=1_000)


def first(table: RoutingTable, live: LiveState | None = None, now: float = 100.0) -> str:
    needs = Requirements(input_tokens=5_000, output_tokens=500)
    return (
        make_plan(table, table.resolve("auto"), needs, live or live_of(table), now=now, draw=0.5)
        .targets[0]
        .id
    )


@settings(max_examples=100)
@given(st.integers(0, 10**11), st.integers(0, 10_000), st.integers(0, 10**7))
def test_a_discounted_bill_is_the_list_bill_less_the_percent_rounded_up_per_rate(
    rate: int, basis_points: int, tokens: int
) -> None:
    prices = PriceTable(base=Rates(input=rate, output=rate))
    ours = bill(discounted(prices, basis_points), Usage(tokens, 0))
    listed = bill(prices, Usage(tokens, 0))
    assert ours is not None and listed is not None
    exact = rate * tokens * (10_000 - basis_points)
    assert exact <= ours * 10_000 * 10**6 <= exact + 10_000 * tokens + 10_000 * 10**6
    assert ours <= listed or basis_points == 0


def test_a_discount_reaches_every_bucket_tier_and_variant_and_leaves_the_unknown_unknown() -> None:
    rates = Rates(input=1000, output=2000, cached_read=100)
    prices = PriceTable(
        base=rates,
        tiers=(Tier(above_input_tokens=5, rates=rates),),
        variants=(Variant(name="service_tier=flex", base=rates),),
        per_request=50,
    )
    half = discounted(prices, 5_000)
    halved = Rates(input=500, output=1000, cached_read=50)
    assert (half.base, half.tiers[0].rates, half.variants[0].base) == (halved, halved, halved)
    assert half.per_request == 25 and half.base.reasoning is None
    assert discounted(prices, 0) is prices


def test_volume_steps_add_to_the_discount_once_the_months_bill_has_passed_them() -> None:
    contract = PriceContract(
        discount_basis_points=500,
        volume=(
            VolumeDiscount(above_nano_usd=100 * USD, basis_points=300),
            VolumeDiscount(above_nano_usd=1000 * USD, basis_points=9_900),
        ),
    )
    assert contract.basis_points_off(100 * USD) == 500
    assert contract.basis_points_off(100 * USD + 1) == 800
    assert contract.basis_points_off(2000 * USD) == 10_000


def test_a_contract_decides_a_ranking_by_cost_and_the_table_keeps_its_places() -> None:
    contract = PriceContract(volume=(VolumeDiscount(above_nano_usd=USD, basis_points=2_000),))
    table = table_of(
        cached_target("a/m", caching(3.0)),
        cached_target("b/m", caching(3.3), contract=contract),
        strategy="cost",
    )
    assert repriced(table, {"b": USD}) is table
    ours = repriced(table, {"b": 2 * USD})
    assert (first(table), first(ours)) == ("a/m", "b/m")
    assert ours.by_id["b/m"].index == table.by_id["b/m"].index
    assert ours.resolve("auto").targets[1].target is ours.by_id["b/m"]


def test_a_minute_of_reserved_capacity_is_used_up_and_comes_back() -> None:
    meter = ReservedMeter()
    assert meter.claim(RESERVED, 999, 60.0)
    assert meter.claim(RESERVED, 5_000, 119.9)
    assert not meter.room(RESERVED, 119.9) and not meter.claim(RESERVED, 1, 119.9)
    assert meter.claim(RESERVED, 1, 120.0)


def test_reserved_capacity_with_room_is_the_cheapest_there_is() -> None:
    for strategy in ("cost", "cost_per_quality", "balanced"):
        contract = PriceContract(reserved=RESERVED)
        table = table_of(
            *(cached_target(f"a/m{n}", caching(0.1), quality=0.9) for n in range(100)),
            cached_target("z/m", caching(30.0), quality=0.9, contract=contract),
            strategy=strategy,
        )
        live = live_of(table)
        assert first(table, live, now=60.0) == "z/m", strategy
        live.targets[100].provider.reserved.claim(RESERVED, 1_000, 60.0)
        assert first(table, live, now=60.0) != "z/m"
        assert first(table, live, now=120.0) == "z/m"


def test_other_strategies_do_not_look_at_the_price_of_reserved_capacity() -> None:
    table = table_of(
        cached_target("a/m", caching(0.1), quality=0.9),
        cached_target("z/m", caching(30.0), quality=0.1, contract=PriceContract(reserved=RESERVED)),
        members=[(0, 1.0, 0), (1, 0.0, 1)],
    )
    for strategy in set(STRATEGIES) - {"cost", "cost_per_quality", "balanced", "geographic", "latency"}:
        needs = Requirements(input_tokens=500, output_tokens=50, strategy=strategy)
        plan = make_plan(table, table.resolve("auto"), needs, live_of(table), now=1.0, draw=0.5)
        assert plan.targets[0].id == "a/m", strategy


def test_the_tier_that_was_served_is_billed_before_the_one_asked_for() -> None:
    dear = Variant(name="service_tier=priority", base=Rates(input=4 * USD, output=4 * USD))
    cheap = Variant(name="service_tier=flex", base=Rates(input=USD // 2, output=USD // 2))
    prices = PriceTable(base=Rates(input=USD, output=USD), variants=(dear, cheap))
    assert billed_variant(prices, "service_tier=priority", "") == "service_tier=priority"
    assert billed_variant(prices, "flex", "") == "service_tier=flex"
    assert billed_variant(prices, "service_tier=priority", "service_tier=default") == ""
    assert billed_variant(prices, "", "service_tier=flex") == "service_tier=flex"
    assert billed_variant(prices, "speed=fast", "") == ""

    usual = worst_cost(prices, 1_000_000, 0)
    assert usual == USD
    assert worst_cost(prices, 1_000_000, 0, variant="priority") == 4 * USD
    assert worst_cost(prices, 1_000_000, 0, variant="flex") == USD
