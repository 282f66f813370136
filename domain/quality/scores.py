"""How good answers are, as numbers that know how little they rest on. Pure.

Scores are from 0 (useless) to 1 (as good as can be); intervals hold 95 %. They describe what was asked where:
two models that were asked different things are not compared by them alone.
"""

from math import sqrt
from typing import Final, NamedTuple

Z: Final = 1.96
"""Standard deviations on each side of a 95 % interval."""
PRIOR_STRENGTH: Final = 20.0
"""As many opinions as a declared quality counts for, before there are any."""
UNDECLARED_QUALITY: Final = 0.5
UNDECLARED_STRENGTH: Final = 4.0
"""What is taken for a quality that nobody declared, and how little it counts."""
JUDGE_WEIGHT: Final = 0.5
"""What the opinion of a model counts beside one of a person."""
FAILING_PRIOR_STRENGTH: Final = 20.0
"""As many clean answers every model is taken to have given before it was checked."""
OPINIONS_ENOUGH: Final = 30.0
"""Weighed opinions from which on a difference is told."""


class Interval(NamedTuple):
    """A share or a mean, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


class Opinions(NamedTuple):
    """How many there are, and the sum of their scores."""

    number: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """None: there are none."""
        return self.total / self.number if self.number else None


class Evidence(NamedTuple):
    """All that is known of some answers. `failed` of `checked` answers did not pass a check."""

    feedback: Opinions = Opinions()
    judged: Opinions = Opinions()
    checked: int = 0
    failed: int = 0

    @property
    def opinions(self) -> float:
        """How many opinions there are, weighed."""
        return self.feedback.number + JUDGE_WEIGHT * self.judged.number

    @property
    def opinion_total(self) -> float:
        """The sum of their scores, weighed."""
        return self.feedback.total + JUDGE_WEIGHT * self.judged.total

    @property
    def anything(self) -> bool:
        """Whether anybody looked at any of these answers."""
        return self.opinions > 0 or self.checked > 0


def wilson(value: float, count: float) -> Interval:
    """The score interval of a share, or of a mean of scores between 0 and 1, of `count` observations.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927). Of
    means it is too wide rather than too narrow: no score from 0 to 1 varies more than one that is 0 or 1.
    """
    if count <= 0:
        return Interval(value, 0.0, 1.0)
    square = Z * Z
    middle = (value + square / (2 * count)) / (1 + square / count)
    half = Z / (1 + square / count) * sqrt(value * (1 - value) / count + square / (4 * count * count))
    return Interval(value, max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half)))


def mean_of(opinions: Opinions) -> Interval | None:
    """The mean score as it was given, with nothing added; None: there is none."""
    mean = opinions.mean
    return None if mean is None else wilson(min(1.0, max(0.0, mean)), opinions.number)


def share_of(part: int, whole: int) -> Interval | None:
    """A rate; None where nothing was counted."""
    return wilson(min(1.0, part / whole), whole) if whole else None


def quality_of(evidence: Evidence, declared: float | None) -> Interval:
    """What quality to expect: what people and judges think, shrunk to the declared quality, less what fails.

    Opinions are added to a Beta prior at the declared quality that counts as PRIOR_STRENGTH of them. Checks
    only take away: an answer that passes them may still be wrong, one that fails them is worth nothing. The
    share that fails is shrunk likewise, towards none. The interval is made of the outer ends of both.
    """
    known = declared is not None
    prior = min(1.0, max(0.0, declared if declared is not None else UNDECLARED_QUALITY))
    strength = PRIOR_STRENGTH if known else UNDECLARED_STRENGTH
    count = strength + evidence.opinions
    opinion = wilson(min(1.0, (strength * prior + evidence.opinion_total) / count), count)
    if not evidence.checked:
        return opinion
    checked = evidence.checked + FAILING_PRIOR_STRENGTH
    failing = wilson(min(1.0, evidence.failed / checked), checked)
    if not evidence.failed:
        return opinion
    return Interval(
        opinion.value * (1 - failing.value),
        opinion.low * (1 - failing.high),
        opinion.high * (1 - failing.low),
    )


def difference(one: Evidence, other: Evidence) -> Interval | None:
    """How much better the first was thought of than the second, from what was observed alone. None where
    either has fewer than OPINIONS_ENOUGH weighed opinions.

    R. G. Newcombe, "Interval Estimation for the Difference between Independent Proportions: Comparison of
    Eleven Methods", Statistics in Medicine 17 (1998), method 10.
    """
    if min(one.opinions, other.opinions) < OPINIONS_ENOUGH:
        return None
    a = wilson(min(1.0, one.opinion_total / one.opinions), one.opinions)
    b = wilson(min(1.0, other.opinion_total / other.opinions), other.opinions)
    return _apart(a, b)


def failing_difference(one: Evidence, other: Evidence) -> Interval | None:
    """How much more often the first failed checks than the second; None where too few were checked."""
    if min(one.checked, other.checked) < OPINIONS_ENOUGH:
        return None
    a, b = share_of(one.failed, one.checked), share_of(other.failed, other.checked)
    return None if a is None or b is None else _apart(a, b)


def _apart(a: Interval, b: Interval) -> Interval:
    between = a.value - b.value
    below = sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    above = sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    return Interval(between, max(-1.0, between - below), min(1.0, between + above))
