"""Savings against a declared model: parts that add up, honest intervals, and what is not counted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.ports.usage import attempt, usage_event
from domain.analytics.baseline import (
    AgainstBaseline,
    Baseline,
    BaselineSavings,
    Group,
    Left,
    NotCounted,
    against_baseline,
)
from domain.analytics.estimate import exactly
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import roll_up
from domain.analytics.token_ratios import SAME, ObservedTokens, assumed
from domain.catalog.prices import PriceTable, Rates, Tier

LARGE = PriceTable(base=Rates(input=3_000_000_000, output=15_000_000_000))
BASELINE = Baseline("acme/large", "acme", "large", LARGE)


def groups(*events: RequestEvent) -> list[Group]:
    return [
        Group(row.key.route, row.key.operation, row.key.provider, row.key.model, row.key.cache, row.sums)
        for row in roll_up(events)
    ]


def saved(*events: RequestEvent, baseline: Baseline | None = BASELINE, share: float = 0.0) -> AgainstBaseline:
    return against_baseline(
        groups(*events),
        lambda _route: baseline,
        lambda _route, this, other: SAME if this == other else assumed(share),
    )


def answered(number: int, **changes: Any) -> RequestEvent:
    """10 tokens in, 20 out: 330,000 nano-dollars on the baseline."""
    return usage_event(number, **{"cost_nano_usd": 1000, **changes})


def parts(line: BaselineSavings) -> tuple[int, int, int, int]:
    return (
        line.routing.expected,
        line.caching_nano_usd,
        line.coalescing_nano_usd,
        line.prompt_caching_nano_usd,
    )


def test_routing_saved_what_the_baseline_would_have_cost_more() -> None:
    line = saved(answered(1), answered(2)).total

    assert line.baseline == exactly(660_000)
    assert parts(line) == (658_000, 0, 0, 0)
    assert line.total == exactly(658_000)
    assert line.share == 658_000 / 660_000


def test_a_hit_saved_its_answer_by_caching_and_the_rest_by_routing() -> None:
    line = saved(
        answered(1, cache="miss"),
        answered(2, cache="hit-l1", cost_nano_usd=0, saved_nano_usd=1000, attempts=(), input_tokens=0),
        answered(3, cache="hit-coalesced", cost_nano_usd=0, saved_nano_usd=500, attempts=()),
    ).total

    assert parts(line) == (329_000 + 329_000 + 164_500, 1000, 500, 0)
    assert line.total.expected == line.baseline.expected - line.spent_nano_usd
    assert line.hits_at_own_price == 0


def test_a_hit_that_nothing_compares_counts_at_what_its_answer_cost() -> None:
    line = saved(answered(1, cache="hit-l2", cost_nano_usd=0, saved_nano_usd=700, attempts=())).total

    assert parts(line) == (0, 700, 0, 0)
    assert line.hits_at_own_price == 1


def test_a_prompt_cache_is_not_taken_for_routing() -> None:
    tried = attempt("req_1", 0, cost_nano_usd=1000, prompt_cache_saved_nano_usd=400)
    line = saved(answered(1, attempts=(tried,))).total

    assert parts(line) == (330_000 - 1400, 0, 0, 400)


def test_what_runs_beside_requests_is_a_cost_of_caching() -> None:
    audit = answered(1, cache="audit", attempts=(attempt("req_1", 0, cost_nano_usd=900),))
    line = saved(audit).total

    assert parts(line) == (0, -900, 0, 0)
    assert (line.requests, line.beside_requests, line.spent_nano_usd) == (0, 1, 900)


def test_another_models_tokens_are_uncertain_and_the_same_models_are_not() -> None:
    other = saved(answered(1), share=0.1).total
    same = saved(answered(1, model="large", cost_nano_usd=330_000), share=0.1).total

    assert (other.baseline.low, other.baseline.high) == (297_000, 363_000)
    assert same.baseline == exactly(330_000)
    assert same.total == exactly(0)


def test_what_cannot_be_counted_is_named() -> None:
    found = saved(
        answered(1, operation="tool", attempts=(attempt("req_1", 0, cost_nano_usd=70),)),
        answered(2, operation="embeddings", attempts=()),
        answered(3, cost_nano_usd=None, attempts=()),
        answered(4, cache="hit-l1", cost_nano_usd=0, saved_nano_usd=None, attempts=()),
    )

    assert found.not_counted == {
        NotCounted.TOOLS: Left(1, 70),
        NotCounted.OTHER_OPERATIONS: Left(1, 0),
        NotCounted.UNPRICED_REQUESTS: Left(1, 0),
        NotCounted.UNPRICED_HITS: Left(1, 0),
    }
    assert found.total.requests == 0


def test_without_a_baseline_nothing_is_claimed() -> None:
    none = saved(answered(1, attempts=()), baseline=None)
    unpriced = saved(answered(1, attempts=()), baseline=BASELINE._replace(prices=PriceTable()))

    assert none.not_counted == {NotCounted.NO_BASELINE: Left(1, 0)}
    assert unpriced.not_counted == {NotCounted.BASELINE_UNPRICED: Left(1, 0)}
    assert none.total.share is None


def test_a_failed_request_is_a_loss() -> None:
    failed = answered(1, provider="", model="", outcome="error", input_tokens=0, output_tokens=0)

    assert parts(saved(failed).total) == (-1000, 0, 0, 0)


def test_callers_own_credentials_are_no_saving() -> None:
    (group,) = groups(answered(1, cost_nano_usd=0, attempts=()))
    found = against_baseline(
        [group], lambda _r: BASELINE, lambda *_: SAME, own_credentials={group[:5]: group.sums}
    )

    assert found.not_counted == {NotCounted.OWN_CREDENTIALS: Left(1, 0)}
    assert found.total.total == exactly(0)


def test_the_tier_is_that_of_a_request_of_the_mean_size() -> None:
    tiered = PriceTable(
        base=Rates(input=1_000_000_000, output=0),
        tiers=(Tier(above_input_tokens=15, rates=Rates(input=2_000_000_000, output=0)),),
    )
    line = saved(answered(1), answered(2), baseline=BASELINE._replace(prices=tiered)).total

    assert line.baseline == exactly(20_000)


AMOUNTS = st.integers(0, 10**9)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["off", "miss", "hit-l1", "hit-coalesced", "audit"]),
            st.sampled_from(["small", "large"]),
            AMOUNTS,
            AMOUNTS,
            st.integers(0, 10**6),
            st.integers(-(10**6), 10**6),
        ),
        max_size=12,
    ),
    st.floats(0, 0.9),
)
def test_the_parts_always_add_up_to_the_baseline_less_what_was_spent(
    uses: list[tuple[str, str, int, int, int, int]], share: float
) -> None:
    events = []
    for number, (cache, model, cost, kept, tokens, prompt) in enumerate(uses):
        hit = cache.startswith("hit-")
        tried = attempt(
            f"req_{number}", 0, cost_nano_usd=cost, model=model, prompt_cache_saved_nano_usd=prompt
        )
        events.append(
            answered(
                number,
                cache=cache,
                model=model,
                cost_nano_usd=0 if hit else cost,
                saved_nano_usd=kept if hit else 0,
                input_tokens=0 if hit else tokens,
                attempts=() if hit else (tried,),
            )
        )
    line = saved(*events, share=share).total

    assert sum(parts(line)) == line.total.expected == line.baseline.expected - line.spent_nano_usd
    assert line.total.low <= line.total.expected <= line.total.high


def test_tokens_of_two_models_on_one_route_are_compared() -> None:
    def asked(number: int, model: str, tokens: int) -> RequestEvent:
        size = 100 + 7 * (number % 13)
        return answered(
            number, route="r", model=model, request_bytes=size, input_tokens=tokens * size, output_tokens=40
        )

    sample = [asked(number, "small", 2) for number in range(60)]
    sample += [asked(number, "large", 3) for number in range(60)]
    ratio = ObservedTokens(sample).ratio("r", ("acme", "small"), ("acme", "large"), 0.15)

    assert ratio.input.observed == 120
    assert abs(ratio.input.expected - 1.5) < 1e-9
    assert ratio.input.low <= 1.5 <= ratio.input.high
    assert ObservedTokens(sample).ratio("other", ("acme", "small"), ("acme", "large"), 0.15) == assumed(0.15)
    assert ObservedTokens(sample[:80]).ratio("r", ("acme", "small"), ("acme", "large"), 0.1) == assumed(0.1)
