"""Whether the answer to one question may be given to another: a model that learns, held to what is measured.

One model for each (tenant, route), pooled over all its questions, because most questions are seen twice at
most. It starts from a prior that was learned elsewhere (`domain.caching.prior`): a small network reads the
features and gives log-odds; those and a few features feed a Bayesian logistic regression, whose Gaussian
posterior follows every label by one rank-one (Laplace) update. What is served hangs on the *lower* bound of
P(right), so what the model has not seen, it does not dare.

Three things keep the share of wrong answers among hits below what the route accepts:
every hit's own risk is bounded; so is the mean of what is served, where enough was seen to know it; and
audited hits move a margin: a wrong one makes it stricter at once, right ones relax it slowly, so that the
measured share stays below the accepted one even where the model is wrong (adaptive conformal inference,
Gibbs and Candès 2021, with a margin in log-odds).
"""

import math
from operator import mul
from typing import Final, NamedTuple

from domain.caching.pair_features import Features
from domain.caching.policy import CacheMode, CachePolicy
from domain.caching.prior import Prior

LOWER_BOUND_Z: Final = 1.0
"""Deviations of the score below its mean."""
CANDIDATE_SLACK: Final = 0.15
"""How far below the configured similarity candidates are looked at: similarity alone decides nothing."""
WARM_LABELS: Final = 100
WARM_SEEN: Final = 100.0
RISK_MAX: Final = 5.0
"""Times the accepted rate: what one hit may risk at most."""
MEAN_SHARE: Final = 0.8
MEAN_SHARE_MIN: Final = 0.4
"""Of the accepted rate: what hits may risk on average. The fewer hits there are, the more of the rate is left
to chance, so that what is measured over them stays below it."""
STRICTER: Final = 0.5
"""Log-odds that one wrong audited hit costs."""
STRICTNESS_MAX: Final = 6.0
FORGET: Final = 0.9998
"""Per label: what was learned thousands of labels ago counts less, so that the model follows its traffic."""
SEEN_MAX: Final = 4_000.0
LOG_ODDS_MAX: Final = 8.0
_BINS: Final = 40
_BIN_WIDTH: Final = 0.25
"""Of the natural logarithm of risk, downwards from 1."""
_EDGES: Final = tuple(math.exp(-_BIN_WIDTH * number) for number in range(_BINS))
"""The greatest risk in each bin."""


class LabelNoise(NamedTuple):
    """How often labels are wrong: the share of right pairs that are called wrong, of wrong called right."""

    called_wrong: float = 0.0
    called_right: float = 0.0


TRUE_LABELS: Final = LabelNoise()


class Verdict(NamedTuple):
    """`p` is the expected chance that the answer is right, `p_low` its lower bound, after the margin."""

    serve: bool
    p: float
    p_low: float
    reason: str
    """In one word for metrics: what decided."""


def candidate_similarity(policy: CachePolicy) -> float:
    """The cosine from which questions are compared at all."""
    if policy.mode is CacheMode.THRESHOLD:
        return policy.similarity_threshold
    return max(0.0, policy.similarity_threshold - CANDIDATE_SLACK)


class VerifiedModel:
    """Not safe for threads. Mean cost of a decision about 60 µs, of a label about 80 µs."""

    __slots__ = (
        "_covariance", "_noise", "_prior", "_risk_counts", "_risk_sums", "_weights", "audited", "labels",
        "strictness", "wrong",
    )  # fmt: skip

    def __init__(self, prior: Prior, noise: LabelNoise = TRUE_LABELS) -> None:
        size = len(prior.weights)
        self._prior = prior
        self._noise = noise
        self._weights = list(prior.weights)
        self._covariance = [
            prior.variances[row] if row == column else 0.0 for row in range(size) for column in range(size)
        ]
        self._risk_counts = [0.0] * _BINS
        self._risk_sums = [0.0] * _BINS
        self.labels = 0
        self.strictness = 0.0
        """Log-odds that are asked for beyond the bound."""
        self.audited = 0
        self.wrong = 0

    # Deciding

    def decide(
        self, features: Features, guarded: str, error_rate: float, *, only_asking: bool = False
    ) -> Verdict:
        """`guarded` is why a guard forbids it; `error_rate` what the route accepts per hit, as a share.
        `only_asking`: nothing hangs on it, so it does not count as seen."""
        if guarded:
            return Verdict(False, 0.0, 0.0, guarded)
        if len(features) != len(self._prior.means):
            return Verdict(False, 0.0, 0.0, "features")
        row = self._prior.row(features)
        mean = sum(map(mul, self._weights, row))
        spread = math.sqrt(max(0.0, self._quadratic(row)))
        p = _sigmoid(mean)
        p_low = _sigmoid(mean - LOWER_BOUND_Z * spread - self.strictness)
        risk = 1.0 - p_low
        limit = self._limit(error_rate)
        if not only_asking:
            self._see(risk)
        if risk <= limit:
            return Verdict(True, p, p_low, "sure")
        return Verdict(False, p, p_low, "unsure" if 1.0 - p > limit else "unproven")

    def _limit(self, error_rate: float) -> float:
        """The greatest risk that is taken: as much as keeps the mean of what is served below the accepted
        rate. Before enough was seen and learned, no hit may risk more than that itself."""
        if self.labels < WARM_LABELS or sum(self._risk_counts) < WARM_SEEN:
            return error_rate
        count = total = 0.0
        limit = error_rate
        for number in range(_BINS - 1, -1, -1):
            count += self._risk_counts[number]
            total += self._risk_sums[number]
            edge = _EDGES[number]
            if edge > RISK_MAX * error_rate or (count and total > count * _mean_allowed(error_rate, count)):
                break
            limit = max(limit, edge)
        return limit

    def _see(self, risk: float) -> None:
        number = min(_BINS - 1, int(-math.log(max(risk, 1e-9)) / _BIN_WIDTH))
        self._risk_counts[number] += 1.0
        self._risk_sums[number] += risk
        if sum(self._risk_counts) > SEEN_MAX:
            self._risk_counts = [each / 2 for each in self._risk_counts]
            self._risk_sums = [each / 2 for each in self._risk_sums]

    # Learning

    def learn(self, features: Features, *, same: bool, audit: bool, error_rate: float) -> None:
        """Takes one comparison into account. `audit`: it was, or would have been, a hit, chosen by chance or
        because nothing is served; only those say how often hits are wrong."""
        if len(features) != len(self._prior.means):
            return
        if audit:
            self._measure(same, error_rate)
        self.labels += 1
        row = self._prior.row(features)
        mean = sum(map(mul, self._weights, row))
        slope, information = self._pull(mean, same)
        self._update(row, slope, information)

    def _measure(self, same: bool, error_rate: float) -> None:
        self.audited += 1
        accepted = min(0.5, error_rate + self._noise.called_wrong)
        if same:
            self.strictness = max(0.0, self.strictness - STRICTER * accepted)
        else:
            self.wrong += 1
            self.strictness = min(STRICTNESS_MAX, self.strictness + STRICTER * (1.0 - accepted))

    def _pull(self, mean: float, same: bool) -> tuple[float, float]:
        """First derivative of the label's log-likelihood, and its expected information, in log-odds."""
        right = _sigmoid(mean)
        one, other = self._noise.called_wrong, self._noise.called_right
        called = min(1 - 1e-6, max(1e-6, (1 - one) * right + other * (1 - right)))
        steep = (1 - one - other) * right * (1 - right)
        slope = steep / called if same else -steep / (1 - called)
        return slope, steep * steep / (called * (1 - called))

    def _update(self, row: tuple[float, ...], slope: float, information: float) -> None:
        size = len(row)
        covariance, variances = self._covariance, self._prior.variances
        for place in range(size):
            wider = covariance[place * size + place] / FORGET
            covariance[place * size + place] = min(
                wider, max(variances[place], covariance[place * size + place])
            )
        gain = self._times(row)
        shrink = 1.0 + information * sum(map(mul, gain, row))
        factor = information / shrink
        for r in range(size):
            scaled = gain[r] * factor
            for c in range(size):
                covariance[r * size + c] -= scaled * gain[c]
        for r in range(size):
            self._weights[r] += gain[r] / shrink * slope

    def _quadratic(self, row: tuple[float, ...]) -> float:
        total: float = sum(map(mul, row, self._times(row)))
        return total

    def _times(self, row: tuple[float, ...]) -> list[float]:
        """The covariance times a row."""
        size, covariance = len(row), self._covariance
        return [sum(map(mul, covariance[start : start + size], row)) for start in range(0, size * size, size)]

    # State

    def as_numbers(self) -> tuple[float, ...]:
        """All that was learned; `from_numbers` with the same prior makes the same model of it."""
        return (
            float(len(self._weights)), float(self.labels), self.strictness, float(self.audited),
            float(self.wrong),
            *self._weights, *self._covariance, *self._risk_counts, *self._risk_sums,
        )  # fmt: skip

    @classmethod
    def from_numbers(
        cls, prior: Prior, numbers: tuple[float, ...], noise: LabelNoise = TRUE_LABELS
    ) -> "VerifiedModel":
        """Raises ValueError for numbers of another prior, or none of `as_numbers`."""
        model = cls(prior, noise)
        size = len(prior.weights)
        if len(numbers) != 5 + size + size * size + 2 * _BINS or numbers[0] != size:
            raise ValueError("numbers of another model")
        if not all(map(math.isfinite, numbers)):
            raise ValueError("numbers that are none")
        model.labels, model.audited, model.wrong = int(numbers[1]), int(numbers[3]), int(numbers[4])
        model.strictness = numbers[2]
        rest = list(numbers[5:])
        model._weights, rest = rest[:size], rest[size:]
        model._covariance, rest = rest[: size * size], rest[size * size :]
        model._risk_counts, model._risk_sums = rest[:_BINS], rest[_BINS:]
        return model


def _mean_allowed(error_rate: float, hits: float) -> float:
    share = MEAN_SHARE - 1.0 / math.sqrt(error_rate * hits)
    return max(MEAN_SHARE_MIN, share) * error_rate


def _sigmoid(score: float) -> float:
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-min(score, 60.0)))
    return 1.0 - 1.0 / (1.0 + math.exp(max(score, -60.0)))
