"""How many tokens another model would count for the same work, as far as requests of both tell.

Tokenizers differ, and so do the lengths of answers. Where one route was answered by both models, tokens per
byte of the request (input) and tokens per answer (output) of the one by the other are a measurement; else
there is only the declared assumption: as many, give or take a share.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Final, NamedTuple

from domain.analytics.event import RequestEvent

REQUESTS_MIN: Final = 50
"""Of each model on the route; fewer say nothing."""
Z_95: Final = 1.96
UNCERTAINTY_DEFAULT: Final = 0.15
"""What is assumed where nothing was measured."""


class TokenRatio(NamedTuple):
    """The other model's tokens by this one's, between `low` and `high`. `observed`: requests behind it."""

    low: float
    expected: float
    high: float
    observed: int = 0


class Tokens(NamedTuple):
    """Ratios of input and of output."""

    input: TokenRatio
    output: TokenRatio


SAME: Final = Tokens(TokenRatio(1.0, 1.0, 1.0), TokenRatio(1.0, 1.0, 1.0))
"""A model and itself."""


def assumed(share: float) -> Tokens:
    """As many tokens, give or take this share."""
    ratio = TokenRatio(max(0.0, 1 - share), 1.0, 1 + share)
    return Tokens(ratio, ratio)


Place = tuple[str, str, str]
"""Route, provider, model."""


class _Quotient:
    """The quotient of two sums over requests, and how well it is known (the ratio estimator's error: Cochran,
    "Sampling Techniques", 2.11)."""

    __slots__ = ("_both", "_part", "_parts", "_whole", "_wholes", "count")

    def __init__(self) -> None:
        self.count = 0
        self._part = self._whole = self._parts = self._wholes = self._both = 0.0

    def add(self, part: float, whole: float) -> None:
        self.count += 1
        self._part += part
        self._whole += whole
        self._parts += part * part
        self._wholes += whole * whole
        self._both += part * whole

    @property
    def value(self) -> float:
        return self._part / self._whole if self._whole else 0.0

    @property
    def relative_error(self) -> float:
        """Standard error of the quotient by the quotient."""
        if not self._part or self.count < 2:
            return 1.0
        value = self.value
        squares = max(0.0, self._parts - 2 * value * self._both + value * value * self._wholes)
        return sqrt(squares / (self.count - 1) / self.count) / (self._part / self.count)


class ObservedTokens:
    """From single requests that ended well at the first attempt; others count tokens twice."""

    def __init__(self, requests: Iterable[RequestEvent]) -> None:
        self._input: Mapping[Place, _Quotient] = defaultdict(_Quotient)
        self._output: Mapping[Place, _Quotient] = defaultdict(_Quotient)
        for one in requests:
            if one.outcome != "ok" or one.attempts_made != 1 or not one.request_bytes or not one.input_tokens:
                continue
            place = (one.route, one.provider, one.model)
            self._input[place].add(one.input_tokens, one.request_bytes)
            self._output[place].add(one.output_tokens, 1)

    def ratio(self, route: str, this: tuple[str, str], other: tuple[str, str], share: float) -> Tokens:
        """What the other model (provider, model) would have counted of this one's work on this route.

        Where nothing was measured, `share` is assumed.
        """
        if this == other:
            return SAME
        places = ((route, *this), (route, *other))
        inputs = _measured(*(self._input.get(place) for place in places))
        outputs = _measured(*(self._output.get(place) for place in places))
        guess = assumed(share)
        return Tokens(inputs or guess.input, outputs or guess.output)


def _measured(this: _Quotient | None, other: _Quotient | None) -> TokenRatio | None:
    if this is None or other is None or min(this.count, other.count) < REQUESTS_MIN or not this.value:
        return None
    expected, count = other.value / this.value, this.count + other.count
    # Of a quotient of two independent estimates, the squares of the relative errors add up.
    off = Z_95 * sqrt(this.relative_error**2 + other.relative_error**2)
    return TokenRatio(max(0.0, expected * (1 - off)), expected, expected * (1 + off), count)
