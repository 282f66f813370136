"""Limits of ours on the answer: the route's, and what a budget still affords."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.ports.wire import OPENAI_EMBEDDINGS
from domain.budgets.output_limit import (
    USEFUL_TOKENS_MIN,
    affordable_output_tokens,
    as_limited,
    with_max_output,
)
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.catalog.prices import PriceTable, Rates, Tier
from domain.llm.capabilities import Capability
from domain.routing.target import Route
from tests.unit.budgets.requests import at, chat, messages, offering, read
from tests.unit.catalog.strategies import modest

ROUTE = Route(name="r", targets=(), max_output_tokens=1_000)
CHEAP_INPUT = Rates(input=0, output=1_000_000)


class TestRoutes:
    def test_a_caller_without_a_limit_gets_the_routes(self) -> None:
        limited = as_limited(chat(b""), ROUTE, at(offering(CHEAP_INPUT)))

        assert (limited.max_output_tokens, limited.forced_max_output_tokens) == (1_000, 1_000)

    def test_it_is_never_more_than_the_model_can_write(self) -> None:
        target = at(offering(CHEAP_INPUT, max_output_tokens=300))

        assert as_limited(chat(b""), ROUTE, target).forced_max_output_tokens == 300

    def test_a_callers_own_limit_stands_and_so_does_a_request_without_an_answer(self) -> None:
        target = at(offering(CHEAP_INPUT))
        vectors = read(OPENAI_EMBEDDINGS, b'{"model":"m","input":"x"}')

        for request in (chat(b',"max_tokens":5000'), vectors):
            assert as_limited(request, ROUTE, target) is request
        assert as_limited(unset := chat(b""), replace(ROUTE, max_output_tokens=None), target) is unset


class TestAffordable:
    @given(st.integers(0, 3_000_000), st.integers(0, 2_000_000), st.integers(1, 3), st.integers(0, 10_000))
    @modest(100)
    def test_the_answer_it_allows_is_affordable_and_the_next_longer_one_is_not(
        self, input_rate: int, money: int, choices: int, letters: int
    ) -> None:
        dearer = Tier(above_input_tokens=5_000, rates=Rates(input=2 * input_rate, output=2_000_000))
        prices = PriceTable(base=Rates(input=input_rate, output=1_000_000), tiers=(dearer,))
        target = at(offering(prices, max_output_tokens=100_000))
        request = chat(b',"max_tokens":50000,"n":%d' % choices, b'"%b"' % (b"a" * letters))

        tokens = affordable_output_tokens(request, target, money)

        def cost(limit: int) -> int:
            bound = worst_attempt_cost(with_max_output(request, limit), target)
            assert isinstance(bound, Bound)
            return bound.nano_usd

        if tokens is None:
            assert cost(USEFUL_TOKENS_MIN) > money
        else:
            assert cost(tokens) <= money
            assert tokens == 50_000 or cost(tokens + 1) > money

    @pytest.mark.parametrize(
        "rest",
        [
            b',"tools":[{"type":"function","function":{"name":"f"}}]',
            b',"response_format":{"type":"json_object"}',
            b',"reasoning_effort":"low"',
        ],
    )
    def test_tools_schemas_and_thinking_are_never_cut_short(self, rest: bytes) -> None:
        target = at(offering(CHEAP_INPUT, max_output_tokens=1_000))

        assert affordable_output_tokens(chat(rest), target, 10**6) is None
        assert affordable_output_tokens(chat(b""), target, 10**6) == 1_000

    def test_a_model_that_always_thinks_is_not_cut_short_and_one_that_was_not_asked_to_is(self) -> None:
        thinker = offering(CHEAP_INPUT, max_output_tokens=1_000, capabilities=Capability.REASONING)
        claude = replace(thinker, provider="anthropic", model="claude-x")

        assert affordable_output_tokens(chat(b""), at(thinker), 10**6) is None
        assert affordable_output_tokens(messages(limit=500), at(claude, "anthropic"), 100) == 100

    def test_below_the_least_useful_answer_nothing_is_affordable(self) -> None:
        target = at(offering(CHEAP_INPUT, max_output_tokens=1_000))

        assert affordable_output_tokens(chat(b""), target, 16) == 16
        assert affordable_output_tokens(chat(b""), target, 15) is None

    def test_what_nothing_bounds_stays_unbounded_however_short_the_answer(self) -> None:
        target = at(offering(CHEAP_INPUT, max_output_tokens=1_000))

        assert affordable_output_tokens(chat(b',"search_parameters":{}'), target, 10**9) is None
