"""All rules, over one tenant's facts."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

from domain.analytics.budget_advice import budgets
from domain.analytics.costs import analytics_id
from domain.analytics.facts import Facts
from domain.analytics.moves import moves
from domain.analytics.recommendation import (
    SENTENCE_CHARS_MAX,
    Advice,
    Recommendation,
    Status,
    most_worth,
    optimization_id,
)
from domain.analytics.spending_advice import batches, commitments, outliers, reserved_capacity
from domain.analytics.upkeep_advice import caches, output_limits, prompt_caches, unreliable, unused

Rule = Callable[[Facts], Iterable[Advice]]

RULES: Final[tuple[Rule, ...]] = (
    moves,
    caches,
    prompt_caches,
    output_limits,
    unused,
    unreliable,
    batches,
    commitments,
    reserved_capacity,
    budgets,
    outliers,
)


def recommendations_of(facts: Facts, now_us: int) -> list[Recommendation]:
    """What every rule found, as new and open; those that save most first, a bounded number."""
    found = most_worth(chain.from_iterable(rule(facts) for rule in RULES))
    return [_recommended(facts, advice, now_us) for advice in found]


def _recommended(facts: Facts, advice: Advice, now_us: int) -> Recommendation:
    return Recommendation(
        optimization_id=optimization_id(facts.tenant_id, advice.kind, advice.subject),
        tenant_id=facts.tenant_id,
        analytics_id=analytics_id(facts.tenant_id, advice.integration_id, facts.from_us, facts.to_us),
        kind=advice.kind,
        subject=advice.subject,
        sentence=advice.sentence[:SENTENCE_CHARS_MAX],
        evidence=advice.evidence,
        saving=advice.saving,
        status=Status.OPEN,
        created_at_us=now_us,
        seen_at_us=now_us,
    )
