"""Inclusive token counts, put right when a part is larger than its whole; and estimates that say so."""

from hypothesis import given
from hypothesis import strategies as st

from domain.llm.usage import Usage, estimate_tokens, estimated_usage

COUNTS = st.integers(0, 1000)
USAGES = st.builds(Usage, *([COUNTS] * 10), st.booleans())


def input_parts(usage: Usage) -> int:
    return (
        usage.cached_read_tokens
        + usage.cache_write_tokens
        + usage.cache_write_long_tokens
        + usage.input_audio_tokens
        + usage.input_image_tokens
    )


def output_parts(usage: Usage) -> int:
    return usage.output_audio_tokens + usage.output_image_tokens + usage.reasoning_tokens


@given(USAGES)
def test_repaired_totals_cover_their_parts_and_never_shrink(usage: Usage) -> None:
    repaired = usage.repaired()
    assert repaired.input_tokens >= max(input_parts(repaired), usage.input_tokens)
    assert repaired.output_tokens >= max(output_parts(repaired), usage.output_tokens)
    assert repaired.repaired() == repaired
    assert repaired.total_tokens == repaired.input_tokens + repaired.output_tokens


@given(USAGES)
def test_a_repair_touches_totals_only_and_is_flagged(usage: Usage) -> None:
    repaired = usage.repaired()
    if repaired != usage:
        assert repaired.estimated
    assert (input_parts(repaired), output_parts(repaired)) == (input_parts(usage), output_parts(usage))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_estimate_never_passes_for_a_bill(request_bytes: int, answer_chars: int) -> None:
    usage = estimated_usage(estimate_tokens(request_bytes), answer_chars)
    assert usage.estimated
    assert usage.input_tokens == estimate_tokens(request_bytes)


@given(st.integers(0, 10**9))
def test_an_estimate_grows_with_the_text_and_is_nothing_only_for_nothing(size_bytes: int) -> None:
    assert estimate_tokens(size_bytes) <= estimate_tokens(size_bytes + 1) <= estimate_tokens(size_bytes) + 1
    assert (estimate_tokens(size_bytes) == 0) == (size_bytes == 0)


@given(counts=st.lists(st.integers(-50, 50), min_size=10, max_size=10))
def test_no_count_is_below_zero_after_repair(counts: list[int]) -> None:
    usage = Usage(**dict(zip(Usage._fields, counts, strict=False)))  # type: ignore[arg-type]
    repaired = usage.repaired()
    assert min(getattr(repaired, name) for name in Usage._fields[:10]) >= 0
    assert repaired.repaired() == repaired
    assert repaired.estimated or repaired == usage
