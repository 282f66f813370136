"""Conversations for tests of affinity: targets that cache, and what is remembered of them."""

from collections.abc import Callable
from typing import Any

from domain.catalog.prices import PriceTable, Rates
from domain.routing.conversation import Conversation, Place
from domain.routing.prompt_cache import CacheHabit
from domain.routing.target import Target
from tests.unit.routing._world import USD_PER_MTOK, indexed, target

NOW_US = 1_800_000_000_000_000
IMPLICIT = CacheHabit(prior=0.9)
MARKED = CacheHabit(prior=0.95, by_mark=True, strict_ttl=True)


def caching(
    input_usd: float,
    output_usd: float = 10.0,
    *,
    read: float | None = None,
    write: float | None = None,
) -> PriceTable:
    """Prices in dollars per million tokens; a cached token costs a tenth unless told otherwise."""
    return PriceTable(
        base=Rates(
            input=round(input_usd * USD_PER_MTOK),
            output=round(output_usd * USD_PER_MTOK),
            cached_read=round((input_usd / 10 if read is None else read) * USD_PER_MTOK),
            cache_write=None if write is None else round(write * USD_PER_MTOK),
        )
    )


def place(
    target_id: str,
    *,
    prefix: int = 50_000,
    cached: int | None = None,
    age_s: float = 10.0,
    long: bool = False,
) -> Place:
    """Where a conversation was answered so long ago."""
    return Place(target_id, "", prefix, prefix if cached is None else cached, long, NOW_US - int(age_s * 1e6))


def talk(*places: Place, marked: bool = False) -> Callable[[], Conversation]:
    """A conversation with these places, the newest first."""
    return lambda: Conversation(b"k", places, marked, NOW_US)


def with_habit(one: Target, habit: CacheHabit, **more: Any) -> Target:
    """The same target with a prompt cache, and whatever else `Target` has."""
    (placed,) = indexed([one])
    fields = ("id", "provider", "model", "offering", "wire", "via", "region", "compliance", "tags")
    return Target(index=0, prompt_cache=habit, **{n: getattr(placed, n) for n in fields}, **more)


def cached_target(target_id: str, prices: PriceTable, habit: CacheHabit = IMPLICIT, **more: Any) -> Target:
    """A target that caches prompts."""
    contract = more.pop("contract", None)
    return with_habit(target(target_id, prices=prices, **more), habit, contract=contract)
