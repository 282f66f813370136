"""The price bound holds whatever the provider counts."""

from dataclasses import fields
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import PriceTable, Rates, Tier, bill
from domain.llm.usage import Usage
from domain.routing.price_bound import worst_cost

RATE = st.integers(0, 10**11)
SPECIAL = st.none() | RATE


@st.composite
def rates(draw: st.DrawFn) -> Rates:
    special = {
        name: draw(SPECIAL) for name in (f.name for f in fields(Rates)) if name not in ("input", "output")
    }
    return Rates(input=draw(RATE), output=draw(RATE), **special)


@st.composite
def tables(draw: st.DrawFn) -> PriceTable:
    thresholds = draw(st.lists(st.integers(1, 3000), max_size=3, unique=True))
    tiers = tuple(Tier(above_input_tokens=t, rates=draw(rates())) for t in sorted(thresholds))
    return PriceTable(base=draw(rates()), tiers=tiers, per_request=draw(st.integers(0, 10**9)))


@settings(max_examples=150)
@given(
    prices=tables(),
    input_bytes=st.integers(0, 4000),
    max_output=st.integers(0, 4000),
    data=st.data(),
)
def test_no_usage_within_the_bounds_costs_more(
    prices: PriceTable, input_bytes: int, max_output: int, data: st.DataObject
) -> None:
    input_tokens = data.draw(st.integers(0, input_bytes))
    output_tokens = data.draw(st.integers(0, max_output))
    cuts = sorted(data.draw(st.lists(st.integers(0, input_tokens), min_size=5, max_size=5)))
    inner = [high - low for low, high in pairwise(cuts)]
    out_cut = data.draw(st.integers(0, output_tokens))
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_read_tokens=inner[0],
        cache_write_tokens=inner[1],
        cache_write_long_tokens=inner[2],
        input_image_tokens=inner[3],
        reasoning_tokens=out_cut,
        output_audio_tokens=(output_tokens - out_cut) // 2,
    )
    cost, bound = bill(prices, usage), worst_cost(prices, input_bytes, max_output)
    assert cost is not None
    assert bound is not None
    assert cost <= bound


def test_without_any_output_limit_nothing_bounds_the_cost() -> None:
    prices = PriceTable(base=Rates(input=1, output=1))
    assert worst_cost(prices, 10, None) is None
    assert worst_cost(prices, 1_000_000, None, 1_000_000) == 2


def test_the_requests_own_limit_goes_before_the_models() -> None:
    prices = PriceTable(base=Rates(input=0, output=1_000_000))
    assert worst_cost(prices, 10, 5, 100) == 5


def test_an_unknown_price_is_no_bound() -> None:
    unpriced_output = PriceTable(base=Rates(input=1_000_000))
    assert worst_cost(unpriced_output, 10, 5) is None
    assert worst_cost(unpriced_output, 10, 0) == 10
    unknown_tier = PriceTable(
        base=Rates(input=1, output=1), tiers=(Tier(above_input_tokens=100, rates=Rates(output=1)),)
    )
    assert worst_cost(unknown_tier, 101, 1) is None
    assert worst_cost(unknown_tier, 100, 1) == 1
