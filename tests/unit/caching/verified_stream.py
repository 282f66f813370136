"""A made-up stream of pairs whose true chance of being right is known, for tests of the verified decision."""

import math
import random
from functools import cache
from typing import NamedTuple

from domain.caching.observed_rates import ObservedRates
from domain.caching.pair_features import LEXICAL, Features
from domain.caching.prior import Prior
from domain.caching.prior_minilm import MINILM
from domain.caching.verified import TRUE_LABELS, LabelNoise, VerifiedModel

MARGIN = LEXICAL.index("margin")


class Truth(NamedTuple):
    """How the world differs from the prior: log-odds are `slope * prior + shift`."""

    slope: float = 1.0
    shift: float = 0.0


AS_LEARNED = Truth()


def some_features(chance: random.Random) -> Features:
    """A pair somewhere between equal and unlike, in what the prior was learned with."""
    level = chance.random()
    row = [
        mean + (chance.gauss(0, 0.4) + (level - 0.5)) / scale * 0.5
        for mean, scale in zip(MINILM.means, MINILM.scales, strict=True)
    ]
    row[LEXICAL.index("distance")] = 2 * (0.25 * (1 - level))
    row[LEXICAL.index("distance_root")] = 2 * (0.25 * (1 - level)) ** 0.5
    row[MARGIN] = 1.5 * level
    return tuple(row)


class Pair(NamedTuple):
    """What a model is shown; the prior's log-odds of it; and what decides whether it is right, 0 to 1."""

    features: Features
    odds: float
    chance: float


class Pairs:
    """Those of one seed, in their order: made once, as many runs see the same."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._made: list[Pair] = []

    def __getitem__(self, number: int) -> Pair:
        while number >= len(self._made):
            features = some_features(self._chance)
            self._made.append(Pair(features, MINILM.log_odds(features), self._chance.random()))
        return self._made[number]


pairs = cache(Pairs)
_rows: dict[Features, tuple[float, ...]] = {}


class RememberingPrior(Prior):
    """MiniLM's, which works out what is read of a pair once: deciding and learning ask for the same."""

    def row(self, features: Features) -> tuple[float, ...]:
        found = _rows.get(features)
        if found is None:
            found = _rows[features] = super().row(features)
        return found


REMEMBERING = RememberingPrior(*MINILM)


def forget_pairs() -> None:
    """Tens of megabytes, when no more runs follow."""
    pairs.cache_clear()
    _rows.clear()


class Run:
    """Feeds a model with pairs as the product does: what is not served is labelled, hits by chance."""

    def __init__(
        self,
        error_rate: float,
        seed: int,
        *,
        noise: LabelNoise = TRUE_LABELS,
        audit_share: float = 0.1,
        serves: bool = True,
    ) -> None:
        self.model = VerifiedModel(REMEMBERING, noise)
        self.rates = ObservedRates()
        self.wrong = 0
        self._error_rate = error_rate
        self._noise = noise
        self._audit_share = audit_share
        self._serves = serves
        self._pairs = pairs(seed)
        self._shown = 0
        # Beside the pairs: what is served is another thing in each run, which pairs come is not.
        self._chance = random.Random(f"labels of {seed}")

    def go(self, steps: int, truth: Truth = AS_LEARNED) -> "Run":
        chance = self._chance
        for _ in range(steps):
            features, expected, decides = self._pairs[self._shown]
            self._shown += 1
            odds = truth.slope * expected + truth.shift
            same = decides < 1 / (1 + math.exp(-odds))
            flipped = self._noise.called_wrong if same else self._noise.called_right
            called = same != (chance.random() < flipped)
            self.rates.note_question()
            served = self.model.decide(features, "", self._error_rate).serve
            if served:
                self.rates.note_hit()
                self.wrong += not same
            audited = served and (not self._serves or chance.random() < self._audit_share)
            if audited:
                self.rates.note_audit(same=called)
            if audited or not served:
                self.model.learn(features, same=called, audit=audited, error_rate=self._error_rate)
        return self

    @property
    def error_rate(self) -> float:
        return self.wrong / self.rates.hits if self.rates.hits else 0.0
