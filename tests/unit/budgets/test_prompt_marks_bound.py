"""Marks that Interchange puts in make the provider bill writing: no bound may be below such a bill."""

from dataclasses import replace

import pytest

from application.attempt import request_of
from application.ports.llm import CALLER
from domain.batch.spending import line_bound
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.catalog.prices import Rates, bill
from domain.llm.request import LlmRequest, Operation
from domain.llm.usage import Usage
from domain.routing.plan import Plan
from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.target import Route, Target
from tests.unit.budgets.requests import USD, at, chat, job_of, messages, offering

RATES = Rates(
    input=3 * USD,
    output=15 * USD,
    cached_read=USD // 10,
    cache_write=4 * USD,
    cache_write_long=6 * USD,
)
CLAUDE = at(
    replace(offering(RATES, context_tokens=1_000_000), provider="anthropic", model="claude-x"), "anthropic"
)
AUTO = PromptCachingPolicy(mode=PromptCaching.AUTO)
HOUR = replace(AUTO, long=True)


def route(policy: PromptCachingPolicy = AUTO) -> Route:
    return Route(name="r", targets=(), prompt_caching=policy)


def bound(request: LlmRequest, target: Target = CLAUDE) -> Bound:
    found = worst_attempt_cost(request, target)
    assert isinstance(found, Bound), found
    return found


@pytest.mark.parametrize("request_", [messages(), chat()])
@pytest.mark.parametrize(("policy", "rate"), [(PromptCachingPolicy(), 3), (AUTO, 4), (HOUR, 6)])
def test_the_bound_has_the_price_of_what_the_route_may_write(
    request_: LlmRequest, policy: PromptCachingPolicy, rate: int
) -> None:
    plain, marked = bound(request_), bound(with_prompt_marks(request_, route(policy), CLAUDE))

    tokens = plain.input_tokens
    assert marked.input_tokens == tokens
    assert marked.nano_usd - plain.nano_usd == tokens * (rate - 3) * 1_000


@pytest.mark.parametrize(("policy", "written"), [(AUTO, (1, 0)), (HOUR, (0, 1)), (HOUR, (1, 1))])
def test_a_bill_that_writes_everything_stays_below_the_bound(
    policy: PromptCachingPolicy, written: tuple[int, int]
) -> None:
    request = with_prompt_marks(messages(content=b'"%b"' % (b"a" * 9_000)), route(policy), CLAUDE)
    most = bound(request)
    part = most.input_tokens // sum(written)

    cost = bill(
        CLAUDE.offering.prices, Usage(most.input_tokens, 100, 0, part * written[0], part * written[1])
    )

    assert cost is not None and cost <= most.nano_usd


def test_what_is_sent_and_held_for_carries_the_marks() -> None:
    job = job_of(messages(), CLAUDE)
    job.plan = Plan(route(), (CLAUDE,), (), "priority", 1)

    sent = request_of(job, CLAUDE, "")

    assert sent.prompt_marks is not None and sent.prompt_marks.may_write
    assert sent.prompt_marks.owner == b"t"
    assert request_of(job, CLAUDE, CALLER).prompt_marks is None


def test_lines_of_batches_are_bounded_with_their_marks() -> None:
    marked = with_prompt_marks(messages(), route(), CLAUDE)

    assert (line_bound(marked, CLAUDE) or 0) > (line_bound(messages(), CLAUDE) or 0)


def test_callers_who_marked_keep_their_own_bound() -> None:
    request = messages(b',"cache_control":{"type":"ephemeral"}')
    marked = with_prompt_marks(request, route(HOUR), CLAUDE)

    assert marked is request
    assert bound(marked).nano_usd == bound(request).nano_usd


def test_an_escaped_mark_lowers_no_bound() -> None:
    spelt = messages(b',"\\u0063ache_control":{"type":"ephemeral","\\u0074tl":"1h"}')

    assert with_prompt_marks(spelt, route(), CLAUDE) is spelt
    assert bound(spelt).nano_usd >= bound(spelt).input_tokens * 6 * 1_000


def test_only_chats_are_marked_and_only_where_marks_mean_something() -> None:
    counting = messages()
    counting.operation = Operation.COUNT_TOKENS
    assert with_prompt_marks(counting, route(), CLAUDE) is counting
    gpt = at(offering(RATES))
    request = chat()
    assert with_prompt_marks(request, route(), gpt) is request
