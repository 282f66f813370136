"""How many known changes of made-up usage the anomaly detector finds, and how often it cries wolf.

Run: `python -m benchmarks.anomaly_shapes [--seeds N]`. Prints tables and asserts nothing: false alarms by
shape of usage and metric, in days with a report per 30 days; and how many changes were reported while they
lasted, by shape, with the hours from the change to the beginning of the window (median), and the kinds that
were said when it ended.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

from benchmarks.usage_shapes import BUSY, CHANGES, DAY, SHAPES, Change, Shape, changed, usage
from domain.anomalies.metrics import Metric, find_anomalies

CHANGE_DAYS: Final = (50, 12)
"""When changes happen."""
CLEAN_DAYS: Final = (90, 14)
BUSY_WEEKEND: Final = "busy weekend"
SATURDAY: Final = 5


class Result(NamedTuple):
    """Of one change in several runs: hours from its beginning to that of the window, where it was found."""

    runs: int
    delays_h: list[int]
    kinds: list[str]


def false_days(shape: Shape, metric: Metric, days: int, seed: int) -> int:
    """Days with a report in usage in which nothing happened."""
    reports = find_anomalies(metric, usage(shape, days, seed))
    return len({hour // DAY for one in reports for hour in range(one.window.first, one.window.last + 1)})


def try_change(shape: Shape, change: Change, day: int, seeds: Sequence[int]) -> Result:
    """From that day on, by seed up to four days later. Found: what was known when it ended shows a window
    that reaches into it and begins a day early at most: what was strange before may be of the same window."""
    delays, kinds = [], []
    for seed in seeds:
        at = day + ((SATURDAY - day) % 7 if change.name == BUSY_WEEKEND else seed % 5)
        first = at * DAY + change.at_hour
        last = first + len(change.factors)
        hours = changed(usage(shape, last // DAY + 1, seed), change, first, seed)[:last]
        windows = [found.window for found in find_anomalies(change.metric, hours)]
        hit = [window for window in windows if window.last >= first <= window.first + DAY]
        if hit:
            delays.append(hit[0].first - first)
            kinds.append(hit[-1].kind.value)
    return Result(len(seeds), delays, kinds)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description="Tries anomaly detection on made-up usage.")
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    for days in CLEAN_DAYS:
        print(f"\nDays with false alarms per 30 days, of {days} days of usage")
        print(f"{'shape':18} " + " ".join(f"{metric.value:>9}" for metric in Metric))
        for shape in SHAPES:
            sums = [sum(false_days(shape, metric, days, seed) for seed in seeds) for metric in Metric]
            print(f"{shape.name:18} " + " ".join(f"{30 / days * each / len(seeds):9.2f}" for each in sums))
    for day in CHANGE_DAYS:
        print(f"\nChanges found, after {day} days")
        print(f"{'change':42} " + " ".join(f"{shape.name:>15}" for shape in BUSY) + "    all  begins")
        for change in CHANGES:
            _print_change(change, {shape: try_change(shape, change, day, seeds) for shape in change.shapes})


def _print_change(change: Change, results: Mapping[Shape, Result]) -> None:
    cells = [f"{len(one.delays_h)}/{one.runs}" for one in results.values()]
    delays = [delay for one in results.values() for delay in one.delays_h]
    kinds = Counter(kind for one in results.values() for kind in one.kinds)
    share = len(delays) / sum(one.runs for one in results.values())
    begins = f"{median(delays):+.0f} h" if delays else "-"
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    row = " ".join(f"{cell:>15}" for cell in cells)
    print(f"{change.name:42} {row:95} {100 * share:4.0f} % {begins:>7}  {said}")


if __name__ == "__main__":
    main()
