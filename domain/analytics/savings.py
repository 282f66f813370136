"""What was not spent, and why: answers used again, calls that were shared, prompts that providers knew."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.analytics.rollup import RollupSums
from domain.caching.effect import HIT_KINDS, HitKind


class HitSaving(NamedTuple):
    """Of hits of one kind. `unpriced_requests` are those of which nobody knows what they saved."""

    requests: int
    saved_nano_usd: int
    unpriced_requests: int


class Savings(NamedTuple):
    """Exact over what is known; what is not known counts as nothing and is counted beside.

    `spent_nano_usd` is what all attempts with a known price cost, those of calls beside callers' requests
    (audits, refreshes) included, so nothing that caching costs is left out.
    """

    by_kind: Mapping[HitKind, HitSaving]
    lookups: int
    prompt_cache_nano_usd: int
    """Less the surcharge for writing; below zero where more was written than ever read."""
    unpriced_prompt_cache_attempts: int
    spent_nano_usd: int
    unpriced_requests: int
    """Requests that cost what nobody knows."""

    @property
    def hits(self) -> int:
        return sum(saving.requests for saving in self.by_kind.values())

    @property
    def unpriced_hits(self) -> int:
        return sum(saving.unpriced_requests for saving in self.by_kind.values())

    @property
    def total_nano_usd(self) -> int:
        return self.prompt_cache_nano_usd + sum(saving.saved_nano_usd for saving in self.by_kind.values())

    @property
    def share(self) -> float | None:
        """Of what all of it would have cost; None: nothing."""
        whole = self.spent_nano_usd + self.total_nano_usd
        return self.total_nano_usd / whole if whole > 0 else None


def hit_ratio(hits: int, lookups: int) -> float | None:
    """The share of look-ups that were hits; None where nothing was looked up."""
    return hits / lookups if lookups else None


def savings_of(groups: Iterable[tuple[str, RollupSums]]) -> Savings:
    """From sums by what the answer cache did."""
    kinds = dict.fromkeys(HitKind, HitSaving(0, 0, 0))
    lookups = prompts = unpriced_attempts = spent = unpriced = 0
    for effect, sums in groups:
        lookups += sums.cache_lookups
        prompts += sums.prompt_cache_saved_nano_usd
        unpriced_attempts += sums.unpriced_prompt_cache_attempts
        spent += sums.attempt_cost_nano_usd
        unpriced += sums.unpriced_requests
        kind = HIT_KINDS.get(effect)
        if kind is not None:
            known = kinds[kind]
            kinds[kind] = HitSaving(
                known.requests + sums.requests,
                known.saved_nano_usd + sums.saved_nano_usd,
                known.unpriced_requests + sums.unpriced_hits,
            )
    return Savings(kinds, lookups, prompts, unpriced_attempts, spent, unpriced)
