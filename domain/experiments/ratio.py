"""Whether units were split as the weights say. A split that is off spoils every comparison.

The test may be looked at after every unit: Lindon and Malek, "Anytime-valid inference for multinomial count
data" (NeurIPS 2022). The Bayes factor of a Dirichlet mixture around the wanted shares against the shares
themselves is a martingale where these are true, so it passes 1 / alpha with probability alpha at most, ever.
"""

from collections.abc import Sequence
from math import exp, lgamma, log
from typing import Final, NamedTuple

RATIO_ALPHA: Final = 0.001
CONCENTRATION: Final = 100.0
"""How near the wanted shares the mixture looks: the test is to find splits that are slightly off."""


class SampleRatio(NamedTuple):
    """`p_value` is valid at every look; small: the split is off."""

    p_value: float

    @property
    def off(self) -> bool:
        return self.p_value < RATIO_ALPHA


def sample_ratio(weights: Sequence[int], counts: Sequence[int]) -> SampleRatio | None:
    """None: nothing to compare."""
    whole, seen = sum(weights), sum(counts)
    if len(weights) < 2 or not seen:
        return None
    shares = [weight / whole for weight in weights]
    factor = lgamma(CONCENTRATION) - lgamma(CONCENTRATION + seen)
    for share, count in zip(shares, counts, strict=True):
        prior = CONCENTRATION * share
        factor += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return SampleRatio(1.0 if factor <= 0.0 else exp(-factor))
