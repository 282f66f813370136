"""How each kind of provider caches prompts, as their documentation says; answers correct it."""

from domain.routing.prompt_cache import CacheHabit

_IMPLICIT = CacheHabit(prior=0.7, ttl_s=300.0)
_MARKED = CacheHabit(prior=0.95, ttl_s=300.0, long_ttl_s=3600.0, by_mark=True, strict_ttl=True)
_UNKNOWN = CacheHabit(prior=0.3)

BY_KIND = {
    "anthropic": _MARKED,
    "aws": _MARKED,
    "bedrock": _MARKED,
    "azure": CacheHabit(prior=0.7, ttl_s=300.0),
    "deepseek": CacheHabit(prior=0.9, ttl_s=3600.0, tokens_min=64),
    "gemini": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "google": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "moonshotai": _IMPLICIT,
    "openai": CacheHabit(prior=0.8, ttl_s=300.0),
    "vertex": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "x-ai": _IMPLICIT,
    "zai": _IMPLICIT,
}
"""By a provider's kind in the catalogue, or its wire. `_MARKED` keeps what the caller marks, for five minutes
or an hour after its last use; the others find long beginnings by themselves."""


def prompt_cache_of(kind: str, wire: str) -> CacheHabit:
    """The habit of a configured provider. A server of one's own that speaks OpenAI's shape is unknown."""
    known = BY_KIND.get(kind)
    if known is not None:
        return known
    return BY_KIND[wire] if wire in ("anthropic", "gemini", "bedrock") else _UNKNOWN
