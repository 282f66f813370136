"""Token counts in the Responses API's shape, as inclusive buckets and back."""

from typing import Any

from msgspec import Struct

from domain.llm.usage import Usage


class _CacheWrites(Struct, gc=False):
    ttl_12h_tokens: int | None = None


class _InputDetails(Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: _CacheWrites | None = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: int | None = None


class ResponsesUsage(Struct, gc=False):
    """`usage` of a response."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


def usage_of(wire: ResponsesUsage | None, tier: object = None) -> Usage | None:
    """Inclusive buckets; None when nothing was counted. `tier` is the response's `service_tier`."""
    if wire is None or wire.input_tokens is None:
        return None
    into = wire.input_tokens_details or _InputDetails()
    out = wire.output_tokens_details or _OutputDetails()
    written = into.cache_write_tokens or 0
    kept_longer = into.cache_write_tokens_details and into.cache_write_tokens_details.ttl_12h_tokens
    long = min(written, kept_longer or 0)
    return Usage(
        input_tokens=wire.input_tokens,
        output_tokens=wire.output_tokens or 0,
        cached_read_tokens=into.cached_tokens or 0,
        cache_write_tokens=written - long,
        cache_write_long_tokens=long,
        reasoning_tokens=out.reasoning_tokens or 0,
        variant=f"service_tier={tier}" if isinstance(tier, str) and tier else "",
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """The same buckets in this shape, for translated answers."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_long_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
