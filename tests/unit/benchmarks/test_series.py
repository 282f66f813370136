"""What the benchmark of series counts."""

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.forecast_choices import Choices
from benchmarks.series import (
    Series,
    daily_totals,
    hourly,
    labelled_ahead,
    read_series,
    try_detector,
    try_forecast,
)
from domain.forecasting.level import TUNING

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_file_becomes_even_samples_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "group__name.csv"
    path.write_text("timestamp,value\n2030-01-01 00:00:00,1\n2030-01-01 00:30:00,3\n2030-01-01 02:00:00,5\n")
    path.write_text(path.read_text() + "2030-01-01 02:30:00,7\n2030-01-01 03:00:00,9\n")
    series = read_series(path)
    assert series == Series("name", START, 1800, [1, 3, None, None, 5, 7, 9])
    assert hourly(series).samples == [2, None, 6, 9]


def test_only_whole_days_are_added_up() -> None:
    series = Series("name", START.replace(hour=12), 3600, [1.0] * (12 + 48 + 5))
    assert daily_totals(series) == [24.0, 24.0]


def test_a_perfect_week_is_foretold_and_a_label_is_hit() -> None:
    tried = try_forecast([float(day % 7 + 1) for day in range(60)], 7)
    assert tried.origins == 26
    assert tried.total < 1e-9
    assert tried.sums_within == (1.0, 1.0)
    samples: list[float | None] = [100.0] * 960
    samples[900:906] = [900.0] * 6
    spike = (START.replace(month=2, day=7), START.replace(month=2, day=8))
    series = Series("name", START, 3600, samples)
    caught = try_detector(series, [spike, (START, START)], 0.25)
    assert (caught.windows, caught.labelled, caught.false_days, caught.days) == (1, 2, 0, 40)


def test_constants_are_chosen_from_weeks_that_are_over() -> None:
    totals = [float(day % 7 + 1) * (1 + day % 3) for day in range(50)]
    changed = [*totals[:40], *[amount * 9 for amount in totals[40:]]]
    assert Choices(totals).best(20) == TUNING, "there was no week yet"
    assert Choices(totals).best(40) == Choices(changed).best(40), "later days do not matter"


def test_a_forecast_that_meets_a_label_is_told_apart() -> None:
    first, label = START.toordinal(), (START.replace(day=11), START.replace(day=12))
    ahead = [origin for origin in range(30) if labelled_ahead(first, origin, 7, [label])]
    assert ahead == list(range(4, 12))
