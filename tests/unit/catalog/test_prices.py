"""Usage becomes money exactly: disjoint buckets, tiers, variants, one rounding, unknown stays unknown."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.prices import (
    BATCH,
    BUCKETS,
    PriceTable,
    Rates,
    Tier,
    Variant,
    bill,
    blended_nano_usd_per_mtok,
    overridden,
    rates_for,
    worst_cost,
)
from domain.llm.usage import NO_USAGE, Usage
from tests.unit.catalog.strategies import known_rates, modest, price_tables, usages

USD = 1_000_000_000
SONNET = PriceTable(
    base=Rates(
        input=3 * USD,
        output=15 * USD,
        cached_read=300_000_000,
        cache_write=3_750_000_000,
        cache_write_long=6 * USD,
    ),
    tiers=(
        Tier(
            above_input_tokens=200_000,
            rates=Rates(
                input=6 * USD,
                output=22_500_000_000,
                cached_read=600_000_000,
                cache_write=7_500_000_000,
                cache_write_long=12 * USD,
            ),
        ),
    ),
    batch_multiplier_percent=50,
)


class TestBuckets:
    def test_cached_tokens_are_taken_out_of_the_input_and_billed_once(self) -> None:
        """Counting cached tokens in the input price and again in their own made bills four times too high."""
        usage = Usage(input_tokens=100_000, output_tokens=1_000, cached_read_tokens=90_000)

        # 10,000 x $3 + 90,000 x $0.30 + 1,000 x $15, per million
        assert bill(SONNET, usage) == 30_000_000 + 27_000_000 + 15_000_000

    def test_a_fully_cached_prompt_costs_only_the_cached_price(self) -> None:
        assert bill(SONNET, Usage(10_000, 0, cached_read_tokens=10_000)) == 3_000_000

    def test_short_and_long_cache_writes_have_their_own_prices(self) -> None:
        usage = Usage(30_000, 0, cache_write_tokens=10_000, cache_write_long_tokens=10_000)

        assert bill(SONNET, usage) == 30_000_000 + 37_500_000 + 60_000_000

    def test_a_long_cache_write_without_a_price_costs_what_a_short_one_does(self) -> None:
        prices = PriceTable(base=replace(SONNET.base, cache_write_long=None))

        assert bill(prices, Usage(10_000, 0, cache_write_long_tokens=10_000)) == 37_500_000

    def test_reasoning_is_output_unless_it_has_a_price_of_its_own(self) -> None:
        plain = PriceTable(base=Rates(input=0, output=10 * USD))
        special = PriceTable(base=Rates(input=0, output=10 * USD, reasoning=3 * USD))
        usage = Usage(0, 1_000, reasoning_tokens=800)

        assert bill(plain, usage) == 10_000_000
        assert bill(special, usage) == 200 * 10_000 + 800 * 3_000

    def test_audio_and_image_tokens_have_their_own_prices_both_ways(self) -> None:
        prices = PriceTable(
            base=Rates(
                input=1 * USD,
                output=2 * USD,
                input_audio=10 * USD,
                input_image=4 * USD,
                output_audio=20 * USD,
                output_image=40 * USD,
            )
        )
        usage = Usage(
            300,
            300,
            input_audio_tokens=100,
            input_image_tokens=100,
            output_audio_tokens=100,
            output_image_tokens=100,
        )

        assert bill(prices, usage) == 100 * (1 + 10 + 4 + 2 + 20 + 40) * 1_000

    @given(known_rates, usages(), st.integers(0, 10**9))
    @modest(50)
    def test_the_bill_is_the_sum_of_disjoint_buckets_rounded_up_once(
        self, base: Rates, usage: Usage, per_request: int
    ) -> None:
        plain_in = usage.input_tokens - (
            usage.cached_read_tokens
            + usage.cache_write_tokens
            + usage.cache_write_long_tokens
            + usage.input_audio_tokens
            + usage.input_image_tokens
        )
        plain_out = usage.output_tokens - (
            usage.output_audio_tokens + usage.output_image_tokens + usage.reasoning_tokens
        )
        parts = {
            "input": plain_in,
            "output": plain_out,
            "cached_read": usage.cached_read_tokens,
            "cache_write": usage.cache_write_tokens,
            "cache_write_long": usage.cache_write_long_tokens,
            "input_audio": usage.input_audio_tokens,
            "input_image": usage.input_image_tokens,
            "output_audio": usage.output_audio_tokens,
            "output_image": usage.output_image_tokens,
            "reasoning": usage.reasoning_tokens,
        }
        exact = (
            Fraction(sum(tokens * getattr(base, name) for name, tokens in parts.items()), 10**6) + per_request
        )

        billed = bill(PriceTable(base=base, per_request=per_request), usage)

        assert billed is not None
        assert 0 <= billed - exact < 1
        assert sum(parts.values()) == usage.total_tokens


class TestUnknown:
    def test_an_unknown_price_makes_the_cost_unknown_never_zero(self) -> None:
        assert bill(PriceTable(), Usage(1, 0)) is None
        assert bill(PriceTable(base=Rates(input=1)), Usage(1, 1)) is None

    def test_an_unknown_bucket_that_was_not_used_does_not_matter(self) -> None:
        assert bill(PriceTable(base=Rates(input=1_000_000)), Usage(5, 0)) == 5
        assert bill(PriceTable(), NO_USAGE) == 0

    def test_a_price_of_zero_is_free_not_unknown(self) -> None:
        assert bill(PriceTable(base=Rates(input=0, output=0)), Usage(1_000, 1_000)) == 0

    def test_a_free_cached_read_is_free_not_the_plain_price(self) -> None:
        prices = PriceTable(base=Rates(input=USD, output=USD, cached_read=0))

        assert bill(prices, Usage(1_000, 0, cached_read_tokens=1_000)) == 0

    @given(price_tables, usages())
    @modest(50)
    def test_unknown_means_that_a_used_bucket_has_neither_a_price_nor_a_fallback(
        self, prices: PriceTable, usage: Usage
    ) -> None:
        rates = rates_for(prices, usage.input_tokens)
        if bill(prices, usage) is None:
            assert rates.input is None or rates.output is None

    def test_a_special_bucket_is_known_even_where_the_plain_one_is_not_needed(self) -> None:
        """An image model that only publishes the price of image tokens can be billed for these."""
        prices = PriceTable(base=Rates(input=USD, output_image=30 * USD))

        assert bill(prices, Usage(0, 100, output_image_tokens=100)) == 3_000_000


class TestRounding:
    def test_a_fraction_of_a_nano_dollar_is_rounded_up(self) -> None:
        assert bill(PriceTable(base=Rates(input=1)), Usage(1, 0)) == 1

    def test_fractions_are_added_before_they_are_rounded(self) -> None:
        prices = PriceTable(base=Rates(input=500_000, output=500_000))

        assert bill(prices, Usage(1, 1)) == 1

    def test_no_digit_is_lost_beyond_what_a_double_holds(self) -> None:
        prices = PriceTable(base=Rates(input=10**12 + 1, output=0))

        assert bill(prices, Usage(10**12, 0)) == (10**12 + 1) * 10**6

    def test_the_blended_price_is_not_rounded_twice(self) -> None:
        """Rounding a one-token bill up to a nano-dollar first would overstate $0.0375/M by over a percent."""
        prices = PriceTable(base=Rates(input=37_500_000, output=37_500_000))

        assert blended_nano_usd_per_mtok(prices, 1, 0) == 37_500_000
        assert blended_nano_usd_per_mtok(prices, 1, 1) == 37_500_000

    def test_the_blended_price_of_nothing_or_of_the_unknown_is_unknown(self) -> None:
        assert blended_nano_usd_per_mtok(SONNET, 0, 0) is None
        assert blended_nano_usd_per_mtok(PriceTable(), 1, 1) is None


class TestTiers:
    @pytest.mark.parametrize(
        ("tokens", "usd_per_mtok"), [(199_999, 3), (200_000, 3), (200_001, 6), (1_000_000, 6)]
    )
    def test_the_threshold_itself_still_costs_the_base_price(self, tokens: int, usd_per_mtok: int) -> None:
        assert bill(SONNET, Usage(tokens, 0)) == tokens * usd_per_mtok * 1_000

    def test_over_the_threshold_the_whole_request_costs_the_tier_price(self) -> None:
        usage = Usage(250_000, 1_000, cached_read_tokens=100_000)

        assert bill(SONNET, usage) == 150_000 * 6_000 + 100_000 * 600 + 1_000 * 22_500

    def test_cached_tokens_count_towards_the_threshold(self) -> None:
        """The prompt is that long, whoever remembers it: ignoring cached tokens billed the lower tier."""
        usage = Usage(200_001, 0, cached_read_tokens=200_001)

        assert bill(SONNET, usage) == -(-200_001 * 600_000_000 // 10**6)

    def test_output_does_not_count_towards_the_threshold(self) -> None:
        assert bill(SONNET, Usage(100_000, 150_000)) == 100_000 * 3_000 + 150_000 * 15_000

    def test_of_several_tiers_the_highest_that_is_passed_applies(self) -> None:
        prices = PriceTable(
            base=Rates(input=1_000_000),
            tiers=(
                Tier(above_input_tokens=10, rates=Rates(input=2_000_000)),
                Tier(above_input_tokens=20, rates=Rates(input=3_000_000)),
            ),
        )

        assert [bill(prices, Usage(n, 0)) for n in (10, 11, 20, 21)] == [10, 22, 40, 63]


class TestBatchAndVariants:
    def test_batch_halves_the_bill_and_rounds_once(self) -> None:
        assert bill(SONNET, Usage(1_000, 1_000), batch=True) == (3_000_000 + 15_000_000) // 2
        assert (
            bill(PriceTable(base=Rates(input=1), batch_multiplier_percent=50), Usage(1, 0), batch=True) == 1
        )

    def test_batch_and_tier_apply_together_once_each(self) -> None:
        assert bill(SONNET, Usage(272_000, 0), batch=True) == 272_000 * 6_000 // 2

    def test_without_a_batch_price_batch_is_billed_in_full(self) -> None:
        prices = PriceTable(base=Rates(input=USD, output=USD))

        assert bill(prices, Usage(1_000, 0), batch=True) == bill(prices, Usage(1_000, 0))

    def test_an_exact_batch_price_comes_before_the_multiplier(self) -> None:
        prices = replace(SONNET, variants=(Variant(name=BATCH, base=Rates(input=USD, output=USD)),))

        assert bill(prices, Usage(300_000, 0), batch=True) == 300_000 * 1_000

    def test_a_named_variant_is_billed_at_its_own_tiers_and_still_per_request(self) -> None:
        fast = Variant(
            name="service_tier=priority",
            base=Rates(input=4_000_000),
            tiers=(Tier(above_input_tokens=10, rates=Rates(input=8_000_000)),),
        )
        prices = PriceTable(base=Rates(input=1_000_000), variants=(fast,), per_request=7)

        assert bill(prices, Usage(10, 0), variant="service_tier=priority") == 40 + 7
        assert bill(prices, Usage(11, 0), variant="service_tier=priority") == 88 + 7

    def test_an_unknown_variant_is_billed_as_usual(self) -> None:
        assert bill(SONNET, Usage(1_000, 0), variant="speed=warp") == bill(SONNET, Usage(1_000, 0))

    @given(price_tables, usages())
    @modest(50)
    def test_a_multiplier_up_to_a_hundred_never_makes_batch_dearer(
        self, prices: PriceTable, usage: Usage
    ) -> None:
        prices = replace(prices, variants=())
        full, batch = bill(prices, usage), bill(prices, usage, batch=True)

        assert (full is None) == (batch is None)
        assert full is None or batch is None or batch <= full


class TestMonotony:
    @given(known_rates, usages(), st.integers(0, 10**6), st.integers(0, 10**6))
    @modest(50)
    def test_more_plain_tokens_never_cost_less(
        self, base: Rates, usage: Usage, more_in: int, more_out: int
    ) -> None:
        prices = PriceTable(base=base)
        more = usage._replace(
            input_tokens=usage.input_tokens + more_in, output_tokens=usage.output_tokens + more_out
        )

        before, after = bill(prices, usage), bill(prices, more)

        assert before is not None
        assert after is not None
        assert before <= after

    @given(known_rates, usages(), st.sampled_from(BUCKETS), st.integers(0, 10**12))
    @modest(50)
    def test_a_dearer_bucket_never_makes_the_bill_smaller(
        self, base: Rates, usage: Usage, bucket: str, rise: int
    ) -> None:
        dearer = replace(base, **{bucket: getattr(base, bucket) + rise})

        before, after = bill(PriceTable(base=base), usage), bill(PriceTable(base=dearer), usage)

        assert before is not None
        assert after is not None
        assert before <= after


class TestWorstCost:
    @given(price_tables, usages(), st.integers(0, 10**5), st.integers(0, 10**5))
    @modest(75)
    def test_no_bill_within_the_bounds_passes_it(
        self, prices: PriceTable, usage: Usage, slack_in: int, slack_out: int
    ) -> None:
        bound = worst_cost(prices, usage.input_tokens + slack_in, usage.output_tokens + slack_out)
        billed = bill(prices, usage)

        if bound is not None and billed is not None:
            assert billed <= bound

    @given(price_tables, usages())
    @modest(50)
    def test_a_known_bound_means_a_known_bill(self, prices: PriceTable, usage: Usage) -> None:
        if worst_cost(prices, usage.input_tokens, usage.output_tokens) is not None:
            assert bill(prices, usage) is not None

    @given(price_tables, usages())
    @modest(50)
    def test_a_variant_is_bounded_by_its_own_prices(self, prices: PriceTable, usage: Usage) -> None:
        bound = worst_cost(prices, usage.input_tokens, usage.output_tokens, variant="speed=fast")
        billed = bill(prices, usage, variant="speed=fast")

        if bound is not None and billed is not None:
            assert billed <= bound

    def test_the_dearest_tier_counts_only_when_the_input_can_reach_it(self) -> None:
        assert worst_cost(SONNET, 200_000, 0) == 200_000 * 6_000  # long cache writes are the dearest bucket
        assert worst_cost(SONNET, 200_001, 0) == 200_001 * 12_000

    def test_it_is_unknown_when_a_plain_price_is(self) -> None:
        assert worst_cost(PriceTable(base=Rates(input=1)), 10, 10) is None
        assert worst_cost(PriceTable(base=Rates(input=1_000_000)), 10, 0) == 10


def test_an_operators_prices_drop_what_belonged_to_the_old_base() -> None:
    table = replace(SONNET, variants=(Variant(name=BATCH, base=Rates(input=1)),), effective_from="2025-01-01")

    own = overridden(table, Rates(input=USD, output=USD), source="override")

    assert own.base == Rates(input=USD, output=USD)
    assert (own.tiers, own.variants, own.effective_from, own.source) == ((), (), None, "override")
