"""Charts as SVG, for whoever has no script: the same values, without the pointer."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from entrypoints.ui.page import Chart

WIDTH: Final = 600
HEIGHT: Final = 160
POINTS_MAX: Final = 400


def drawn(chart: Chart) -> Markup:
    """A picture of the chart's series; empty where there are fewer than two values."""
    lines = _stacked(chart) if chart.stacked else [series.values for series in chart.series]
    known = [value for values in lines for value in values if value is not None]
    count = len(chart.times_s)
    if count < 2 or not known:
        return Markup("")
    low, high = min(0.0, *known), max(known)
    span = (high - low) or 1.0
    parts = [
        _area(lines[band.low], lines[band.high], low, span, f"band s{band.of % 6}") for band in chart.bands
    ]
    # The highest of a stack first: each lower one covers its part.
    for place in reversed(range(len(lines))) if chart.stacked else range(len(lines)):
        if chart.stacked or (chart.bars and place == 0):
            parts.append(_bars(lines[place], low, span, place))
            continue
        colour = chart.edges.get(place, place) % 6
        kind = "line edge" if place in chart.edges else "line"
        parts += [
            f'<polyline class="{kind} s{colour}" points="{points}"/>'
            for points in _runs(lines[place], low, span)
        ]
    picture = "".join(parts)
    return Markup(  # noqa: S704 - numbers only: nothing here comes from anybody's text
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">{picture}</svg>'
    )


def _stacked(chart: Chart) -> list[Sequence[float | None]]:
    """Each series upon those before it."""
    sums = [0.0] * len(chart.times_s)
    found: list[Sequence[float | None]] = []
    for series in chart.series:
        sums = [below + (value or 0.0) for below, value in zip(sums, series.values, strict=True)]
        found.append(sums)
    return found


def _area(
    lower: Sequence[float | None], upper: Sequence[float | None], low: float, span: float, kind: str
) -> str:
    """What is between two lines, where both are known."""
    last = max(1, len(upper) - 1)
    there = [
        (place / last * WIDTH, below, above)
        for place, (below, above) in enumerate(zip(lower, upper, strict=True))
        if below is not None and above is not None
    ]
    around = [(x, above) for x, _, above in there] + [(x, below) for x, below, _ in reversed(there)]
    points = " ".join(f"{x:.1f},{HEIGHT - (y - low) / span * (HEIGHT - 8) - 4:.1f}" for x, y in around)
    return f'<polygon class="{kind}" points="{points}"/>' if there else ""


def _runs(values: Sequence[float | None], low: float, span: float) -> list[str]:
    """The points of each stretch without a gap."""
    step = max(1, len(values) // POINTS_MAX)
    last = max(1, len(values) - 1)
    runs: list[str] = []
    run: list[str] = []
    for place in range(0, len(values), step):
        value = values[place]
        if value is None:
            if len(run) > 1:
                runs.append(" ".join(run))
            run = []
            continue
        run.append(f"{place / last * WIDTH:.1f},{HEIGHT - (value - low) / span * (HEIGHT - 8) - 4:.1f}")
    if len(run) > 1:
        runs.append(" ".join(run))
    return runs


def _bars(values: Sequence[float | None], low: float, span: float, colour: int) -> str:
    width = WIDTH / max(1, len(values))
    bars = []
    for place, value in enumerate(values):
        if value is not None:
            tall = (value - low) / span * (HEIGHT - 4)
            bars.append(
                f'<rect class="bar s{colour % 6}" x="{place * width + width * 0.1:.1f}" '
                f'width="{width * 0.8:.1f}" y="{HEIGHT - tall:.1f}" height="{tall:.1f}"/>'
            )
    return "".join(bars)
