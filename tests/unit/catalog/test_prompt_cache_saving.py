"""What a provider's prompt cache saved is the bill without it less the bill with it, to the nano-dollar."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import BATCH, PriceTable, Rates, Tier, Variant, bill
from domain.catalog.prompt_cache_saving import prompt_cache_saving
from domain.llm.usage import Usage

RATES = Rates(
    input=3_000_000_000,
    output=15_000_000_000,
    cached_read=300_000_000,
    cache_write=3_750_000_000,
    cache_write_long=6_000_000_000,
)
DOUBLE = Rates(input=6_000_000_000, output=22_500_000_000, cached_read=600_000_000, cache_write=7_500_000_000)
SONNET = PriceTable(
    base=RATES,
    tiers=(Tier(above_input_tokens=200_000, rates=DOUBLE),),
    variants=(Variant(name="service_tier=priority", base=DOUBLE),),
    batch_multiplier_percent=50,
)
rate = st.one_of(st.none(), st.integers(0, 10**11))
tables = st.builds(
    PriceTable,
    base=st.builds(Rates, input=rate, output=rate, cached_read=rate, cache_write=rate, cache_write_long=rate),
    batch_multiplier_percent=st.one_of(st.none(), st.integers(1, 100)),
)
count = st.integers(0, 300_000)


def test_reading_saves_the_gap_and_writing_costs_the_surcharge() -> None:
    usage = Usage(10_000, 100, 6_000, 2_000, 1_000)

    saved = prompt_cache_saving(SONNET, usage)

    # 6,000 x ($3 - $0.30) - 2,000 x ($3.75 - $3) - 1,000 x ($6 - $3), per million
    assert saved == 6_000 * 2_700 - 2_000 * 750 - 1_000 * 3_000


def test_what_was_written_and_never_read_saved_less_than_nothing() -> None:
    assert prompt_cache_saving(SONNET, Usage(4_000, 10, 0, 4_000)) == -4_000 * 750


def test_tiers_variants_and_batches_have_their_own_gaps() -> None:
    usage = Usage(1_000, 0, 1_000)
    assert prompt_cache_saving(SONNET, Usage(300_000, 0, 300_000)) == 300_000 * 5_400
    assert prompt_cache_saving(SONNET, usage, variant="service_tier=priority") == 1_000 * 5_400
    assert prompt_cache_saving(SONNET, usage, variant="nobody knows") == 1_000 * 2_700
    assert prompt_cache_saving(SONNET, usage, batch=True) == 1_000 * 1_350
    exact = PriceTable(base=RATES, variants=(Variant(name=BATCH, base=Rates(input=2_000_000_000)),))
    assert prompt_cache_saving(exact, usage, batch=True) == 0


def test_an_unknown_price_makes_it_unknown_unless_no_cache_had_a_part() -> None:
    assert prompt_cache_saving(PriceTable(), Usage(10, 10, 5)) is None
    assert prompt_cache_saving(PriceTable(), Usage(10, 10)) == 0
    assert prompt_cache_saving(PriceTable(base=Rates(input=1_000_000_000)), Usage(10, 0, 5)) == 0


@settings(max_examples=150)
@given(tables, count, count, count, count, count, st.booleans())
def test_bill_and_saving_are_the_bill_of_plain_tokens(
    prices: PriceTable, rest: int, out: int, read: int, written: int, long: int, batch: bool
) -> None:
    usage = Usage(rest + read + written + long, out, read, written, long)

    saved = prompt_cache_saving(prices, usage, batch=batch)

    actual = bill(prices, usage, batch=batch)
    plain = bill(prices, Usage(usage.input_tokens, out), batch=batch)
    if saved is not None and actual is not None and plain is not None:
        assert actual + saved == plain
    else:
        assert actual is None or plain is None
