"""Where other gateways are known to count money wrongly, as fixtures: the exact bill, and a bound above it.

The rows are those of the field study of what goes wrong elsewhere: 3 (zero and unknown prices, failover), 5
(streams that break, usage that is missing), 6 (cached tokens), 7 (tiers, batch, reasoning), 8 (unknown
models).
"""

from dataclasses import replace

import msgspec
import pytest

from adapters.wire.registry import codec_for
from application.accounting import note_attempt
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.analytics.event import AttemptEvent
from domain.budgets.token_bounds import Unbounded
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.catalog.prices import BATCH, PriceTable, Rates, Tier, Variant, bill
from domain.llm.capabilities import Capability
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.llm.usage import Usage
from domain.routing.target import Target
from tests.unit.budgets.requests import USD, at, chat, job_of, messages, offering, read

CENT = USD // 100
SONNET = PriceTable(
    base=Rates(
        input=3 * USD,
        output=15 * USD,
        cached_read=30 * CENT,
        cache_write=375 * CENT,
        cache_write_long=6 * USD,
    ),
    tiers=(
        Tier(
            above_input_tokens=200_000,
            rates=Rates(
                input=6 * USD,
                output=2_250 * CENT,
                cached_read=60 * CENT,
                cache_write=750 * CENT,
                cache_write_long=12 * USD,
            ),
        ),
    ),
    variants=(Variant(name=BATCH, base=Rates(input=150 * CENT, output=750 * CENT)),),
)
CLAUDE = at(
    replace(offering(SONNET, context_tokens=1_000_000), provider="anthropic", model="claude-sonnet-x"),
    "anthropic",
)
GPT = PriceTable(
    base=Rates(
        input=250 * CENT, output=10 * USD, cached_read=125 * CENT, input_audio=40 * USD, output_audio=80 * USD
    )
)


def counted(dialect: str, body: object) -> Usage:
    """What our reader makes of a provider's answer."""
    usage = codec_for(dialect, dialect).response(msgspec.json.encode(body)).usage
    assert usage is not None
    return usage


def claude_said(**usage: object) -> Usage:
    said = {"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage}
    return counted(ANTHROPIC_MESSAGES, said)


def gpt_said(**usage: object) -> Usage:
    return counted(OPENAI_CHAT, {"choices": [{"finish_reason": "stop"}], "usage": usage})


def bound_of(request: LlmRequest, target: Target) -> int:
    bound = worst_attempt_cost(request, target)
    assert isinstance(bound, Bound), bound
    return bound.nano_usd


def noted(request: LlmRequest, target: Target, usage: Usage | None, **more: object) -> AttemptEvent:
    job = job_of(request, target)
    return note_attempt(
        job,
        target,
        via="direct",
        outcome="ok",
        started=0.0,
        ended=1.0,
        usage=usage,
        **more,  # type: ignore[arg-type]
    )


def test_a_cache_that_is_read_and_written_is_billed_in_disjoint_parts() -> None:
    """Row 6: cached tokens were counted in the input price too, up to four times the bill."""
    usage = claude_said(
        input_tokens=1_000,
        output_tokens=500,
        cache_read_input_tokens=90_000,
        cache_creation_input_tokens=6_000,
        cache_creation={"ephemeral_5m_input_tokens": 4_000, "ephemeral_1h_input_tokens": 2_000},
    )
    request = messages(
        b',"cache_control":{"type":"ephemeral","ttl":"1h"}', b'"%b"' % (b"a" * 97_000), limit=500
    )

    cost = noted(request, CLAUDE, usage).cost_nano_usd

    # 1,000 x $3 + 90,000 x $0.30 + 4,000 x $3.75 + 2,000 x $6 + 500 x $15, per million
    assert cost == 3_000_000 + 27_000_000 + 15_000_000 + 12_000_000 + 7_500_000
    assert cost <= bound_of(request, CLAUDE)


def test_openais_cached_tokens_are_part_of_the_prompt_and_billed_once() -> None:
    """Row 6: $5.94 were told for $0.54."""
    target = at(offering(GPT))
    usage = gpt_said(
        prompt_tokens=10_000, completion_tokens=100, prompt_tokens_details={"cached_tokens": 9_000}
    )

    cost = noted(request := chat(content=b'"%b"' % (b"a" * 10_000)), target, usage).cost_nano_usd

    assert cost == 1_000 * 2_500 + 9_000 * 1_250 + 100 * 10_000
    assert cost <= bound_of(request, target)


@pytest.mark.parametrize(("tokens", "rate"), [(200_000, 3_000), (200_001, 6_000)])
def test_beyond_the_threshold_the_whole_prompt_costs_the_tiers_price(tokens: int, rate: int) -> None:
    """Row 7: the price above 200,000 tokens was ignored; cached parts count for the threshold."""
    usage = claude_said(input_tokens=tokens - 100_000, cache_read_input_tokens=100_000, output_tokens=0)
    request = messages(content=b'"%b"' % (b"a" * tokens), limit=1)

    cost = noted(request, CLAUDE, usage).cost_nano_usd

    assert cost == (tokens - 100_000) * rate + 100_000 * rate // 10
    assert cost <= bound_of(request, CLAUDE)


def test_a_batch_costs_what_its_own_prices_say() -> None:
    """Row 7: batches were billed at the usual price, or at half of a price that had no batch price."""
    usage = claude_said(input_tokens=1_000, output_tokens=100)

    row = noted(request := messages(content=b'"%b"' % (b"a" * 1_000)), CLAUDE, usage, batch=True)

    assert row.billed_as == "batch"
    assert row.cost_nano_usd == 1_000 * 1_500 + 100 * 7_500
    assert row.cost_nano_usd <= bound_of(request, CLAUDE)


def test_reasoning_is_part_of_the_output_where_it_is_counted_so_and_added_where_it_is_not() -> None:
    """Row 7: reasoning was billed twice, or not at all."""
    inside = gpt_said(
        prompt_tokens=100,
        completion_tokens=1_000,
        total_tokens=1_100,
        completion_tokens_details={"reasoning_tokens": 900},
    )
    beside = counted(
        GEMINI_GENERATE,
        {
            "candidates": [{"content": {"parts": []}, "finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 100,
                "candidatesTokenCount": 100,
                "thoughtsTokenCount": 900,
            },
        },
    )
    target = at(offering(GPT))

    costs = {bill(GPT, usage) for usage in (inside, beside)}

    assert costs == {cost := 100 * 2_500 + 1_000 * 10_000}
    assert cost <= bound_of(chat(b',"max_tokens":1000'), target)


def test_thinking_beyond_the_limit_of_the_answer_stays_below_the_bound() -> None:
    """Row 7: a limit on the answer says nothing about thinking that is counted beside it."""
    gemini = at(
        replace(
            offering(GPT, max_output_tokens=65_536, capabilities=Capability.TEXT | Capability.REASONING),
            provider="google",
            model="gemini-x",
        ),
        "gemini",
    )
    config = b'{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":100}}'

    cost = bill(GPT, Usage(10, 100 + 32_768, reasoning_tokens=32_768))

    assert cost == 10 * 2_500 + 32_868 * 10_000
    assert cost <= bound_of(read(GEMINI_GENERATE, config), gemini)


def test_sound_and_pictures_are_billed_at_their_own_prices_and_only_once() -> None:
    """Row 6: parts that are cached and audio were subtracted, or added, twice."""
    able = Capability.TEXT | Capability.AUDIO_IN | Capability.AUDIO_OUT
    target = at(replace(offering(GPT, capabilities=able), model="gpt-4o-audio"))
    sound = b'[{"type":"input_audio","input_audio":{"data":"%b","format":"wav"}}]' % (b"A" * 20_000)
    usage = gpt_said(
        prompt_tokens=1_200,
        completion_tokens=300,
        prompt_tokens_details={"audio_tokens": 1_000, "cached_tokens": 0},
        completion_tokens_details={"audio_tokens": 200},
    )

    cost = noted(request := chat(b',"max_tokens":300', sound), target, usage).cost_nano_usd

    assert cost == 200 * 2_500 + 1_000 * 40_000 + 100 * 10_000 + 200 * 80_000
    assert cost <= bound_of(request, target)


def test_a_picture_for_the_small_model_costs_its_multiplied_tokens() -> None:
    """Row 6: gpt-4o-mini bills a picture as up to 48,169 tokens, whatever fits its window."""
    mini = at(
        replace(
            offering(Rates(input=15 * CENT, output=60 * CENT), context_tokens=128_000), model="gpt-4o-mini"
        )
    )
    picture = b'[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]'
    usage = gpt_said(prompt_tokens=48_169 + 8, completion_tokens=0)

    cost = noted(request := chat(content=picture), mini, usage).cost_nano_usd

    assert cost == 48_177 * 150
    assert cost <= bound_of(request, mini)


def test_a_stream_that_was_cut_and_told_no_usage_is_counted_and_flagged() -> None:
    """Row 5: the row was missing altogether when the caller left."""
    target = at(offering(GPT))
    request = chat(b',"stream":true,"max_tokens":100', b'"%b"' % (b"a" * 400))

    row = noted(request, target, None, answer_chars=200)

    assert row.estimated
    assert row.cost_nano_usd == -(-len(request.body) // 4) * 2_500 + 50 * 10_000
    assert row.cost_nano_usd <= bound_of(request, target)


def test_what_the_provider_refused_costs_nothing() -> None:
    """Row 5: failures were billed at an estimate."""
    refusal = Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=429)

    row = noted(chat(), at(offering(GPT)), None, failure=refusal, may_be_billed=False)

    assert (row.cost_nano_usd, row.estimated) == (0, False)


def test_after_a_failover_each_attempt_costs_what_its_own_target_costs() -> None:
    """Row 3: the fallback was billed, and its budget checked, at the first target's price."""
    cheap, dear = at(offering(Rates(input=CENT, output=CENT))), at(offering(Rates(input=USD, output=USD)))
    request = chat()
    job = job_of(request, cheap)
    for target, usage in ((cheap, Usage(10, 50)), (dear, Usage(10, 100))):
        note_attempt(job, target, via="direct", outcome="ok", started=0.0, ended=1.0, usage=usage)

    assert [row.cost_nano_usd for row in job.attempts] == [60 * 10, 110 * 1_000]
    assert job.cost_nano_usd == 600 + 110_000
    assert bound_of(request, dear) == 100 * bound_of(request, cheap)


def test_an_explicit_zero_is_free_and_an_unknown_price_is_unknown() -> None:
    """Rows 3 and 8: a price of 0 read as unknown, and an unknown one as free."""
    free, unknown = at(offering(Rates(input=0, output=0))), at(offering(Rates()))

    assert noted(chat(), free, Usage(10, 10)).cost_nano_usd == 0
    assert bound_of(chat(), free) == 0
    assert noted(chat(), unknown, Usage(10, 10)).cost_nano_usd is None
    assert isinstance(worst_attempt_cost(chat(), unknown), Unbounded)


def test_one_unknown_bucket_makes_the_whole_bill_unknown() -> None:
    """Row 8: the unknown part was left out, and the rest told as the cost."""
    half = at(offering(Rates(input=USD)))

    assert noted(chat(), half, Usage(10, 1)).cost_nano_usd is None
    assert isinstance(worst_attempt_cost(chat(), half), Unbounded)


def test_a_price_that_changed_during_the_day_leaves_older_rows_as_they_were() -> None:
    """Row 7: rows were priced again whenever they were read; ours keep their cost and where it came from."""
    morning = at(offering(replace(GPT, source="list of the morning")))
    evening = at(offering(replace(GPT, base=Rates(input=USD, output=USD), source="list of the evening")))
    job = job_of(chat(), morning)
    for target in (morning, evening):
        note_attempt(job, target, via="direct", outcome="ok", started=0.0, ended=1.0, usage=Usage(100, 10))

    assert [(row.cost_nano_usd, row.price_source) for row in job.attempts] == [
        (100 * 2_500 + 10 * 10_000, "list of the morning"),
        (110 * 1_000, "list of the evening"),
    ]


def test_parts_that_are_larger_than_their_whole_are_repaired_and_flagged() -> None:
    """Row 6: overlapping parts made a negative rest, and so a bill that was too small."""
    usage = Usage(input_tokens=100, cached_read_tokens=80, input_audio_tokens=50)

    row = noted(chat(), at(offering(GPT)), usage)

    assert row.estimated
    assert row.cost_nano_usd == 80 * 1_250 + 50 * 40_000
