"""What metrics are made of: families of samples, one dictionary entry per label set.

A family is what travels between workers and what the page is written from. Numbers that are added up stay
whole numbers (microseconds, nano-dollars); `scale` says by what they are divided on the page.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

Labels: TypeAlias = tuple[str, ...]
Counts: TypeAlias = list[int | float]
"""Of a histogram: how many fell to each bound and beyond the last, then the sum."""
Value: TypeAlias = int | float | Counts
MICROSECONDS: Final = 1_000_000


class Family(msgspec.Struct, array_like=True):
    """All samples of one metric."""

    name: str
    kind: str
    text: str
    labels: Labels
    samples: dict[Labels, Value]
    scale: int = 1
    bounds: tuple[float, ...] = ()
    """Of a histogram, in the page's unit."""


class Histogram:
    """Fixed bounds; one list of counts per label set. `scale` is how many units of what is observed make one
    of the bounds' unit."""

    def __init__(
        self, name: str, text: str, labels: Labels, bounds: tuple[float, ...], scale: int = 1
    ) -> None:
        self.name, self.text, self.labels, self._page_bounds, self._scale = name, text, labels, bounds, scale
        self.bounds: tuple[float, ...] = (
            bounds if scale == 1 else tuple(round(bound * scale) for bound in bounds)
        )
        self._series: dict[Labels, Counts] = {}

    def series(self, key: Labels) -> Counts:
        """The counts of one label set, to be added to by `count`."""
        counts = self._series.get(key)
        if counts is None:
            counts = self._series[key] = [0] * (len(self.bounds) + 2)
        return counts

    def observe(self, key: Labels, value: float) -> None:
        """Counts one value."""
        counts = self.series(key)
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value

    def family(self) -> Family:
        """As it is now."""
        samples: dict[Labels, Value] = {key: list(counts) for key, counts in self._series.items()}
        return Family(self.name, "histogram", self.text, self.labels, samples, self._scale, self._page_bounds)


class Counter:
    """One number per label set. `kind` is `gauge` for what may also become less."""

    def __init__(
        self, name: str, text: str, labels: Labels, scale: int = 1, *, kind: str = "counter"
    ) -> None:
        self.name, self.text, self.labels, self._scale, self._kind = name, text, labels, scale, kind
        self._series: dict[Labels, Value] = {}

    def add(self, key: Labels, amount: int = 1) -> None:
        """Counts, under a label set that has a place."""
        self._series[key] = self._series.get(key, 0) + amount  # type: ignore[operator]

    def family(self) -> Family:
        """As it is now."""
        return Family(self.name, self._kind, self.text, self.labels, dict(self._series), self._scale)


def page_of(families: Iterable[Family]) -> bytes:
    """The Prometheus text format, version 0.0.4. Whole numbers are written whole, however large."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {_help(family.text)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for key, value in family.samples.items():
            labels = ",".join(
                f'{name}="{_escaped(each)}"' for name, each in zip(family.labels, key, strict=True)
            )
            if isinstance(value, list):
                lines.extend(_histogram_lines(family, labels, value))
            else:
                lines.append(f"{family.name}{{{labels}}} {_number(value, family.scale)}")
    return ("\n".join(lines) + "\n").encode()


def _histogram_lines(family: Family, labels: str, counts: Counts) -> Iterable[str]:
    name, comma = family.name, "," if labels else ""
    running = 0
    for bound, count in zip((*family.bounds, "+Inf"), counts[:-1], strict=True):
        running += int(count)
        yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {running}'
    yield f"{name}_sum{{{labels}}} {_number(counts[-1], family.scale)}"
    yield f"{name}_count{{{labels}}} {running}"


def _number(value: float, scale: int) -> str:
    if scale != 1:
        return f"{value / scale:.12g}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
