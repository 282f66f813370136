"""What is known, for each tenant and route, of how often similar questions have the same answer."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from application.ports.keepsakes import Learned
from domain.caching.guards import different_readings
from domain.caching.observed_rates import ObservedRates
from domain.caching.pair_features import Features, lexical
from domain.caching.policy import CacheMode, CachePolicy
from domain.caching.prior import Prior
from domain.caching.reading import Reading, read
from domain.caching.verified import VerifiedModel

log = logging.getLogger("interchange")

SUBJECTS_MAX: Final = 4_096
"""Models kept; the one that was used longest ago goes, and its route begins from the prior again."""
READINGS_KEPT: Final = 8_192
_RATES: Final = 9
"""Numbers of a subject beside its model's."""

Subject = tuple[str, str]
"""(tenant, route)"""


class Judged(NamedTuple):
    """`serve`: the answer is right with the certainty that the route wants. Without `features` there is
    nothing to be learned from the pair."""

    features: Features
    guarded: str
    serve: bool
    p_low: float = 0.0
    reason: str = ""


@dataclass(slots=True)
class Standing:
    """Of one tenant's route. `rates` are hits on similar questions, real ones or those `observe` would have
    served, since the rule by which answers are served is what it is; `exact_hits` and `saved_nano_usd` are
    forecasts of `observe` alone."""

    model: VerifiedModel
    rates: ObservedRates = field(default_factory=ObservedRates)
    error_rate: float = 0.01
    likeness: float = 0.0
    """The similarity that alone decides in mode `threshold`; 0: the model does."""
    exact_hits: int = 0
    saved_nano_usd: int = 0


class VerifiedBook:
    """Belongs to one event loop."""

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self._standings: OrderedDict[Subject, Standing] = OrderedDict()

    def standing(self, subject: Subject) -> Standing | None:
        """None: nothing was asked or learned there."""
        return self._standings.get(subject)

    def subjects(self) -> Sequence[Subject]:
        return tuple(self._standings)

    def standings(self) -> Sequence[tuple[Subject, Standing]]:
        return tuple(self._standings.items())

    def judge(
        self,
        subject: Subject,
        policy: CachePolicy,
        *,
        new: str,
        kept: str,
        similarity: float,
        margin: float | None,
        only_asking: bool = False,
    ) -> Judged:
        """Whether the answer to `kept` may be given to `new`. `only_asking`: nothing is changed by it."""
        new_reading, kept_reading = _read(new), _read(kept)
        guarded = "" if new == kept else different_readings(new_reading, kept_reading)
        features = lexical(new_reading, kept_reading, similarity, margin)
        if only_asking:
            standing = self._standings.get(subject) or Standing(VerifiedModel(self._prior))
        else:
            standing = self._standing(subject)
            _apply(policy, standing)
        aside = only_asking or policy.mode is CacheMode.THRESHOLD
        verdict = standing.model.decide(features, guarded, policy.error_rate, only_asking=aside)
        return Judged(features, guarded, verdict.serve, verdict.p_low, verdict.reason)

    def looked(self, subject: Subject) -> None:
        """Counts a question that similar ones were looked for."""
        self._standing(subject).rates.note_question()

    def served(self, subject: Subject) -> None:
        """Counts a hit."""
        self._standing(subject).rates.note_hit()

    def would_have_served(self, subject: Subject, cost_nano_usd: int | None, *, exact: bool) -> None:
        """Counts what `observe` would have answered from the cache."""
        standing = self._standing(subject)
        standing.saved_nano_usd += cost_nano_usd or 0
        if exact:
            standing.exact_hits += 1
        else:
            standing.rates.note_hit()

    def learn(self, subject: Subject, features: Features, *, same: bool, audit: bool) -> None:
        """Takes one comparison into account. `audit`: its pair was a hit, or would have been one."""
        standing = self._standing(subject)
        # What likeness alone served says nothing about what the model would have.
        measures = audit and not standing.likeness
        standing.model.learn(features, same=same, audit=measures, error_rate=standing.error_rate)
        if audit:
            standing.rates.note_audit(same=same)

    def unjudged(self, subject: Subject) -> None:
        """Counts an audited hit of which nobody could say whether it was right."""
        self._standing(subject).rates.note_unjudged()

    def learned(self) -> list[Learned]:
        """Everything, as numbers."""
        return [
            Learned(
                tenant_id,
                route,
                (
                    each.error_rate,
                    each.likeness,
                    float(each.exact_hits),
                    float(each.saved_nano_usd),
                    *map(float, each.rates.as_numbers()),
                    *each.model.as_numbers(),
                ),
            )
            for (tenant_id, route), each in self._standings.items()
        ]

    def take_up(self, learned: Sequence[Learned]) -> None:
        """Goes on from what an earlier process learned; what another version wrote is left out."""
        for tenant_id, route, numbers in learned[:SUBJECTS_MAX]:
            try:
                error_rate, likeness, exact_hits, saved = numbers[:4]
                self._standings[tenant_id, route] = Standing(
                    VerifiedModel.from_numbers(self._prior, numbers[_RATES:]),
                    ObservedRates.from_numbers(numbers[4:_RATES]),
                    error_rate,
                    likeness,
                    int(exact_hits),
                    int(saved),
                )
            except ValueError as error:
                log.warning("what was learned of route %s cannot be used: %s", route, error)

    def _standing(self, subject: Subject) -> Standing:
        found = self._standings.get(subject)
        if found is None:
            found = self._standings[subject] = Standing(VerifiedModel(self._prior))
            if len(self._standings) > SUBJECTS_MAX:
                self._standings.popitem(last=False)
        else:
            self._standings.move_to_end(subject)
        return found


def _apply(policy: CachePolicy, standing: Standing) -> None:
    """Under another rule, the errors that were measured say nothing any more."""
    likeness = policy.similarity_threshold if policy.mode is CacheMode.THRESHOLD else 0.0
    if (policy.error_rate, likeness) != (standing.error_rate, standing.likeness):
        if standing.rates.hits or standing.rates.audited:
            standing.rates = ObservedRates(looked_for=1)
        standing.error_rate, standing.likeness = policy.error_rate, likeness


@lru_cache(maxsize=READINGS_KEPT)
def _read(text: str) -> Reading:
    return read(text)
