"""Whether a conversation stays where its prompt cache is warm (SPEC L5, conversation affinity).

Moving a conversation costs what the old place would have saved: the warm prefix times the gap between plain
and cached input, times the chance that it is warm, and at the new place the surcharge for writing a cache.
Strategies about money compare costs that contain all of this. The others keep the incumbent while its cache
is worth having, and leave it for their own first choice only by the rules in `LEAVES_FOR`.

Affinity orders candidates that every hard filter has let through; it never adds one and never drops one.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from domain.catalog.prices import rates_for
from domain.money import TOKENS_PER_PRICE_UNIT, format_usd
from domain.routing.conversation import (
    COLD,
    KEPT,
    MOVED,
    NEW,
    WARM_MIN,
    Affinity,
    Conversation,
    Place,
    Verdict,
    Warm,
)
from domain.routing.field import Field
from domain.routing.live import TargetState
from domain.routing.prompt_cache import AffinityPolicy, kept_share
from domain.routing.table import UNKNOWN_COST
from domain.routing.target import Target

LOOKED_AT_MAX = 8
"""How many of a money strategy's first choices are compared with the warm ones."""
RESERVED_LOOKED_AT_MAX = 32


def affinity_of(field: Field, conversation: Conversation) -> Affinity:
    """Judges each remembered place that is a candidate of this request."""
    policy = field.members.route.affinity
    warm: dict[int, Warm] = {}
    mask = field.eligible.mask
    for place in conversation.places:
        target = field.table.by_id.get(place.target_id)
        if target is None or not mask >> target.index & 1:
            continue
        found = warmth(target, field.live.targets[target.index], place, conversation, policy)
        tokens = min(found.tokens, field.eligible.sizes.input_tokens)
        if found.probability > 0 and tokens >= policy.min_prefix_tokens:
            warm[target.index] = Warm(tokens, found.probability)
    return Affinity(conversation, policy, warm)


def warmth(
    target: Target, state: TargetState, place: Place, conversation: Conversation, policy: AffinityPolicy
) -> Warm:
    """How many tokens may be warm at a place now, and the chance of it."""
    habit = target.prompt_cache
    if habit.by_mark and not conversation.marked:
        return COLD
    tokens = place.cached_tokens if habit.by_mark else place.prefix_tokens
    if tokens < habit.tokens_min:
        return COLD
    ttl_s = policy.ttl_s or (habit.long_ttl_s if place.long else habit.ttl_s)
    age_s = max(0.0, (conversation.now_us - place.used_at_us) / 1e6)
    return Warm(tokens, state.caching.rate(habit.prior) * kept_share(habit, age_s, ttl_s))


def effective_cost(field: Field, affinity: Affinity | None, index: int, cost: int) -> int:
    """What a candidate is expected to cost really, in the unit of `RoutingTable.costs`.

    A reserved target with room costs nothing more. A warm prefix is billed at the cached price; where
    caches are written by mark, everything else of the prompt at the price of writing.
    """
    if index in field.free:
        return 0
    if affinity is None or cost >= UNKNOWN_COST:
        return cost
    target = field.table.targets[index]
    input_tokens = field.eligible.sizes.input_tokens
    rates = rates_for(target.offering.prices, input_tokens)
    if rates.input is None:
        return cost
    warm = affinity.warm.get(index, COLD)
    expected = min(warm.tokens, input_tokens) * warm.probability
    if rates.cached_read is not None:
        cost -= int(expected * (rates.input - rates.cached_read))
    if target.prompt_cache.by_mark and affinity.conversation.marked and rates.cache_write is not None:
        cost += int((input_tokens - expected) * (rates.cache_write - rates.input))
    return max(0, cost)


def effective_costs(field: Field, affinity: Affinity | None, indices: Iterable[int]) -> list[int]:
    """The same for several candidates."""
    listed = list(indices)
    plain = field.table.costs(listed, *field.eligible.sizes)
    return [effective_cost(field, affinity, x, cost) for x, cost in zip(listed, plain, strict=True)]


def _cheaper(field: Field, affinity: Affinity, stays: int, goes: int) -> bool:
    """Whether the other place costs clearly less although it is cold: then no cache is lost by going."""
    here, there = effective_costs(field, affinity, (stays, goes))
    return there < UNKNOWN_COST and there < here * (1 - affinity.policy.min_gain)


def _better(field: Field, affinity: Affinity, stays: int, goes: int) -> bool:
    here, there = field.table.qualities[stays] or 0.0, field.table.qualities[goes] or 0.0
    return there - here >= affinity.policy.quality_gain or _cheaper(field, affinity, stays, goes)


def _quicker(field: Field, affinity: Affinity, stays: int, goes: int) -> bool:
    here_s, there_s = (field.live.targets[index].expected_load(field.now) for index in (stays, goes))
    return here_s > there_s * affinity.policy.latency_factor


def _never(field: Field, affinity: Affinity, stays: int, goes: int) -> bool:  # noqa: ARG001 - a rule
    """Weights share out conversations, not requests."""
    return False


LeavesFor = Callable[[Field, Affinity, int, int], bool]
LEAVES_FOR: dict[str, LeavesFor] = {"quality": _better, "latency": _quicker, "weighted": _never}
"""By strategy: whether a warm incumbent is left for the strategy's own first choice. Others: when cheaper."""

BY_COST = frozenset({"cost", "cost_per_quality"})
"""Strategies whose whole order is by cost."""
BALANCED = "balanced"
"""Weighs the cost itself, beside other things, and so contains the cost of moving (`strategies`)."""


def settled_order(
    field: Field,
    strategy_name: str,
    affinity: Affinity | None,
    plain: Iterator[int],
    usable: Callable[[int], bool],
) -> Iterator[int]:
    """A strategy's order with the conversation's place and reserved capacity taken into account.

    Yields exactly the candidates of `plain`, each once.
    """
    if strategy_name in BY_COST:
        return _by_effective_cost(field, strategy_name, affinity, plain, usable)
    if affinity is None or strategy_name == BALANCED:
        return plain
    return _with_incumbent(field, strategy_name, affinity, plain, usable)


def _by_effective_cost(
    field: Field,
    strategy_name: str,
    affinity: Affinity | None,
    plain: Iterator[int],
    usable: Callable[[int], bool],
) -> Iterator[int]:
    passed: list[int] = []
    window: list[int] = []
    for index in plain:
        (window if usable(index) else passed).append(index)
        if len(window) >= LOOKED_AT_MAX:
            break
    known = set(window)
    known.update(passed)
    special = [*(affinity.warm if affinity is not None else ()), *islice(field.free, RESERVED_LOOKED_AT_MAX)]
    for index in special:
        if index not in known and usable(index):
            known.add(index)
            window.append(index)
    stays = affinity.worth_staying(usable) if affinity is not None else None
    ranks: dict[int, float] = {}
    for index, cost in zip(window, effective_costs(field, affinity, window), strict=True):
        rank = float(cost)
        if strategy_name == "cost_per_quality":
            quality = field.table.qualities[index]
            rank = min(cost / quality, float(UNKNOWN_COST)) if quality else float(UNKNOWN_COST)
        if index == stays and affinity is not None:
            rank *= 1 - affinity.policy.min_gain
        ranks[index] = rank
    yield from sorted(window, key=ranks.__getitem__)
    yield from passed
    yield from (index for index in plain if index not in known)


def _with_incumbent(
    field: Field,
    strategy_name: str,
    affinity: Affinity,
    plain: Iterator[int],
    usable: Callable[[int], bool],
) -> Iterator[int]:
    stays = affinity.worth_staying(usable)
    if stays is None:
        yield from plain
        return
    passed: list[int] = []
    for index in plain:
        passed.append(index)
        if usable(index):
            break
    first = passed[-1]
    if first == stays or LEAVES_FOR.get(strategy_name, _cheaper)(field, affinity, stays, first):
        stays = -1
    else:
        yield stays
    yield from (index for index in passed if index != stays)
    yield from (index for index in plain if index != stays)


def verdict(
    field: Field, affinity: Affinity, chosen: Target, why_not: Callable[[int], str | None]
) -> Verdict:
    """Compares a plan's first choice with where the conversation was.

    `why_not` says in a few words why a candidate cannot be used now; None when it can.
    """
    places = affinity.conversation.places
    if not places:
        return Verdict(NEW, f"{chosen.id}: first answer of this conversation")
    last = places[0]
    known = field.table.by_id.get(last.target_id)
    warm = COLD if known is None else affinity.warm.get(known.index, COLD)
    if last.target_id == chosen.id:
        if warm.probability < WARM_MIN:
            return Verdict(KEPT, f"{chosen.id}: again first choice, no warm prefix to weigh")
        saved = _saved(field, affinity, chosen.index)
        worth = f", worth {format_usd(saved)} USD" if saved else ""
        return Verdict(
            KEPT, f"{chosen.id}: {warm.tokens} prefix tokens warm with p {warm.probability:.2f}{worth}"
        )
    why = _why_left(field, affinity, known, warm, why_not)
    return Verdict(MOVED, f"{chosen.id}: {why}")


def _why_left(
    field: Field,
    affinity: Affinity,
    known: Target | None,
    warm: Warm,
    why_not: Callable[[int], str | None],
) -> str:
    last = affinity.conversation.places[0]
    if known is None:
        return f"{last.target_id} no longer exists"
    if not field.eligible.mask >> known.index & 1:
        return f"{last.target_id} does not satisfy this request"
    reason = why_not(known.index)
    if reason is not None:
        return f"{last.target_id} cannot be used: {reason}"
    if warm.probability >= WARM_MIN:
        return f"better than {last.target_id} by more than its {warm.tokens} warm tokens are worth"
    if warm.tokens:
        return f"the prefix at {last.target_id} is probably cold (p {warm.probability:.2f})"
    return f"no warm prefix worth weighing at {last.target_id}"


def _saved(field: Field, affinity: Affinity, index: int) -> int:
    """Nano-dollars that the warm prefix of a candidate is expected to save now."""
    warm = affinity.warm.get(index, COLD)
    rates = rates_for(field.table.targets[index].offering.prices, field.eligible.sizes.input_tokens)
    if rates.input is None or rates.cached_read is None:
        return 0
    gap = max(0, rates.input - rates.cached_read)
    return int(warm.tokens * warm.probability * gap) // TOKENS_PER_PRICE_UNIT
