"""The bound of usual requests is the bound, at every target, whatever the request."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as modest_settings
from hypothesis import strategies as st

from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.budgets.usual_bound import UsualBounds
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.catalog.prices import PriceTable, Rates, Tier, Variant
from domain.llm.prompt_marks import PromptMarks
from domain.llm.request import LlmRequest
from domain.routing.target import Target
from tests.unit.budgets.requests import USD, at, catalogue, chat, listed, offering, read

OFFERINGS = sorted(name for name, each in catalogue().offerings.items() if each.prices.known)
CONTENTS = (
    "hello",
    "naïve",
    'a "quoted" word and a \\ and \n',
    "x" * 5000,
    [{"type": "text", "text": "hi"}],
    [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    [{"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}],
)
EXTRAS: tuple[dict[str, object], ...] = (
    {},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"service_tier": "priority"},
    {"service_tier": "default"},
    {"reasoning_effort": "high"},
    {"modalities": ["text", "audio"]},
    {"n": 3},
    {"prediction": {"type": "content", "content": "abc"}},
    {"web_search_options": {}},
)


@st.composite
def requests(draw: st.DrawFn) -> LlmRequest:
    fields: dict[str, object] = {"model": "m"}
    fields["messages"] = [{"role": "user", "content": draw(st.sampled_from(CONTENTS))}]
    fields |= draw(st.sampled_from(EXTRAS))
    limit = draw(st.none() | st.integers(1, 10_000))
    if limit is not None:
        fields["max_tokens"] = limit
    dialect = OPENAI_CHAT if limit is None else draw(st.sampled_from((OPENAI_CHAT, ANTHROPIC_MESSAGES)))
    request = read(dialect, json.dumps(fields, ensure_ascii=draw(st.booleans())).encode())
    marks = PromptMarks(tokens_min=0, marks_max=4) if draw(st.integers(0, 9)) == 0 else None
    return replace(request, prompt_marks=marks)


@given(requests(), st.lists(st.sampled_from(OFFERINGS), min_size=1, max_size=3), st.integers(0, 10_000))
@modest_settings(max_examples=300, deadline=None)
def test_it_is_what_the_rules_say_at_every_target_of_the_catalogue(
    request: LlmRequest, names: list[str], more_bytes: int
) -> None:
    bounds = UsualBounds()

    for name in names * 2:
        target = listed(name)
        assert bounds.worst(request, target, more_bytes) == worst_attempt_cost(
            request, target, more_bytes=more_bytes
        )


def test_longer_prices_and_the_window_begin_to_count_where_the_rules_say() -> None:
    tiered = PriceTable(
        base=Rates(input=USD, output=4 * USD, cached_read=USD // 2),
        tiers=(Tier(above_input_tokens=1200, rates=Rates(input=3 * USD, output=9 * USD)),),
        variants=(Variant(name="service_tier=priority", base=Rates(input=2 * USD, output=3 * USD)),),
        per_request=7,
    )
    targets = (
        at(offering(tiered)),
        at(offering(tiered, context_tokens=1300)),
        at(offering(Rates(input=USD))),
        at(offering(Rates())),
    )
    bounds = UsualBounds()

    for target in targets:
        for letters in (10, 800, 900, 1000, 1010, 1100, 1200, 3000):
            request = chat(content=b'"' + b"x" * letters + b'"')
            assert bounds.worst(request, target) == worst_attempt_cost(request, target)


def test_a_target_with_other_prices_under_the_same_id_is_another() -> None:
    cheap: Target = at(offering(Rates(input=USD, output=USD)))
    dear: Target = at(offering(Rates(input=9 * USD, output=9 * USD)))
    bounds = UsualBounds()

    before, after = bounds.worst(chat(), cheap), bounds.worst(chat(), dear)

    assert cheap.id == dear.id
    assert isinstance(before, Bound) and isinstance(after, Bound)
    assert after.nano_usd > before.nano_usd
