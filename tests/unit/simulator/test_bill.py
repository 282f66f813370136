"""The simulator's bill (SPEC P8), and that it agrees with the product's pricing without sharing it."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import PriceTable, Rates, bill
from domain.llm.usage import Usage
from domain.money import parse_usd
from entrypoints.simulator.bill import Bill, Price, cost_nano_usd, price_from
from entrypoints.simulator.conversation import Tokens
from tests.unit.simulator.conftest import Caller

PRICES = {
    "small": {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": "0.4", "cached_input_usd_per_mtok": 0.01}
}


async def test_every_answer_is_on_the_bill_by_provider_and_model(caller: Caller) -> None:
    caller.provider.set_prices(PRICES)
    usages = [(await caller.chat(text)).json["usage"] for text in ("one", "two words")]
    await caller.post("/alpha/v1/embeddings", {"model": "small", "input": "hi", "dimensions": 2})

    shown = (await caller.send("GET", "/_sim/bill")).json

    assert shown["answered"]["requests"] == 3
    direct = next(line for line in shown["models"] if line["provider"] == "")["answered"]
    assert direct["input_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
    assert direct["output_tokens"] == sum(usage["completion_tokens"] for usage in usages)
    each = [
        cost_nano_usd(price_from(PRICES["small"]), Tokens(usage["prompt_tokens"], usage["completion_tokens"]))
        for usage in usages
    ]
    assert direct["cost_nano_usd"] == sum(each)


async def test_streams_are_billed_as_unary_answers_are(caller: Caller) -> None:
    caller.provider.set_prices(PRICES)
    await caller.chat()
    unary = caller.provider.bill["answered"]
    await caller.send("DELETE", "/_sim/bill")

    await caller.chat(stream=True)

    assert caller.provider.bill["answered"] == unary


async def test_errors_counts_and_lists_cost_nothing(caller: Caller) -> None:
    caller.provider.fault({"kind": "status", "status": 503}, times=1)
    await caller.chat()
    await caller.chat(n=0)
    await caller.send("GET", "/v1/models")
    await caller.post(
        "/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    )

    assert caller.provider.bill["models"] == []


async def test_a_cost_without_a_price_is_unknown_and_not_zero(caller: Caller) -> None:
    await caller.chat()
    assert caller.provider.bill["answered"]["cost_nano_usd"] is None


def test_the_closest_price_counts() -> None:
    book = Bill()
    prices = {"*": 1, "m": 2, "p/m": 3}
    book.set_prices({name: price_from({"input_usd_per_mtok": usd}) for name, usd in prices.items()})

    for provider, model in (("p", "m"), ("q", "m"), ("q", "n")):
        book.charge(provider, model, Tokens(input=1))

    costs = {
        (line["provider"], line["model"]): line["answered"]["cost_nano_usd"]
        for line in book.shown()["models"]
    }
    assert costs == {("p", "m"): 3000, ("q", "m"): 2000, ("q", "n"): 1000}


usd = st.decimals(min_value=0, max_value=200, places=4)
count = st.integers(min_value=0, max_value=10**7)


@settings(max_examples=60)
@given(usd, usd, st.none() | usd, st.none() | usd, st.none() | usd, count, count, count, count, count)
def test_the_bill_agrees_with_the_products_pricing_to_the_nano_dollar(
    usd_in: Decimal,
    usd_out: Decimal,
    usd_cached: Decimal | None,
    usd_write: Decimal | None,
    usd_reasoning: Decimal | None,
    plain: int,
    cached: int,
    written: int,
    output: int,
    reasoning: int,
) -> None:
    price = Price(
        input_usd_per_mtok=usd_in,
        output_usd_per_mtok=usd_out,
        cached_input_usd_per_mtok=usd_cached,
        cache_write_usd_per_mtok=usd_write,
        reasoning_usd_per_mtok=usd_reasoning,
    )
    mine = cost_nano_usd(
        price,
        Tokens(
            plain + cached + written,
            output + reasoning,
            cached=cached,
            cache_write=written,
            reasoning=reasoning,
        ),
    )

    rates = Rates(
        input=parse_usd(usd_in),
        output=parse_usd(usd_out),
        cached_read=None if usd_cached is None else parse_usd(usd_cached),
        cache_write=None if usd_write is None else parse_usd(usd_write),
        reasoning=None if usd_reasoning is None else parse_usd(usd_reasoning),
    )
    usage = Usage(
        input_tokens=plain + cached + written,
        output_tokens=output + reasoning,
        cached_read_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )
    assert mine == bill(PriceTable(base=rates), usage)
