"""The nearest question that was answered before, and what is known of how near it is."""

from typing import NamedTuple

from domain.caching.entry import CachedAnswer


class Candidate(NamedTuple):
    """`features` describe the pair of questions (`domain.caching.pair_features`)."""

    kept: CachedAnswer
    similarity: float
    features: tuple[float, ...]
    served: bool
    """Whether its answer was given; a fresh answer that disagrees then is a wrong answer we gave."""
