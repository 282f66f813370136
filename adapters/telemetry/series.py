"""Counters and histograms in the Prometheus text format; one dictionary entry per label set."""

from bisect import bisect_left
from collections.abc import Iterable


class Histogram:
    """Fixed bounds; one list of counts per label set."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> None:
        self.name, self.text, self.labels, self._bounds = name, text, labels, bounds
        self._series: dict[tuple[str, ...], list[float]] = {}

    def observe(self, key: tuple[str, ...], value: float) -> None:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = [0.0] * (len(self._bounds) + 2)
        series[bisect_left(self._bounds, value)] += 1
        series[-1] += value

    def lines(self) -> Iterable[str]:
        yield from head(self.name, self.text, "histogram")
        for key, series in self._series.items():
            labels = labels_text(zip(self.labels, key, strict=True))
            comma = "," if labels else ""
            running = 0.0
            for bound, count in zip((*self._bounds, "+Inf"), series[:-1], strict=True):
                running += count
                yield f'{self.name}_bucket{{{labels}{comma}le="{bound}"}} {running:g}'
            yield f"{self.name}_sum{{{labels}}} {series[-1]:.9g}"
            yield f"{self.name}_count{{{labels}}} {running:g}"


class Counter:
    """One number per label set. `kind` is `gauge` for what may also become less."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], scale: int = 1, *, kind: str = "counter"
    ) -> None:
        self.name, self.text, self.labels, self._scale, self._kind = name, text, labels, scale, kind
        self._series: dict[tuple[str, ...], int] = {}

    def add(self, key: tuple[str, ...], amount: int = 1) -> None:
        self._series[key] = self._series.get(key, 0) + amount

    def lines(self) -> Iterable[str]:
        yield from head(self.name, self.text, self._kind)
        for key, value in self._series.items():
            labels = labels_text(zip(self.labels, key, strict=True))
            number = str(value) if self._scale == 1 else f"{value / self._scale:.12g}"
            yield f"{self.name}{{{labels}}} {number}"


def head(name: str, text: str, kind: str) -> tuple[str, str]:
    """What stands above a metric's samples."""
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def labels_text(pairs: Iterable[tuple[str, str]]) -> str:
    """Labels as the format wants them, escaped."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
