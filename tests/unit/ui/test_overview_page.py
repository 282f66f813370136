"""What the overview makes of hours."""

from datetime import UTC, datetime

from entrypoints.ui.pages.overview import every_hour

NOW = datetime(2030, 1, 3, 10, 20, tzinfo=UTC)


def test_the_last_day_ends_now_and_not_with_the_last_request() -> None:
    rows = every_hour([{"hour": "2030-01-02T07", "requests": 5}], NOW)
    assert [row["hour"] for row in rows][-1] == "2030-01-03T10"
    assert sum(row["requests"] for row in rows[-24:]) == 0
    assert sum(row["requests"] for row in rows) == 5


def test_without_requests_there_are_no_hours() -> None:
    assert every_hour([], NOW) == []
