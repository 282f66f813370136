"""What was saved against a declared model: what the same requests would have cost there, less what they did.

One request that a model answered, with A its bill, P what the provider's prompt cache took off it, and B the
baseline's bill for the same tokens without any cache:

    routing += B - (A + P)        prompt caching += P

One that an earlier or shared answer served, which had cost S when it was made, and would have cost S x r on
the baseline (r = B / (A + P) over the model's other requests of the route):

    routing += S x (r - 1)        caching or coalescing += S

Calls beside requests (audits, refreshes) are what caching costs: caching -= A. So the parts add up to the
baseline's bill less everything that was spent on what is counted. A failed request has a bill and no tokens
of its own: it is a loss of routing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from domain.analytics.estimate import NOTHING, Estimate, exactly
from domain.analytics.rollup import RollupSums
from domain.analytics.token_ratios import SAME, Tokens
from domain.caching.effect import HIT_KINDS, SHADOW, HitKind
from domain.catalog.prices import PriceTable, rates_for
from domain.money import ceil_to_nano

COUNTED: Final = frozenset({"chat", "completion"})
"""Operations a baseline stands for; it embeds nothing, paints nothing and calls no tools."""
BESIDE: Final = frozenset({"audit", "refresh"})
NOBODYS: Final = BESIDE | {SHADOW}
"""Calls that answered no caller."""


class NotCounted(Enum):
    """Why requests are in no sum."""

    SHADOWS = "shadows"
    """Copies for shadows of experiments: nobody was answered by them."""
    TOOLS = "tools"
    OTHER_OPERATIONS = "other_operations"
    """Embeddings, pictures, sound, reranking: the baseline is a model for text."""
    NO_BASELINE = "no_baseline"
    """None is declared for the route, or it is not configured."""
    BASELINE_UNPRICED = "baseline_unpriced"
    UNPRICED_REQUESTS = "unpriced_requests"
    UNPRICED_HITS = "unpriced_hits"
    OWN_CREDENTIALS = "own_credentials"
    """Callers paid their providers themselves."""


class Baseline(NamedTuple):
    """The declared model. `provider` and `model` as rows name them."""

    id: str
    provider: str
    model: str
    prices: PriceTable


class Group(NamedTuple):
    """Sums of requests that share these."""

    route: str
    operation: str
    provider: str
    model: str
    cache: str
    sums: RollupSums


class Left(NamedTuple):
    """What is not counted, of one kind."""

    requests: int
    cost_nano_usd: int


@dataclass(slots=True)
class BaselineSavings:
    """Of one route, or of all. The four parts add up to `total`."""

    requests: int = 0
    spent_nano_usd: int = 0
    baseline: Estimate = NOTHING
    routing: Estimate = NOTHING
    caching_nano_usd: int = 0
    coalescing_nano_usd: int = 0
    prompt_caching_nano_usd: int = 0
    beside_requests: int = 0
    """Audits and refreshes."""
    beside_nano_usd: int = 0
    """What they cost; taken off caching."""
    hits_at_own_price: int = 0
    """Hits of models that nothing else on the route was compared by: counted as what their answers cost."""
    observed_requests: int = 0
    """Requests behind measured ratios of tokens; 0: the ratio is assumed throughout."""

    @property
    def total(self) -> Estimate:
        return self.routing.plus(
            exactly(self.caching_nano_usd + self.coalescing_nano_usd + self.prompt_caching_nano_usd)
        )

    @property
    def share(self) -> float | None:
        """Of what all of it would have cost on the baseline; None: nothing."""
        whole = self.baseline.expected
        return self.total.expected / whole if whole > 0 else None

    def add(self, other: "BaselineSavings") -> None:
        """Counts what another one counts."""
        self.requests += other.requests
        self.spent_nano_usd += other.spent_nano_usd
        self.baseline = self.baseline.plus(other.baseline)
        self.routing = self.routing.plus(other.routing)
        self.caching_nano_usd += other.caching_nano_usd
        self.coalescing_nano_usd += other.coalescing_nano_usd
        self.prompt_caching_nano_usd += other.prompt_caching_nano_usd
        self.beside_requests += other.beside_requests
        self.beside_nano_usd += other.beside_nano_usd
        self.hits_at_own_price += other.hits_at_own_price
        self.observed_requests = max(self.observed_requests, other.observed_requests)


@dataclass(slots=True)
class AgainstBaseline:
    """All of it: per route with the baseline's id, and what is in no sum."""

    routes: dict[str, tuple[str, BaselineSavings]] = field(default_factory=dict)
    not_counted: dict[NotCounted, Left] = field(default_factory=dict)

    @property
    def total(self) -> BaselineSavings:
        total = BaselineSavings()
        for _, each in self.routes.values():
            total.add(each)
        return total

    def leave(self, why: NotCounted, requests: int, cost_nano_usd: int) -> None:
        """Counts what is not counted."""
        if requests:
            known = self.not_counted.get(why, Left(0, 0))
            self.not_counted[why] = Left(known.requests + requests, known.cost_nano_usd + cost_nano_usd)


RatioOf = Callable[[str, tuple[str, str], tuple[str, str]], Tokens]
"""(route, this model, the other model) as (provider, model)."""
BaselineOf = Callable[[str], Baseline | None]


def token_cost(prices: PriceTable, requests: int, input_tokens: int, output_tokens: int) -> int | None:
    """What so many tokens in so many requests cost without any cache, nano-dollars; None: no price is known.

    The tier is that of a request of the mean size: sums do not tell which requests were longer.
    """
    rates = rates_for(prices, input_tokens // requests if requests else 0)
    if (input_tokens and rates.input is None) or (output_tokens and rates.output is None):
        return None
    tokens = input_tokens * (rates.input or 0) + output_tokens * (rates.output or 0)
    return ceil_to_nano(tokens) + prices.per_request * requests


def cost_elsewhere(prices: PriceTable, sums: RollupSums, tokens: Tokens) -> Estimate | None:
    """What other prices would have made of these requests, with the tokens that model would have counted."""
    found: list[int] = []
    for name in ("low", "expected", "high"):
        read = round(sums.input_tokens * getattr(tokens.input, name))
        wrote = round(sums.output_tokens * getattr(tokens.output, name))
        cost = token_cost(prices, sums.requests, read, wrote)
        if cost is None:
            return None
        found.append(cost)
    return Estimate(*found)


def against_baseline(
    groups: Iterable[Group],
    baseline_of: BaselineOf,
    ratio_of: RatioOf,
    *,
    own_credentials: Mapping[tuple[str, str, str, str, str], RollupSums] | None = None,
) -> AgainstBaseline:
    """`own_credentials`: of the same groups, the part that callers paid themselves."""
    found, hits, seen = AgainstBaseline(), list[Group](), _Ratios()
    for group in groups:
        group = _without(found, group, own_credentials or {})
        sums = group.sums
        why = _left_out(group, baseline_of(group.route))
        if why is not None:
            found.leave(why, sums.requests, sums.attempt_cost_nano_usd)
        elif group.cache in BESIDE:
            _count_beside(_of_route(found, group.route, baseline_of), sums)
        elif group.cache in HIT_KINDS:
            hits.append(group)
        elif sums.requests:
            _count_answered(found, group, baseline_of, ratio_of, seen)
    for group in hits:
        _count_hits(found, group, baseline_of, seen)
    return found


def _left_out(group: Group, baseline: Baseline | None) -> NotCounted | None:
    if group.cache == SHADOW:
        return NotCounted.SHADOWS
    if group.operation == "tool":
        return NotCounted.TOOLS
    if group.operation not in COUNTED:
        return NotCounted.OTHER_OPERATIONS
    if baseline is None:
        return NotCounted.NO_BASELINE
    return None if baseline.prices.known else NotCounted.BASELINE_UNPRICED


def _without(
    found: AgainstBaseline, group: Group, own: Mapping[tuple[str, str, str, str, str], RollupSums]
) -> Group:
    paid = own.get(group[:5])
    if paid is None:
        return group
    found.leave(NotCounted.OWN_CREDENTIALS, paid.requests, paid.attempt_cost_nano_usd)
    return group._replace(sums=RollupSums(*(a - b for a, b in zip(group.sums, paid, strict=True))))


def _of_route(found: AgainstBaseline, route: str, baseline_of: BaselineOf) -> BaselineSavings:
    if route not in found.routes:
        baseline = baseline_of(route)
        assert baseline is not None, "without one it is not counted"
        found.routes[route] = (baseline.id, BaselineSavings())
    return found.routes[route][1]


def _count_beside(line: BaselineSavings, sums: RollupSums) -> None:
    line.beside_requests += sums.requests
    line.beside_nano_usd += sums.attempt_cost_nano_usd
    line.spent_nano_usd += sums.attempt_cost_nano_usd
    line.caching_nano_usd -= sums.attempt_cost_nano_usd


def _count_answered(
    found: AgainstBaseline, group: Group, baseline_of: BaselineOf, ratio_of: RatioOf, seen: "_Ratios"
) -> None:
    sums = priced_part(group.sums)
    found.leave(
        NotCounted.UNPRICED_REQUESTS,
        group.sums.unpriced_requests,
        group.sums.attempt_cost_nano_usd - group.sums.cost_nano_usd,
    )
    if not sums.requests:
        return
    baseline = baseline_of(group.route)
    assert baseline is not None, "without one it is not counted"
    this, other = (group.provider, group.model), (baseline.provider, baseline.model)
    tokens = ratio_of(group.route, this, other) if group.provider else SAME
    there = cost_elsewhere(baseline.prices, sums, tokens)
    assert there is not None, "a baseline without prices is not counted"
    plain = sums.cost_nano_usd + sums.prompt_cache_saved_nano_usd
    line = _of_route(found, group.route, baseline_of)
    line.requests += sums.requests
    line.spent_nano_usd += sums.cost_nano_usd
    line.baseline = line.baseline.plus(there)
    line.routing = line.routing.plus(there.less(plain))
    line.prompt_caching_nano_usd += sums.prompt_cache_saved_nano_usd
    line.observed_requests = max(line.observed_requests, tokens.input.observed, tokens.output.observed)
    seen.note(group, there, plain)


def priced_part(sums: RollupSums) -> RollupSums:
    """The part with a known price. Tokens are told for all of them together, so theirs are the same share."""
    priced = sums.requests - sums.unpriced_requests
    if priced == sums.requests:
        return sums
    share = priced / sums.requests
    return sums._replace(
        requests=priced,
        input_tokens=round(sums.input_tokens * share),
        output_tokens=round(sums.output_tokens * share),
        unpriced_requests=0,
    )


def _count_hits(found: AgainstBaseline, group: Group, baseline_of: BaselineOf, seen: "_Ratios") -> None:
    sums = group.sums
    found.leave(NotCounted.UNPRICED_HITS, sums.unpriced_hits, 0)
    known = sums.requests - sums.unpriced_hits
    if known <= 0:
        return
    line = _of_route(found, group.route, baseline_of)
    there = seen.applied(group, sums.saved_nano_usd)
    if there is None:
        line.hits_at_own_price += known
        there = exactly(sums.saved_nano_usd)
    line.requests += known
    line.baseline = line.baseline.plus(there)
    line.routing = line.routing.plus(there.less(sums.saved_nano_usd))
    # What hits themselves cost (an embedding of a question) is spent all the same.
    line.spent_nano_usd += sums.cost_nano_usd
    gained = sums.saved_nano_usd - sums.cost_nano_usd
    if HIT_KINDS[group.cache] is HitKind.COALESCED:
        line.coalescing_nano_usd += gained
    else:
        line.caching_nano_usd += gained


class _Ratios:
    """The baseline's bill by the model's own, of what models answered on each route."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], tuple[Estimate, int]] = {}

    def note(self, group: Group, there: Estimate, plain: int) -> None:
        place = (group.route, group.provider, group.model)
        known, cost = self._known.get(place, (NOTHING, 0))
        self._known[place] = (known.plus(there), cost + plain)

    def applied(self, group: Group, amount: int) -> Estimate | None:
        known, cost = self._known.get((group.route, group.provider, group.model), (NOTHING, 0))
        if cost <= 0:
            return None
        return Estimate(*(part * amount // cost for part in known))
