"""What is not measured in tokens is billed exactly, or its cost stays unknown."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.document import prices_from_document, prices_to_document
from domain.catalog.prices import PriceTable, Rates, bill
from domain.llm.units import AUDIO_IN_MS, CHARACTERS, IMAGES, SEARCHES, images, shown_units, unit_rate
from domain.llm.usage import Usage
from domain.routing.effective_price import discounted

CENT = 10_000_000
SIZED = (("images:1024x1024", 4 * CENT * 10**6), ("images:1024x1024:hd", 8 * CENT * 10**6))


def cost(prices: PriceTable, *units: tuple[str, int], input_tokens: int = 0) -> int | None:
    return bill(prices, Usage(input_tokens, units=units))


def test_each_unit_costs_its_price() -> None:
    assert cost(PriceTable(units=((AUDIO_IN_MS, 100_000_000),)), (AUDIO_IN_MS, 90_000)) == 9_000_000
    assert cost(PriceTable(units=((CHARACTERS, 15 * 10**9),)), (CHARACTERS, 3)) == 45_000
    assert cost(PriceTable(units=((SEARCHES, 2 * 10**12),)), (SEARCHES, 2)) == 4_000_000


def test_a_unit_without_a_price_has_an_unknown_cost() -> None:
    assert cost(PriceTable(units=((CHARACTERS, 1),)), (AUDIO_IN_MS, 1)) is None
    assert cost(PriceTable(base=Rates(input=0, output=0)), (IMAGES, 1)) is None
    assert cost(PriceTable(per_request=7), (IMAGES, 1)) == 7


def test_tokens_that_have_a_price_are_the_bill() -> None:
    both = PriceTable(base=Rates(input=10**9, output=10**9), units=((IMAGES, 10**15),))
    assert cost(both, (IMAGES, 1), input_tokens=5) == 5_000
    free = PriceTable(base=Rates(input=0, output=0), units=((SEARCHES, 10**12),))
    assert cost(free, (SEARCHES, 1), input_tokens=5) == 1_000_000
    unpriced = PriceTable(units=((IMAGES, 10**12),))
    assert cost(unpriced, (IMAGES, 1), input_tokens=5) == 1_000_000


def test_a_finer_word_never_costs_what_another_one_costs() -> None:
    assert unit_rate(SIZED, "images:1024x1024:hd") == SIZED[1][1]
    assert unit_rate(SIZED, "images:1024x1024:standard") == SIZED[0][1]
    assert unit_rate(SIZED, "images:1024x1024:low") is None
    assert unit_rate(SIZED, "images:512x512") is None
    assert unit_rate(((IMAGES, 5),), "images:512x512:low") == 5


def test_words_that_say_nothing_are_left_out() -> None:
    assert images(2, "auto", "auto") == (("images", 2),)
    assert images(1, "1024x1024", "HD") == (("images:1024x1024:hd", 1),)
    assert images(1, "", "hd") == (("images:hd", 1),)
    assert shown_units((("images", 2), ("characters", 4))) == "images=2 characters=4"


@settings(max_examples=50)
@given(st.integers(0, 10**9), st.integers(0, 10**15))
def test_sums_are_exact_and_rounded_up_once(count: int, rate: int) -> None:
    assert cost(PriceTable(units=((AUDIO_IN_MS, rate),)), (AUDIO_IN_MS, count)) == -(-count * rate // 10**6)


def test_unit_prices_survive_a_document_and_a_discount() -> None:
    prices = PriceTable(units=SIZED, source="s")
    assert prices_from_document(prices_to_document(prices)) == prices
    assert discounted(prices, 1_000).units[0][1] == SIZED[0][1] * 9 // 10
