"""How well the forecast and the anomaly detector do on recorded series with labelled windows.

Run: `python -m benchmarks.series --data FOLDER`. The folder has `*.csv` files of `timestamp,value` lines, and
`windows.json`, as the Numenta Anomaly Benchmark publishes them (https://github.com/numenta/NAB); a file is
called `<group>__<name>.csv`. Prints two tables and asserts nothing:

* Forecast of daily totals, made anew on every day after the first 28, for the next 7 and 28 days: mean
  absolute percentage error of the sum (`total`) and of single days (`daily`), how many of the true values
  were within the 80 and 95 % intervals, and beside it what two simple forecasts do: the mean of the last 28
  days, and the last week again. Of series whose values do not add up (temperatures, utilisations), the daily
  totals mean little; they are shown all the same where there are 60 whole days. Profiles, levels, ways and
  intervals are always made from the days before an origin. What was chosen by hand, the `Tuning`, is as
  shipped, or chosen anew before each origin from the weeks that were over (`forecast_choices`), or chosen
  from the first half of the series and tried on the second alone.
* Anomalies, sample by sample with what was known then: labelled windows in which something was reported, and
  days outside of them on which something was. At the samples as they are, and at means of hours, which is
  what usage is kept as; for changes of 25 % and more (what is reported of spending), and of 5 % and more.

No parameter depends on the series; the step of its samples is all that is known of it.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from benchmarks.forecast_choices import Choices
from domain.anomalies.detector import Sensitivity, find_windows
from domain.anomalies.usual import DAY_S, HOUR_S
from domain.forecasting.forecast import Expected, forecast_days
from domain.forecasting.level import TUNING, Tuning

FIRST_ORIGIN_DAYS = 28
WHOLE_DAYS_MIN = 60
WHOLE = 0.95
"""Of its samples, at which a day counts as whole."""
HORIZONS = (7, 28)
CHANGES = (0.25, 0.05)
Span = tuple[datetime, datetime]


class Series(NamedTuple):
    """Samples at even steps; None where there was none."""

    name: str
    start: datetime
    step_s: int
    samples: list[float | None]


def read_series(path: Path) -> Series:
    """A file of `timestamp,value` lines in the order of time; the step is the usual distance."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(_moment(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
    steps = [(later - earlier).total_seconds() for (earlier, _), (later, _) in pairwise(rows)]
    step_s = int(median(steps))
    start = rows[0][0]
    samples: list[float | None] = [None] * (int((rows[-1][0] - start).total_seconds()) // step_s + 1)
    for at, value in rows:
        samples[int((at - start).total_seconds()) // step_s] = value
    return Series(path.stem.partition("__")[2] or path.stem, start, step_s, samples)


def hourly(series: Series) -> Series:
    """Means of the hours."""
    first = series.start.replace(minute=0, second=0, microsecond=0)
    hours: dict[int, list[float]] = {}
    for place, value in enumerate(series.samples):
        if value is not None:
            at = series.start + timedelta(seconds=place * series.step_s)
            hours.setdefault(int((at - first).total_seconds()) // HOUR_S, []).append(value)
    means = [sum(hours[hour]) / len(hours[hour]) if hour in hours else None for hour in range(max(hours) + 1)]
    return Series(series.name, first, HOUR_S, means)


def daily_totals(series: Series) -> list[float]:
    """Sums of the days that are whole, up to the first one after them that is not."""
    of_day: dict[int, list[float]] = {}
    for place, value in enumerate(series.samples):
        day = (series.start + timedelta(seconds=place * series.step_s)).toordinal()
        if value is not None:
            of_day.setdefault(day, []).append(value)
    totals: list[float] = []
    for day in range(min(of_day), max(of_day) + 1):
        values = of_day.get(day, [])
        if len(values) * series.step_s >= WHOLE * DAY_S:
            totals.append(sum(values))
        elif totals:
            break
    return totals


class Tried(NamedTuple):
    """Means over all origins, as shares; coverage of days and of sums, at 80 and 95 %."""

    origins: int
    total: float
    daily: float
    days_within: tuple[float, float]
    sums_within: tuple[float, float]
    mean_total: float
    week_total: float


class Once(NamedTuple):
    """One origin, the first day ahead: errors of the sum and of single days, what was within, and the errors
    of two simple forecasts of the sum."""

    origin: int
    total: float
    daily: float
    days: list[tuple[bool, bool]]
    sums: tuple[bool, bool]
    mean_total: float
    week_total: float


def try_forecast(totals: Sequence[float], horizon: int, first: int = FIRST_ORIGIN_DAYS) -> Tried:
    """A forecast from every day but the first, with nothing but the days before it."""
    return summary(tries(totals, horizon, range(first, len(totals) - horizon + 1), lambda _: TUNING))


def tries(
    totals: Sequence[float], horizon: int, origins: Iterable[int], choose: Callable[[int], Tuning]
) -> list[Once]:
    """Forecasts from the origins; `choose` says with which constants, from the days before one."""
    found = []
    for origin in origins:
        known, actual = totals[:origin], totals[origin : origin + horizon]
        made = forecast_days(known, horizon, choose(origin))
        assert made is not None, "there is a history"
        points, total = [day.point for day in made.days], sum(actual)
        again = [known[-7 + ahead % 7] for ahead in range(horizon)]
        found.append(
            Once(
                origin,
                _error(sum(points), total),
                sum(map(_error, points, actual)) / horizon,
                [_within(day, amount) for day, amount in zip(made.days, actual, strict=True)],
                _within(made.totals[-1], total),
                _error(sum(known[-28:]) / 28 * horizon, total),
                _error(sum(again), total),
            )
        )
    return found


def summary(once: Sequence[Once]) -> Tried:
    """Of one origin at least."""
    return Tried(
        len(once),
        fmean(one.total for one in once),
        fmean(one.daily for one in once),
        _shares([within for one in once for within in one.days]),
        _shares([one.sums for one in once]),
        fmean(one.mean_total for one in once),
        fmean(one.week_total for one in once),
    )


def _error(point: float, actual: float) -> float:
    return abs(point - actual) / actual if actual > 0 else 0.0


def _within(expected: Expected, actual: float) -> tuple[bool, bool]:
    near, far = expected.interval_80, expected.interval_95
    assert near is not None, "there was enough history"
    assert far is not None, "there was enough history"
    return near.low <= actual <= near.high, far.low <= actual <= far.high


def _shares(within: Sequence[tuple[bool, bool]]) -> tuple[float, float]:
    near, far = (sum(column) / len(within) for column in zip(*within, strict=True))
    return near, far


class Caught(NamedTuple):
    """Labelled windows with a report in them, all of them, days with reports elsewhere, and days in all."""

    windows: int
    labelled: int
    false_days: int
    days: int


def try_detector(series: Series, labelled: Sequence[Span], change_min: float) -> Caught:
    """Every sample of every window that is reported is looked at."""
    found: set[int] = set()
    false: set[int] = set()
    step = timedelta(seconds=series.step_s)
    for window in find_windows(series.samples, series.step_s, Sensitivity(change_min=change_min)):
        for place in range(window.first, window.last + 1):
            at = series.start + place * step
            hits = [number for number, (begin, end) in enumerate(labelled) if begin - step < at <= end]
            found.update(hits)
            if not hits:
                false.add(at.toordinal())
    days = len(series.samples) * series.step_s // DAY_S
    return Caught(len(found), len(labelled), len(false), days)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description="Tries forecast and anomaly detection on recorded series.")
    parser.add_argument("--data", type=Path, required=True, help="Folder with *.csv and windows.json.")
    folder = parser.parse_args().data
    labels: Mapping[str, list[list[str]]] = json.loads((folder / "windows.json").read_text("utf-8"))
    paths = sorted(folder.glob("*.csv"))
    all_series = [
        (read_series(path), [(_moment(begin), _moment(end)) for begin, end in labels.get(path.name, [])])
        for path in paths
    ]
    print("Forecast of daily totals, from every day after the first 28 (errors and coverage in %)")
    print(
        f"{'series':36} {'ahead':>5}  {'constants and origins':38} {'times':>5} {'total':>6} {'daily':>6}  "
        f"{'days in 80/95':>13} {'sums in 80/95':>13}  {'mean of 28':>10} {'last week':>9}"
    )
    for series, spans in all_series:
        _print_forecasts(series, spans)
    print("\nAnomalies: labelled windows found / all + days with false alarms")
    columns = [f"{kind} {100 * change:.0f} %" for kind in ("samples", "hours") for change in CHANGES]
    print(f"{'series':36} {'days':>5} {'step':>6} " + " ".join(f"{name:>14}" for name in columns))
    sums_of = [Caught(0, 0, 0, 0)] * len(columns)
    for series, spans in all_series:
        caught = [
            try_detector(each, spans, change) for each in (series, hourly(series)) for change in CHANGES
        ]
        sums_of = [Caught(*map(sum, zip(*pair, strict=True))) for pair in zip(sums_of, caught, strict=True)]
        _print_caught(series.name, f"{series.step_s} s", caught)
    _print_caught("all", "", sums_of)


def _print_forecasts(series: Series, spans: Sequence[Span]) -> None:
    totals = daily_totals(series)
    if len(totals) < WHOLE_DAYS_MIN:
        print(f"{series.name:36} {len(totals)} whole days in a row: too short")
        return
    half, choices = len(totals) // 2, Choices(totals)
    fixed = choices.best(half)
    first_day = first_whole_day(series)
    for horizon in HORIZONS:
        origins = range(FIRST_ORIGIN_DAYS, len(totals) - horizon + 1)
        shipped = tries(totals, horizon, origins, lambda _: TUNING)
        online = tries(totals, horizon, origins, choices.best)
        second = tries(totals, horizon, range(half, origins.stop), lambda _: fixed)
        rows = {
            "shipped, all": shipped,
            "from the days before each, all": online,
            "shipped, first half": [one for one in shipped if one.origin + horizon <= half],
            "shipped, second half": [one for one in shipped if one.origin >= half],
            "from the first half, second half": second,
            "the same, no labelled day ahead": [
                one for one in second if not labelled_ahead(first_day, one.origin, horizon, spans)
            ],
        }
        for name, once in rows.items():
            if once:
                _print_tried(f"{series.name:36} {horizon:5}  {name:38}", summary(once))
    print(f"{series.name:36} constants of the first half: {fixed}; shipped: {TUNING}")


def first_whole_day(series: Series) -> int:
    """The ordinal of the first day that `daily_totals` adds up."""
    known: Counter[int] = Counter(
        (series.start + timedelta(seconds=place * series.step_s)).toordinal()
        for place, value in enumerate(series.samples)
        if value is not None
    )
    return min(day for day, count in known.items() if count * series.step_s >= WHOLE * DAY_S)


def labelled_ahead(first_day: int, origin: int, horizon: int, spans: Sequence[Span]) -> bool:
    """Whether a day that is forecast is one of a labelled window."""
    first = first_day + origin
    return any(begin.toordinal() < first + horizon and end.toordinal() >= first for begin, end in spans)


def _print_tried(head: str, tried: Tried) -> None:
    days, sums = (f"{100 * near:.0f}/{100 * far:.0f}" for near, far in (tried.days_within, tried.sums_within))
    print(
        f"{head} {tried.origins:5} {100 * tried.total:6.2f} {100 * tried.daily:6.2f}  {days:>13} {sums:>13}  "
        f"{100 * tried.mean_total:10.2f} {100 * tried.week_total:9.2f}"
    )


def _print_caught(name: str, step: str, caught: Sequence[Caught]) -> None:
    cells = [f"{one.windows}/{one.labelled} + {one.false_days}" for one in caught]
    print(f"{name:36} {caught[0].days:5} {step:>6} " + " ".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
