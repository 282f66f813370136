"""Ways to reuse answers, each against the same stream: a plain threshold, and the product's verified mode."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from benchmarks.semantic.questions import Asked, Pair
from benchmarks.semantic.stream import Line, Near
from domain.caching.guards import different_readings, why_not_similar
from domain.caching.observed_rates import ObservedRates
from domain.caching.pair_features import Features, lexical
from domain.caching.policy import CacheMode, CachePolicy
from domain.caching.reading import read
from domain.caching.verified import VerifiedModel, candidate_similarity

AUDIT_SHARE: Final = 0.02


class Outcome(NamedTuple):
    """`oracle`: those asked of which an earlier one has the same answer."""

    asked: int
    oracle: int
    hits: int
    wrong: int

    def plus(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.asked + other.asked,
            self.oracle + other.oracle,
            self.hits + other.hits,
            self.wrong + other.wrong,
        )


NOTHING: Final = Outcome(0, 0, 0, 0)


class Reuse(Protocol):
    def choose(self, asked: Asked, near: Callable[[float], list[Near]]) -> Asked | None:
        """Whose answer is served; None: nobody's. `near` looks for candidates from a similarity on."""
        ...

    def takes(self, pair: Pair, similarity: float) -> bool:
        """Whether the answer to the one is served for the other, with nothing else kept."""
        ...


class Threshold(Reuse):
    """Whatever is similar enough."""

    def __init__(self, similarity_min: float) -> None:
        self._similarity_min = similarity_min

    def choose(self, _: Asked, near: Callable[[float], list[Near]]) -> Asked | None:
        found = near(self._similarity_min)
        return found[0].asked if found else None

    def takes(self, pair: Pair, similarity: float) -> bool:
        return pair.new == pair.kept or similarity >= self._similarity_min


class Verified(Reuse):
    """The product's own decision. `learns`: every fresh answer is compared with the candidate that was not
    served, and a share of the hits is audited, as the product does; labels are the data's, noise included."""

    def __init__(self, model: VerifiedModel, error_rate: float, *, learns: bool, seed: int = 0) -> None:
        self.model = model
        self.rates = ObservedRates()
        self.reasons: Counter[str] = Counter()
        self._policy = CachePolicy(mode=CacheMode.VERIFIED, error_rate=error_rate)
        self._learns = learns
        self._chance = random.Random(seed)

    def choose(self, asked: Asked, near: Callable[[float], list[Near]]) -> Asked | None:
        if why_not_similar(asked.text, 0, self._policy):
            return None
        self.rates.note_question()
        candidate: tuple[Near, Features] | None = None
        for each in near(candidate_similarity(self._policy)):
            features, guarded = self._pair(asked.text, each.asked.text, each.similarity, each.margin)
            verdict = self.model.decide(features, guarded, self._policy.error_rate)
            self.reasons[verdict.reason] += 1
            if verdict.serve:
                self.rates.note_hit()
                if self._learns and self._chance.random() < AUDIT_SHARE:
                    self._learn(asked, each, features, audit=True)
                return each.asked
            if not guarded and candidate is None:
                candidate = each, features
        if candidate is not None and self._learns:
            self._learn(asked, *candidate, audit=False)
        return None

    def _learn(self, asked: Asked, near: Near, features: Features, *, audit: bool) -> None:
        same = asked.cluster == near.asked.cluster
        self.model.learn(features, same=same, audit=audit, error_rate=self._policy.error_rate)
        if audit:
            self.rates.note_audit(same=same)

    def takes(self, pair: Pair, similarity: float) -> bool:
        if pair.new == pair.kept:
            return True  # an exact hit
        if similarity < candidate_similarity(self._policy):
            return False
        if why_not_similar(pair.new, 0, self._policy) or why_not_similar(pair.kept, 0, self._policy):
            return False
        features, guarded = self._pair(pair.new, pair.kept, similarity, None)
        return self.model.decide(features, guarded, self._policy.error_rate).serve

    @staticmethod
    def _pair(new: str, kept: str, similarity: float, margin: float | None) -> tuple[Features, str]:
        one, other = read(new), read(kept)
        return lexical(one, other, similarity, margin), different_readings(one, other)


def replay(line: Line, reuse: Reuse, counted: frozenset[int]) -> Outcome:
    """Every question once: served from what is kept, or kept itself. Those of `counted` clusters count."""
    kept: list[bool] = []
    asked_count = hits = wrong = 0
    seen: set[int] = set()
    for number, asked in enumerate(line.stream):
        chosen = reuse.choose(asked, lambda least, number=number: line.nearest(number, kept, least))  # type: ignore[misc]
        kept.append(chosen is None)
        if asked.cluster in counted:
            asked_count += 1
            seen.add(asked.cluster)
            hits += chosen is not None
            wrong += chosen is not None and chosen.cluster != asked.cluster
    return Outcome(asked_count, asked_count - len(seen), hits, wrong)


def served_pairs(pairs: Sequence[tuple[Pair, float]], fresh: Callable[[], Reuse]) -> list[tuple[Pair, bool]]:
    """Each pair by itself, against a model that has learned nothing from the others."""
    reuse = fresh()
    return [(pair, reuse.takes(pair, similarity)) for pair, similarity in pairs]
