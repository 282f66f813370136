"""What providers tell of a key's limits in their headers."""

from datetime import UTC, datetime

import hypothesis.strategies as st
from hypothesis import given, settings

from adapters.wire.headroom import exhausted_for_s, read_headroom
from domain.resilience.key_pool import Headroom

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


def test_the_shape_of_openai() -> None:
    headers = (
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6m0.5s"),
    )
    assert read_headroom(headers, NOW) == Headroom(60, 59, 1.0, 150_000, 149_984, 360.5)


def test_the_shape_of_anthropic() -> None:
    headers = (
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "49"),
        ("anthropic-ratelimit-requests-reset", "2030-01-01T12:00:05Z"),
        ("anthropic-ratelimit-tokens-remaining", "1000"),
    )
    assert read_headroom(headers, NOW) == Headroom(50, 49, 5.0, None, 1000, None)


def test_headers_that_tell_nothing() -> None:
    assert read_headroom((("content-type", "application/json"),), NOW) is None


def test_a_limit_that_is_used_up_tells_when_to_come_back() -> None:
    assert exhausted_for_s(Headroom(60, 0, 7.0, 1000, 10, 90.0)) == 7.0
    assert exhausted_for_s(Headroom(60, 3, 7.0, 1000, 10, 90.0)) is None
    assert exhausted_for_s(None) is None


@settings(max_examples=60)
@given(value=st.text(max_size=20), name=st.sampled_from(["limit", "remaining", "reset"]))
def test_no_value_breaks_it(value: str, name: str) -> None:
    told = read_headroom(((f"x-ratelimit-{name}-requests", value),), NOW)
    assert told is not None
    assert told.requests_reset_s is None or 0 <= told.requests_reset_s <= 86_400
