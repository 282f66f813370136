"""How a route's answers may be used again, and what one caller wishes of that."""

from domain.llm.cache_wish import NO_WISH, CacheWish
from domain.routing.cache_policy import (
    ENTRY_BYTES_MAX_DEFAULT,
    OFF,
    TTL_S_DEFAULT,
    TTL_S_MAX,
    CacheMode,
    CachePolicy,
    CacheScope,
)

__all__ = [
    "ENTRY_BYTES_MAX_DEFAULT",
    "NO_WISH",
    "OFF",
    "TTL_S_DEFAULT",
    "TTL_S_MAX",
    "CacheMode",
    "CachePolicy",
    "CacheScope",
    "CacheWish",
    "lifetime_s",
]


def lifetime_s(policy: CachePolicy, wish: CacheWish) -> float:
    """How long an answer kept now is fresh."""
    return policy.ttl_s if wish.ttl_s is None else min(policy.ttl_s, wish.ttl_s)
