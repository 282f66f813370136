"""No bill passes the bound on it, for every model of the catalogue and whatever is in the request."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.ports.wire import (
    COHERE_RERANK,
    GEMINI_GENERATE,
    OPENAI_EMBEDDINGS,
    OPENAI_IMAGES,
    OPENAI_RESPONSES,
    OPENAI_SPEECH,
)
from domain.budgets.media_tokens import bare_name, counts_beyond_window, image_tokens_max
from domain.budgets.token_bounds import KNOWN_PREFIX, WINDOW, KnownPrefix, Unbounded
from domain.budgets.worst_case import NOTHING, Bound, worst_attempt_cost
from domain.catalog.prices import PriceTable, Rates, Tier, Variant, bill
from domain.llm.capabilities import Capability
from domain.llm.contents import Contents
from domain.llm.request import LlmRequest, Operation
from domain.llm.usage import Usage
from domain.routing.target import Target
from tests.unit.budgets.requests import USD, at, catalogue, chat, listed, messages, offering, read
from tests.unit.catalog.strategies import modest

OFFERINGS = sorted(catalogue().offerings)
PICTURE = (
    b'[{"type":"text","text":"what is this?"},{"type":"image_url","image_url":{"url":"https://a/b.png"}}]'
)


def bounded(request: LlmRequest, target: Target, **known: object) -> Bound:
    bound = worst_attempt_cost(request, target, **known)  # type: ignore[arg-type]
    assert isinstance(bound, Bound), bound
    return bound


def unbounded(request: LlmRequest, target: Target) -> Unbounded:
    bound = worst_attempt_cost(request, target)
    assert isinstance(bound, Unbounded), bound
    return bound


@st.composite
def billed(draw: st.DrawFn) -> tuple[LlmRequest, Target, Usage, str]:
    """A chat, where it goes, and some usage that its provider could count: no more tokens than the text has
    bytes, pictures at their published size, output within the limits, any split into buckets."""
    target = listed(draw(st.sampled_from(OFFERINGS)))
    letters = draw(st.integers(0, 3_000))
    pictures = draw(st.integers(0, 2))
    limit, choices = draw(st.integers(1, 5_000)), draw(st.integers(1, 3))
    parts: list[object] = [{"type": "text", "text": "a" * letters}]
    parts += [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}] * pictures
    wanted = {"max_tokens": limit, "n": choices, "metadata": {"cache_control": {"ttl": "1h"}}}
    request = chat(b"," + msgspec.json.encode(wanted)[1:-1], msgspec.json.encode(parts))
    seen = pictures * (image_tokens_max(target.model) or 0)
    window = target.offering.context_tokens or 10**9
    text = min(window, letters + draw(st.integers(0, 60)))
    if not counts_beyond_window(target.model):
        seen = min(seen, window - text)
    read_tokens, written = draw(st.integers(0, text)), 0
    if read_tokens < text:
        written = draw(st.integers(0, text - read_tokens))
    output = draw(st.integers(0, limit * choices))
    usage = Usage(
        input_tokens=text + seen,
        output_tokens=output,
        cached_read_tokens=read_tokens,
        cache_write_long_tokens=written,
        input_image_tokens=seen,
        reasoning_tokens=draw(st.integers(0, output)),
    )
    served = ("", "service_tier=priority", "service_tier=fast", "service_tier=flex")
    return request, target, usage, draw(st.sampled_from(served))


@given(billed())
@modest(300)
def test_no_bill_of_any_model_in_the_catalogue_passes_its_bound(
    case: tuple[LlmRequest, Target, Usage, str],
) -> None:
    request, target, usage, served = case

    bound = worst_attempt_cost(request, target)

    cost = bill(target.offering.prices, usage, variant=served)
    if isinstance(bound, Bound):
        assert cost is not None
        assert cost <= bound.nano_usd


def test_every_priced_chat_model_has_a_bound_once_the_answer_is_limited() -> None:
    """But for those that think beyond the limit, up to a length that nobody published."""
    without: dict[str, int] = {}
    priced = 0
    for name in OFFERINGS:
        target = listed(name)
        if target.offering.prices.known:
            priced += 1
            bound = worst_attempt_cost(chat(), target)
            if isinstance(bound, Unbounded):
                without[bound.reason.split(name)[0]] = without.get(bound.reason.split(name)[0], 0) + 1

    assert sum(without.values()) < priced / 4, without


class TestInput:
    @given(st.text(max_size=400))
    @modest(60)
    def test_every_byte_of_the_text_may_be_a_token(self, text: str) -> None:
        request = chat(content=msgspec.json.encode(text))

        bound = bounded(request, at(offering(Rates(input=1_000_000, output=0))))

        assert bound.nano_usd >= len(text.encode())

    def test_a_text_that_grows_when_it_is_normalised_counts_for_what_it_becomes(self) -> None:
        """U+1D160 is four bytes, and twelve for tokenizers that normalise first."""
        target = at(offering(Rates(input=1_000_000, output=0)))
        notes = "\U0001d160" * 1_000

        assert bounded(chat(content=msgspec.json.encode(notes)), target).input_tokens >= 12_000

    def test_nothing_is_billed_as_more_input_than_the_window_holds(self) -> None:
        target = at(offering(Rates(input=1_000_000, output=0), context_tokens=4_000))

        bound = bounded(chat(content=b'"%b"' % (b"a" * 50_000)), target)

        assert (bound.input_tokens, bound.made_by) == (4_000, WINDOW)

    @pytest.mark.parametrize("headers", [(), (("anthropic-beta", "a,context-1m-2025-08-07"),)])
    def test_a_window_that_may_be_longer_than_the_catalogue_says_bounds_nothing_below_it(
        self, headers: tuple[tuple[str, str], ...]
    ) -> None:
        longer = (Tier(above_input_tokens=200_000, rates=Rates(input=2_000_000, output=0)),)
        prices = PriceTable(base=Rates(input=1_000_000, output=0), tiers=() if headers else longer)
        request = chat(content=b'"%b"' % (b"a" * 300_000))
        request.headers = headers

        assert bounded(request, at(offering(prices, context_tokens=200_000))).input_tokens > 300_000

    def test_a_conversation_kept_elsewhere_may_fill_the_window(self) -> None:
        request = read(
            OPENAI_RESPONSES,
            b'{"model":"m","input":"hi","previous_response_id":"resp_1","max_output_tokens":16}',
        )

        bound = bounded(request, at(offering(Rates(input=1_000_000, output=0), context_tokens=9_000)))

        assert (bound.input_tokens, bound.made_by) == (9_000, WINDOW)
        assert "previous_response_id" in unbounded(request, at(offering(Rates(input=1, output=1)))).reason

    def test_the_providers_own_count_of_the_beginning_makes_the_bound_small(self) -> None:
        target = at(offering(Rates(input=1_000_000, output=0)))
        request = chat(content=b'"%b"' % (b"a" * 40_000))

        bound = bounded(request, target, known_prefix=KnownPrefix(tokens=9_000, rest_bytes=100))

        assert bound.made_by == KNOWN_PREFIX
        assert 9_100 <= bound.input_tokens < 10_000

    def test_a_known_beginning_never_makes_the_bound_larger(self) -> None:
        target = at(offering(Rates(input=1_000_000, output=0)))

        assert bounded(chat(), target, known_prefix=KnownPrefix(10**6, 0)) == bounded(chat(), target)


class TestMedia:
    @pytest.mark.parametrize(
        ("model", "tokens"),
        [("gpt-4o-mini-2024", 48_169), ("us.anthropic.claude-x", 8_848), ("gemini-3", 6_450)],
    )
    def test_a_picture_counts_at_its_makers_dearest_cut(self, model: str, tokens: int) -> None:
        target = at(replace(offering(Rates(input=1_000_000, output=0)), model=model))

        bound = bounded(chat(content=PICTURE), target)

        assert tokens <= bound.input_tokens < tokens + 2_000

    def test_pictures_of_a_family_that_publishes_nothing_may_fill_the_window(self) -> None:
        unknown = replace(offering(Rates(input=1_000_000, output=0)), model="peephole-1")

        assert "pictures" in unbounded(chat(content=PICTURE), at(unknown)).reason
        assert (
            bounded(chat(content=PICTURE), at(replace(unknown, context_tokens=8_000))).input_tokens == 8_000
        )

    def test_a_picture_that_is_billed_beyond_the_window_is_held_beyond_it(self) -> None:
        mini = replace(offering(Rates(input=1_000_000, output=0), context_tokens=8_000), model="gpt-4o-mini")

        assert bounded(chat(content=PICTURE), at(mini)).input_tokens > 48_169

    def test_an_inline_picture_is_not_counted_as_text_too(self) -> None:
        url = b"data:image/png;base64," + b"A" * 400_000
        content = b'[{"type":"image_url","image_url":{"url":"%b"}}]' % url
        target = at(replace(offering(Rates(input=1_000_000, output=0)), model="gpt-4o"))

        assert bounded(chat(content=content), target).input_tokens < 26_000

    def test_text_that_looks_like_a_picture_is_counted_as_text(self) -> None:
        content = b'"data:image/png;base64,%b"' % (b"A" * 400_000)
        target = at(offering(Rates(input=1_000_000, output=0)))

        assert bounded(chat(content=content), target).input_tokens > 400_000

    @pytest.mark.parametrize(
        "part",
        [
            b'{"type":"file","file":{"file_id":"f"}}',
            b'{"ty\\u0070e":"video_url","video_url":{"url":"https://a/b.mp4"}}',
            b'{"type":"something_new"}',
        ],
    )
    def test_what_nobody_can_measure_may_fill_the_window(self, part: bytes) -> None:
        target = at(offering(Rates(input=1_000_000, output=0), context_tokens=7_000))

        assert bounded(chat(content=b"[%b]" % part), target).made_by == WINDOW

    def test_a_document_behind_an_address_may_fill_the_window_and_one_of_text_is_text(self) -> None:
        target = at(offering(Rates(input=1_000_000, output=0), context_tokens=70_000), "anthropic")
        document = b'[{"type":"document","source":{"type":"%b","data":"words","url":"https://a/b.pdf"}}]'

        assert bounded(messages(content=document % b"url"), target).made_by == WINDOW
        assert bounded(messages(content=document % b"text"), target).input_tokens < 3_000

    def test_a_film_for_gemini_may_fill_the_window_and_a_picture_has_its_size(self) -> None:
        def shown(kind: bytes) -> LlmRequest:
            media = b'{"fileData":{"mimeType":"%b","fileUri":"gs://a/b"}}' % kind
            config = b'"generationConfig":{"maxOutputTokens":10}'
            return read(GEMINI_GENERATE, b'{"contents":[{"parts":[%b]}],%b}' % (media, config))

        target = listed("google/gemini-2.5-flash")

        assert bounded(shown(b"video/mp4"), target).input_tokens == target.offering.context_tokens
        assert bounded(shown(b"image/png"), target).input_tokens < 10_000


class TestOutput:
    def test_every_choice_may_be_as_long_as_the_limit(self) -> None:
        target = at(offering(Rates(input=0, output=1_000_000)))

        assert bounded(chat(b',"max_tokens":100,"n":3'), target).output_tokens == 300

    def test_without_a_limit_the_answer_may_be_as_long_as_the_model_writes(self) -> None:
        rates = Rates(input=0, output=1_000_000)

        assert bounded(chat(b""), at(offering(rates, max_output_tokens=500))).output_tokens == 500
        assert bounded(chat(b""), at(offering(rates, context_tokens=800))).output_tokens == 800
        assert "limit" in unbounded(chat(b""), at(offering(rates))).remedy

    def test_thinking_beside_the_limit_is_held_too(self) -> None:
        thinker = replace(
            offering(Rates(input=0, output=1_000_000), max_output_tokens=8_000),
            provider="siliconflow",
            model="thinker",
            capabilities=Capability.TEXT | Capability.REASONING,
        )
        honest = replace(thinker, tags=frozenset({"limit-covers-thinking"}))

        assert bounded(chat(), at(thinker)).output_tokens == 8_100
        assert bounded(chat(), at(honest)).output_tokens == 100
        assert "tag it" in unbounded(chat(), at(replace(thinker, max_output_tokens=None))).remedy

    def test_a_predicted_answer_may_be_billed_on_top(self) -> None:
        predicted = b',"max_tokens":100,"prediction":{"type":"content","content":"%b"}' % (b"a" * 500)
        target = at(offering(Rates(input=0, output=1_000_000)))

        assert bounded(chat(predicted), target).output_tokens > 600

    def test_embeddings_write_nothing(self) -> None:
        request = read(OPENAI_EMBEDDINGS, b'{"model":"m","input":["a","b"]}')

        assert bounded(request, at(offering(Rates(input=1_000_000)))).output_tokens == 0


class TestPrices:
    def test_the_dearest_tier_of_service_counts_that_an_account_may_have_as_its_default(self) -> None:
        dear = Variant(name="service_tier=priority", base=Rates(input=0, output=2_000_000))
        target = at(offering(PriceTable(base=Rates(input=0, output=1_000_000), variants=(dear,))))

        assert bounded(chat(), target).nano_usd == 200
        assert bounded(chat(b',"max_tokens":100,"service_tier":"default"'), target).nano_usd == 100

    def test_cache_writes_count_only_where_something_is_marked_to_be_cached(self) -> None:
        rates = Rates(input=1_000_000, output=0, cache_write=1_250_000, cache_write_long=2_000_000)
        target = at(replace(offering(rates), provider="anthropic", model="claude-x"), "anthropic")
        plain = bounded(messages(), target)
        short = bounded(messages(b',"cache_control":{"type":"ephemeral"}'), target)
        long = bounded(messages(b',"cache_control":{"type":"ephemeral","ttl":"1h"}'), target)

        assert plain.nano_usd == plain.input_tokens
        assert short.nano_usd == -(-short.input_tokens * 5 // 4)
        assert long.nano_usd == long.input_tokens * 2

    def test_a_fee_for_each_request_is_part_of_it(self) -> None:
        target = at(offering(PriceTable(base=Rates(input=0, output=0), per_request=7)))

        assert bounded(chat(), target).nano_usd == 7

    def test_an_explicit_zero_is_free_and_an_unknown_price_has_no_bound(self) -> None:
        assert bounded(chat(), at(offering(Rates(input=0, output=0)))).nano_usd == 0
        assert "no price is known" in unbounded(chat(), at(offering(Rates(input=0)))).reason

    def test_the_callers_own_account_costs_nothing_here(self) -> None:
        assert bounded(chat(b""), at(offering(Rates())), callers_credential=True) == NOTHING


class TestProvidersTools:
    @pytest.mark.parametrize(
        "rest",
        [
            b',"web_search_options":{}',
            b',"search_parameters":{"mode":"on"}',
            b',"tools":[{"type":"web_search"}]',
            b',"models":["other/model"]',
        ],
    )
    def test_what_a_provider_does_on_its_own_has_no_bound(self, rest: bytes) -> None:
        assert (
            "the provider alone decides"
            in unbounded(chat(rest), at(offering(Rates(input=1, output=1)))).reason
        )

    def test_a_callers_own_tools_have_one(self) -> None:
        tools = b',"tools":[{"type":"function","function":{"name":"f"}}],"max_tokens":10'
        claude = at(offering(Rates(input=1, output=1)), "anthropic")

        assert bounded(chat(tools), at(offering(Rates(input=1, output=1)))).nano_usd == 1
        assert bounded(messages(b',"tools":[{"type":"bash_20250124","name":"bash"}]'), claude).nano_usd == 1
        assert (
            "web_search"
            in unbounded(
                messages(b',"tools":[{"type":"web_search_20250305","name":"web_search"}]'), claude
            ).reason
        )


class TestUnits:
    def test_a_picture_is_held_at_the_dearest_kind_it_may_come_out_as(self) -> None:
        prices = PriceTable(units=(("images:1024x1024", 40 * USD), ("images:1024x1024:hd", 80 * USD)))
        request = read(OPENAI_IMAGES, b'{"model":"m","prompt":"a cat","n":2}')

        assert bounded(request, at(offering(prices))).nano_usd == 160_000

    def test_speech_is_held_at_its_characters(self) -> None:
        request = read(OPENAI_SPEECH, b'{"model":"m","input":"hello","voice":"v"}')

        assert (
            bounded(request, at(offering(PriceTable(units=(("characters", 15 * USD),))))).nano_usd == 75_000
        )

    def test_a_query_counts_for_every_document_and_long_documents_for_several(self) -> None:
        body = b'{"model":"m","query":"%b","documents":["%b","b"]}' % (b"q" * 1_000, b"d" * 60_000)
        request = read(COHERE_RERANK, body)

        by_tokens = bounded(request, at(offering(Rates(input=1_000_000))))
        by_searches = bounded(request, at(offering(PriceTable(units=(("searches", 2_000_000),)))))

        assert by_tokens.input_tokens >= 62_000
        assert by_searches.nano_usd >= 2 * 2

    def test_sound_is_held_at_the_longest_that_speech_of_its_size_can_be(self) -> None:
        request = replace(
            read(OPENAI_SPEECH, b'{"model":"m","input":"x","voice":"v"}'),
            operation=Operation.TRANSCRIPTION,
            units=(("unmeasured", 1),),
            media_bytes=60_000,
            contents=Contents(),
        )

        bound = bounded(request, at(offering(PriceTable(units=(("audio_in_ms", 100_000),)))))

        assert bound.nano_usd == 60_000 * 1000 // 500 * 100_000 // 1_000_000


def test_names_are_known_without_the_prefix_of_whoever_sells_them() -> None:
    assert [bare_name(name) for name in ("openai/gpt-4o", "eu.anthropic.claude-3", "ft:gpt-4o-mini:org")] == [
        "gpt-4o",
        "claude-3",
        "gpt-4o-mini:org",
    ]
