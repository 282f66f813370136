"""Savings as callers of the API see them."""

from typing import Any

from domain.analytics.savings import HitSaving, Savings, hit_ratio
from domain.caching.effect import HitKind
from domain.money import format_usd


def savings_object(savings: Savings) -> dict[str, Any]:
    """By what made calls unnecessary or cheaper, and what could not be counted."""
    kinds = savings.by_kind
    return {
        "total_usd": format_usd(savings.total_nano_usd),
        "share": savings.share,
        "cache_lookups": savings.lookups,
        "cache_hits": savings.hits,
        "cache_hit_ratio": hit_ratio(savings.hits, savings.lookups),
        "caching": {
            kind.value: _hits(kinds[kind]) for kind in (HitKind.EXACT, HitKind.SEMANTIC, HitKind.STALE)
        },
        "coalescing": _hits(kinds[HitKind.COALESCED]),
        "prompt_caching": {
            "saved_usd": format_usd(savings.prompt_cache_nano_usd),
            "unpriced_attempts": savings.unpriced_prompt_cache_attempts,
        },
        "not_counted": {
            "unpriced_hits": savings.unpriced_hits,
            "unpriced_prompt_cache_attempts": savings.unpriced_prompt_cache_attempts,
            "unpriced_requests": savings.unpriced_requests,
        },
    }


def _hits(saving: HitSaving) -> dict[str, Any]:
    return {
        "requests": saving.requests,
        "saved_usd": format_usd(saving.saved_nano_usd),
        "unpriced_requests": saving.unpriced_requests,
    }
