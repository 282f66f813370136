"""How far samples and their means are off, against how far those of the series usually are."""

from collections import deque
from math import expm1, hypot, log
from typing import Final, NamedTuple

from domain.anomalies.tail import Tail

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
BORDER: Final = 4.0
"""Scales off that make samples strange: a scale is a quarter of how far the series strays at most."""
SPANS_S: Final = (0, 900, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, DAY_S)
"""Of which means are judged, beside single samples."""
SPANS_KNOWN_MIN: Final = 7
"""Of so many spans their means are known before one is judged."""
LEARNED_LATE_S: Final = 2 * DAY_S
INCIDENTS_MAX: Final = 4
INCIDENTS_DAYS: Final = 56
"""What was strange so many times in so many days, a day apart at least, is how the series is, and learned."""
AGREE: Final = 0.6
"""This share of the samples of a mean has to be off by half of the border at least, on the same side."""
STEADY_NOISE: Final = 0.1
"""How unsteady hours are taken to be beside chance, for weighing; what more they are is learned."""


class Sample(NamedTuple):
    """What came and what was expected, both with `offset` added in their ratio. `distance` is its logarithm
    as far as it is judged, `learned` as it is remembered; `noise` is what chance makes of it."""

    place: int
    observed: float
    expected: float
    offset: float
    distance: float
    learned: float
    noise: float

    @property
    def unsteady(self) -> float:
        return hypot(STEADY_NOISE, self.noise)


class Strange(NamedTuple):
    """`strays` is how far from what was expected a usual sample lies at most, on the side of the change;
    `score` is signed."""

    place: int
    observed: float
    expected: float
    strays: float
    score: float
    span: int = 1
    """Of so many samples in a row it was strange."""
    drifted: bool = False


def strange(sample: Sample, score: float, border: float, span: int = 1) -> Strange:
    """`border` is the logarithm of the ratio that is just usual."""
    far = sample.expected + sample.offset
    strays = far * (expm1(border) if score > 0 else -expm1(-border))
    return Strange(sample.place, sample.observed, sample.expected, strays, score, span)


class Scales:
    """Learns from each sample and judges it, alone and with those before it; a gap ends what is together.

    Distances are learned two days later, when it is known whether they were strange: a change that comes on
    slowly must not move the border before it has crossed it."""

    def __init__(self, step_s: int, keep_days: int, known_days_min: int, change_min: float) -> None:
        counts = sorted({max(1, span // step_s) for span in SPANS_S})
        self._change = log(1 + change_min)
        self._late = LEARNED_LATE_S // step_s
        keep, hour = keep_days * DAY_S // step_s, HOUR_S // step_s
        least = known_days_min * DAY_S // step_s
        self._spans = [
            _Span(count, keep, max(least, SPANS_KNOWN_MIN * count), hour, self._change / STEADY_NOISE)
            for count in counts
        ]
        self._recent: deque[Sample] = deque(maxlen=counts[-1])
        self._waiting: deque[tuple[int, list[float | None]]] = deque()
        self._off: set[int] = set()
        self._last_off = -counts[-1]
        self._day, self._memory = DAY_S // step_s, INCIDENTS_DAYS * DAY_S // step_s
        self._incidents: deque[int] = deque(maxlen=INCIDENTS_MAX)

    @property
    def known(self) -> bool:
        """Whether single samples can be judged."""
        return self._spans[0].known

    def judged(self, sample: Sample) -> list[Strange]:
        """The strange samples, this and those before it; some maybe more than once."""
        if self._recent and self._recent[-1].place != sample.place - 1:
            self._recent.clear()
            for span in self._spans:
                span.clear()
        self._recent.append(sample)
        unsteady = sample.unsteady
        weighed, learned = sample.distance / unsteady, sample.learned / unsteady
        alone = self._spans[0]
        # One peak weighs in a mean as much as the highest that is usual.
        cut, cut_learned = alone.cut(weighed), alone.cut(learned)
        means: list[float | None] = []
        found: list[Strange] = []
        for span in self._spans:
            first = span is alone
            mean, learned_mean = span.means(weighed if first else cut, learned if first else cut_learned)
            means.append(learned_mean)
            border = None if mean is None else span.crossed(mean)
            if mean is not None and border is not None:
                found += self._agreeing(span.count, mean, border)
        self._off.update(one.place for one in found)
        self._waiting.append((sample.place, means))
        self._learn(sample.place)
        return found

    def _learn(self, place: int) -> None:
        while self._waiting and (not self.known or self._waiting[0][0] <= place - self._late):
            at, means = self._waiting.popleft()
            if at in self._off:
                self._off.remove(at)
                if not self._incidents or at - self._last_off > self._day:
                    self._incidents.append(at)
                self._last_off = at
            rare = len(self._incidents) < INCIDENTS_MAX or self._incidents[0] < at - self._memory
            for span, mean in zip(self._spans, means, strict=True):
                if mean is not None:
                    span.learn(at, mean, strange=rare and self._last_off > at - span.count)

    def _agreeing(self, count: int, mean: float, border: float) -> list[Strange]:
        side = 1 if mean > 0 else -1
        together = list(self._recent)[-count:]
        off = [one for one in together if one.distance * side >= 0.5 * border * one.unsteady]
        if len(off) < AGREE * count or off[-1] is not together[-1]:
            return []
        if sum(one.distance * side for one in off) < self._change * len(off):
            return []
        score = BORDER * mean / border
        return [strange(one, score, border * one.unsteady, count) for one in off]


class _Span:
    """Means of so many samples in a row, and how far they usually are off, up and down."""

    def __init__(self, count: int, keep: int, least: int, hour: int, border_min: float) -> None:
        self.count = count
        self._border_min = border_min
        self._up, self._down = Tail(keep, least, hour), Tail(keep, least, hour)
        self._judged, self._learned = _Mean(count), _Mean(count)

    @property
    def known(self) -> bool:
        return self._up.border is not None

    def clear(self) -> None:
        self._judged, self._learned = _Mean(self.count), _Mean(self.count)

    def cut(self, weighed: float) -> float:
        """No further off than the border."""
        border = self._border(weighed)
        return weighed if border is None else max(-border, min(border, weighed))

    def means(self, weighed: float, learned: float) -> tuple[float | None, float | None]:
        """Of the last samples, with these; None: there are too few."""
        return self._judged.with_next(weighed), self._learned.with_next(learned)

    def crossed(self, mean: float) -> float | None:
        """The border it crossed; None: it did not."""
        border = self._border(mean)
        return None if border is None or abs(mean) < border else border

    def learn(self, place: int, mean: float, *, strange: bool) -> None:
        self._up.add(place, mean, strange=strange)
        self._down.add(place, -mean, strange=strange)

    def _border(self, weighed: float) -> float | None:
        found = (self._up if weighed > 0 else self._down).border
        return None if found is None else max(found, self._border_min)


class _Mean:
    def __init__(self, count: int) -> None:
        self._last: deque[float] = deque(maxlen=count)
        self._count = count
        self._sum = 0.0

    def with_next(self, value: float) -> float | None:
        if len(self._last) == self._count:
            self._sum -= self._last[0]
        self._last.append(value)
        self._sum += value
        return self._sum / self._count if len(self._last) == self._count else None
