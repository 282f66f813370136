"""What was saved, split by why; what nobody knows is counted beside, never as money."""

from contracts.ports.usage import attempt, usage_event
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import RollupSums, group_id, roll_up
from domain.analytics.savings import Savings, hit_ratio, savings_of
from domain.caching.effect import EFFECTS, HIT_KINDS, LOOKUPS, HitKind


def hit(number: int, cache: str, saved: int | None) -> RequestEvent:
    return usage_event(
        number, cache=cache, saved_nano_usd=saved, cost_nano_usd=0, attempts=(), attempts_made=0
    )


def saved(*events: RequestEvent) -> Savings:
    return savings_of((row.key.cache, row.sums) for row in roll_up(events))


def test_savings_are_split_by_what_made_a_call_unnecessary() -> None:
    found = saved(
        usage_event(1, cache="miss", attempts=(attempt("req_1", 0, cost_nano_usd=100),)),
        hit(2, "hit-l1", 100),
        hit(3, "hit-l2", 50),
        hit(4, "hit-semantic", 30),
        hit(5, "hit-coalesced", None),
        hit(6, "hit-stale", 20),
    )

    assert found.by_kind[HitKind.EXACT] == (2, 150, 0)
    assert found.by_kind[HitKind.SEMANTIC] == (1, 30, 0)
    assert found.by_kind[HitKind.COALESCED] == (1, 0, 1)
    assert found.by_kind[HitKind.STALE] == (1, 20, 0)
    assert (found.hits, found.lookups, found.unpriced_hits) == (5, 6, 1)
    assert (found.total_nano_usd, found.spent_nano_usd) == (200, 100)
    assert found.share == 200 / 300


def test_writing_a_prompt_cache_in_vain_is_a_loss() -> None:
    tried = attempt("req_1", 0, cost_nano_usd=1000, prompt_cache_saved_nano_usd=-40)

    found = saved(usage_event(1, attempts=(tried,)))

    assert (found.prompt_cache_nano_usd, found.total_nano_usd) == (-40, -40)
    assert found.share is not None
    assert found.share < 0


def test_a_prompt_cache_of_unknown_prices_is_counted_not_guessed() -> None:
    unknown = attempt("req_1", 0, prompt_cache_saved_nano_usd=None, cache_write_tokens=5)
    no_part = attempt("req_1", 1, prompt_cache_saved_nano_usd=None)

    found = saved(usage_event(1, attempts=(unknown, no_part)))

    assert (found.prompt_cache_nano_usd, found.unpriced_prompt_cache_attempts) == (0, 1)


def test_where_nothing_was_used_there_is_no_share_and_no_ratio() -> None:
    assert saved().share is None
    assert hit_ratio(0, 0) is None
    assert hit_ratio(1, 4) == 0.25


def test_observing_and_bypassing_are_no_look_ups() -> None:
    assert set(EFFECTS) - LOOKUPS == {"off", "bypass", "observe"}
    assert set(HIT_KINDS.values()) == set(HitKind)
    assert saved(*(usage_event(number, cache=cache) for number, cache in enumerate(EFFECTS))).lookups == 6


def test_groups_without_a_cache_have_the_name_they_always_had() -> None:
    """Instances of the version before count into the same row during an upgrade."""
    (off,), (hits,) = (roll_up([usage_event(1, cache=cache)]) for cache in ("off", "hit-l1"))

    assert group_id(off.key) == "14913b603d097b205a6f65e7aec37836"
    assert group_id(off.key) != group_id(hits.key)
    assert off.sums._replace(cache_hits=1, cache_lookups=1) == hits.sums
    assert isinstance(off.sums, RollupSums)
