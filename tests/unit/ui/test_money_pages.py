"""Times, groups, advice and amounts as pages about money tell them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from entrypoints.ui.drawing import drawn
from entrypoints.ui.page import Band, Chart, Series
from entrypoints.ui.pages.budgets import per_text, scope_text
from entrypoints.ui.pages.choices import SERIES_MAX, TIMES, buckets, epoch_s, leading, span
from entrypoints.ui.pages.costs import between, course
from entrypoints.ui.pages.limits import lets
from entrypoints.ui.pages.recommendations import evidence
from entrypoints.ui.rendering import environment, shown

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "start", "end"),
    [
        ("24 hours", day(3, 13, 16), None),
        ("7 days", day(3, 8), None),
        ("30 days", day(2, 13), None),
        ("this month", day(3, 1), None),
        ("last month", day(2, 1), day(3, 1)),
        ("this year", day(1, 1), None),
    ],
)
def test_a_time_begins_with_a_whole_hour_or_day(time: str, start: datetime, end: datetime | None) -> None:
    assert span(NOW, time) == (start, end)


def test_every_time_that_can_be_chosen_is_understood() -> None:
    for time in TIMES:
        assert span(NOW, time)[0] < NOW


def test_hours_and_days_without_usage_have_their_place() -> None:
    start, _ = span(NOW, "24 hours")
    hours = buckets(start, NOW, "hour")
    assert (len(hours), hours[0], hours[-1]) == (24, "2026-03-13T16", "2026-03-14T15")
    assert buckets(day(3, 8), NOW, "day")[-1] == "2026-03-14"
    assert epoch_s("2026-03-13T16") - epoch_s("2026-03-13") == 16 * 3600


def test_a_chart_shows_the_highest_and_sums_up_the_others() -> None:
    groups = [
        {"day": "2026-03-14", "model": f"m{number}", "cost_nano_usd": number * 10**9} for number in range(8)
    ]
    assert leading(groups, "model", "cost_nano_usd") == ["m7", "m6", "m5", "m4", "m3"]
    whole = [{"day": "2026-03-14", "cost_nano_usd": 28 * 10**9}]
    chart = course(groups[3:], whole, "model", "day", day(3, 13), NOW)
    assert [series.title for series in chart.series][SERIES_MAX] == "all others"
    assert [series.values for series in chart.series][SERIES_MAX] == [0.0, 3.0]
    assert sum(series.values[1] or 0 for series in chart.series) == 28.0


def test_a_stack_is_drawn_upon_what_is_below() -> None:
    chart = Chart(
        name="x",
        title="x",
        times_s=[1, 2],
        stacked=True,
        series=[Series("a", [1.0, None]), Series("b", [3.0, 4.0])],
    )
    picture = drawn(chart)
    assert picture.count("<rect") == 4
    assert picture.index('class="bar s1"') < picture.index('class="bar s0"')


def test_a_band_lies_between_its_edges_in_the_colour_of_its_line() -> None:
    chart = Chart(
        name="x",
        title="x",
        times_s=[1, 2, 3],
        series=[
            Series("a", [None, 2.0, 3.0]),
            Series("low", [None, 1.0, 2.0]),
            Series("high", [None, 3.0, 4.0]),
        ],
        bands=(Band("80 %", 1, 2, 0),),
    )
    picture = drawn(chart)
    assert chart.edges == {1: 0, 2: 0}
    assert picture.count('<polygon class="band s0"') == 1
    assert picture.count("edge s0") == 2
    parts = environment().get_template("parts.html").make_module({})
    legend = str(parts.chart(chart)).partition("</figcaption>")[0]  # type: ignore[attr-defined]
    assert "80 %" in legend and "low" not in legend


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0.123, "part", "12.3 %"),
        (0.644, "change", "+64 %"),
        (-0.2, "change", "-20 %"),
        (None, "change", "\u2013"),
    ],
)
def test_shares_and_changes_have_their_own_looks(value: object, kind: str, text: str) -> None:
    assert shown(value, kind) == text


def test_an_interval_without_width_is_exact() -> None:
    estimate = {"low_nano_usd": 1, "high_nano_usd": 1, "low_usd": "0", "high_usd": "0"}
    assert between(estimate) == "exact"
    wide = {"low_nano_usd": 1, "high_nano_usd": 2, "low_usd": "1.5", "high_usd": "12.25"}
    assert between(wide) == "between $1.50 and $12.25"


def test_evidence_is_told_in_words_and_money_in_dollars() -> None:
    said: Mapping[str, Any] = {
        "from_us": 1_767_225_600_000_000,
        "requests": 60,
        "spent_usd": "14.5",
        "would_have_cost": {"low_usd": "1", "expected_usd": "2", "high_usd": "3", "low_nano_usd": 10**9},
        "prices": {"a/b": {"input_nano_usd_per_mtok": 3 * 10**9}},
        "capabilities_used": ["text", "tools"],
        "assumed": ["as many tokens"],
    }
    (_, plain), (title, prices) = evidence(dict(said))
    assert plain == [
        ("looked at from", 1_767_225_600_000_000, "when"),
        ("requests", 60, "number"),
        ("spent", "14.5", "usd"),
        ("would have cost", "$2.00 ($1.00 to $3.00)", "text"),
        ("capabilities used", ["text", "tools"], "list"),
    ]
    assert (title, prices) == ("prices", [("a/b, input per million tokens", 3.0, "usd")])


def test_scopes_times_and_amounts_are_told_in_words() -> None:
    assert scope_text({"tenant": "default", "agent": "*"}) == "tenant default, each agent"
    assert per_text({"period": "total", "rolling": False, "time_zone": "UTC"}) == "for ever"
    assert per_text({"period": "month", "rolling": True, "time_zone": "UTC"}) == "month, rolling"
    assert per_text({"period": "day", "rolling": False, "time_zone": "Europe/Paris"}) == "day (Europe/Paris)"
    assert lets({"requests": 600, "tokens": 100_000}) == "600 requests and 100,000 tokens"
