"""What verified reuse knows before a route has taught it anything."""

from math import tanh
from operator import mul, sub
from typing import Final, NamedTuple

from domain.caching.pair_features import LEXICAL, Features

LOG_ODDS_MAX: Final = 8.0
ONLINE: Final = (
    "bias", "log_odds", "distance", "margin", "letters", "substituted", "same_content", "name_missing"
)  # fmt: skip
"""What the online model reads: the network's log-odds (a quarter of them), and a few features."""
_PLACES: Final = tuple(LEXICAL.index(name) for name in ONLINE[2:])


class Prior(NamedTuple):
    """A network of one hidden layer, and the Gaussian the online model starts from."""

    embedder: str
    """Family of embedder ids it was learned with."""
    means: tuple[float, ...]
    scales: tuple[float, ...]
    """Features are centred and multiplied by these."""
    hidden: tuple[tuple[float, ...], ...]
    """One row for each unit: its weights, then its bias."""
    out: tuple[float, ...]
    """One weight for each unit, then the bias."""
    weights: tuple[float, ...]
    variances: tuple[float, ...]

    def log_odds(self, features: Features) -> float:
        """Of the answer being right, within plus and minus `LOG_ODDS_MAX`."""
        scaled = tuple(map(mul, map(sub, features, self.means), self.scales))
        total = self.out[-1]
        for unit, weight in zip(self.hidden, self.out, strict=False):
            total += weight * tanh(sum(map(mul, unit, scaled)) + unit[-1])
        return max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, total))

    def row(self, features: Features) -> tuple[float, ...]:
        """What the online model reads of a pair."""
        return (1.0, self.log_odds(features) / 4.0, *(features[place] for place in _PLACES))
