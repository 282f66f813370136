"""Usage summed up by the hour.

A roll-up row holds the sums of all requests that share an hour and everything an operator configured: who
asked, on which route, who answered, how it ended, and the kind of task, which is one of a closed list. What
callers make up (agents, users, sessions, workflows) is no part of it, so the number of rows is bounded by
keys and configuration, whatever callers do.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple

from domain.analytics.event import AttemptEvent, RequestEvent
from domain.caching.effect import HITS, LOOKUPS, NO_CACHE

HOUR_US: Final = 3600 * 1_000_000
DAY_US: Final = 24 * HOUR_US
SUM_MAX: Final = 2**62
"""Where sums stop rather than overflow: 4.6 billion dollars in one group of one hour."""
SIGNED_SUMS: Final = frozenset({"prompt_cache_saved_nano_usd"})
"""Sums that may be less than nothing."""


class RollupKey(NamedTuple):
    """What a roll-up row is the sum of. `hour_us` is the start of the hour, UTC epoch microseconds.

    Hours are of the request's start. `provider` and `model` answered; both are empty when nobody did.
    """

    tenant_id: str
    hour_us: int
    provider: str
    model: str
    route: str
    key_id: str
    team: str
    project: str
    cost_center: str
    operation: str
    outcome: str
    cache: str
    task: str
    """Empty: summed up by a version that did not tell tasks apart."""


def group_id(key: RollupKey) -> str:
    """Stands for everything of a key but tenant and hour, in 32 hexadecimal digits (128 bits of SHA-256).

    Names of any length would not fit into an index. Where nothing is cached, or no task is told, it is what
    it was before there were caches and tasks, so that old and new instances count into one row.
    """
    parts: tuple[str, ...] = key[2:]
    if not key.task:
        parts = key[2:-2] if key.cache == NO_CACHE else key[2:-1]
    text = "\x1f".join(parts).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


class RollupSums(NamedTuple):
    """Sums over requests. Money is nano-dollars over what is known, durations are microseconds."""

    requests: int
    ok_requests: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cached_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    attempt_cost_nano_usd: int
    unpriced_requests: int
    """Requests whose cost is not known."""
    estimated_requests: int
    duration_us: int
    upstream_us: int
    first_token_us: int
    first_token_requests: int
    """Requests that had a first token; others say nothing about when it came."""
    cache_lookups: int
    """Requests that an earlier or shared answer could have answered."""
    cache_hits: int
    """Those that one did."""
    saved_nano_usd: int
    """What hits would have cost, over what is known."""
    unpriced_hits: int
    """Hits of which nobody knows what they saved."""
    prompt_cache_saved_nano_usd: int
    """What providers' prompt caches saved, less the surcharge for writing them; may be negative."""
    unpriced_prompt_cache_attempts: int
    """Attempts with a part in a prompt cache, of which nobody knows what it saved."""


class Rollup(NamedTuple):
    """One row."""

    key: RollupKey
    sums: RollupSums


def _of_request(*fields: str) -> "itemgetter[Any]":
    return itemgetter(*(RequestEvent._fields.index(field) for field in fields))


_SHARED: Final = _of_request("tenant_id", *RollupKey._fields[2:])
_SUMMED: Final = _of_request(
    "input_tokens", "output_tokens", "cached_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "cost_nano_usd", "estimated", "duration_us", "upstream_us", "first_token_us", "saved_nano_usd",
    "attempts",
)  # fmt: skip
_ATTEMPT_COST: Final = itemgetter(AttemptEvent._fields.index("cost_nano_usd"))
_PROMPT_SAVED: Final = itemgetter(AttemptEvent._fields.index("prompt_cache_saved_nano_usd"))


def roll_up(events: Iterable[RequestEvent]) -> list[Rollup]:
    """One row per group among these events, in the order of their keys.

    Works column by column, because it runs once for every request there is.
    """
    groups: dict[tuple[Any, int], list[RequestEvent]] = {}
    for event in events:
        place = (_SHARED(event), event.started_at_us // HOUR_US)
        group = groups.get(place)
        if group is None:
            groups[place] = [event]
        else:
            group.append(event)
    rows = [
        Rollup(RollupKey(shared[0], hour * HOUR_US, *shared[1:]), _sums(group))
        for (shared, hour), group in groups.items()
    ]
    rows.sort(key=itemgetter(0))
    return rows


def _sums(events: Sequence[RequestEvent]) -> RollupSums:
    columns = zip(*map(_SUMMED, events), strict=True)
    inputs, outputs, reads, writes, reasoned, costs, estimated, durations, upstream, firsts, saved, tries = (
        columns
    )
    count, cache = len(events), events[0].cache
    attempt_costs: Iterator[int | None] = map(_ATTEMPT_COST, chain.from_iterable(tries))
    prompts: list[int | None] = list(map(_PROMPT_SAVED, chain.from_iterable(tries)))
    unknown = None in prompts
    return RollupSums(
        count,
        count if events[0].outcome == "ok" else 0,
        sum(map(len, tries)),
        sum(inputs),
        sum(outputs),
        sum(reads),
        sum(writes),
        sum(reasoned),
        sum(filter(None, costs)),
        sum(filter(None, attempt_costs)),
        costs.count(None),
        sum(estimated),
        sum(durations),
        sum(upstream),
        sum(filter(None, firsts)),
        count - firsts.count(None),
        count if cache in LOOKUPS else 0,
        count if cache in HITS else 0,
        sum(filter(None, saved)),
        saved.count(None) if cache in HITS else 0,
        sum(filter(None, prompts)),
        sum(map(prompt_saving_unknown, chain.from_iterable(tries))) if unknown else 0,
    )


def prompt_saving_unknown(attempt: AttemptEvent) -> bool:
    """Whether a prompt cache had a part in it, and nobody knows what that saved."""
    return attempt.prompt_cache_saved_nano_usd is None and bool(
        attempt.cached_read_tokens or attempt.cache_write_tokens or attempt.cache_write_long_tokens
    )


def month_of(day: Any) -> Any:
    """The month, as months since year 0, of a day given as days since 1970-01-01.

    Whole numbers only, and only `+ - * //`: a database's column may stand in for the number. The way is that
    of years which begin in March, so that the leap day is the last one (Howard Hinnant, "chrono-Compatible
    Low-Level Date Algorithms", civil_from_days). For days from 1970 on.
    """
    shifted = day + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365  # of the era
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    return (year + era * 400) * 12 + (5 * day_of_year + 2) // 153 + 2
