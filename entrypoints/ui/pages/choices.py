"""What people choose on pages about usage: a time, and what it is told by. All times are UTC."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from entrypoints.ui.page import Ask, Field

TIMES: Final = ("24 hours", "7 days", "30 days", "90 days", "this month", "last month", "this year")
OTHERS: Final = "all others"
SERIES_MAX: Final = 5
EXPLORED: Final = {
    "agent": "agent_id", "user": "user_id", "session": "session_id", "key": "key_id",
    "provider": "provider", "model": "model", "route": "route", "outcome": "outcome", "cache": "cache",
    "task": "task",
}  # fmt: skip
"""Dimensions that the explorer filters by, as it calls them."""


def time_field(default: str) -> Field:
    """A chooser of times."""
    return Field("time", "Time", "choice", required=True, choices=TIMES, default=default)


def chosen(ask: Ask, name: str, allowed: Sequence[str], default: str) -> str:
    """What was chosen of these; the default for anything else."""
    said = ask.query.get(name, "")
    return said if said in allowed else default


def span(now: datetime, time: str) -> tuple[datetime, datetime | None]:
    """From when, and to when; None: until now. Begins with a whole hour or a whole day."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    if time == "24 hours":
        return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23), None
    if time == "this month":
        return month, None
    if time == "this year":
        return day.replace(month=1, day=1), None
    if time == "last month":
        return (month - timedelta(days=1)).replace(day=1), month
    return day - timedelta(days=int(time.partition(" ")[0]) - 1), None


def asked(ask: Ask, time: str) -> dict[str, str | None]:
    """The same as parameters of the API."""
    start, end = span(ask.now, time)
    return {"from_": start.isoformat(), "to": None if end is None else end.isoformat()}


def buckets(start: datetime, end: datetime, bucket: str) -> list[str]:
    """The names that sums by `hour` or `day` have, from the first to the last of the time."""
    step = timedelta(hours=1) if bucket == "hour" else timedelta(days=1)
    names = []
    while start < end:
        names.append(start.strftime("%Y-%m-%dT%H" if bucket == "hour" else "%Y-%m-%d"))
        start += step
    return names


def epoch_s(name: str) -> float:
    """When an hour, a day or a month of that name begins."""
    return datetime.fromisoformat(f"{name}:00+00:00" if "T" in name else f"{name}T00:00+00:00").timestamp()


def explorer(dimension: str, ask: Ask, time: str) -> str:
    """A column's link from a `group` to its requests; empty: the explorer does not filter by this."""
    name = EXPLORED.get(dimension)
    if name is None:
        return ""
    start, end = span(ask.now, time)
    said = {"from": start.isoformat(timespec="minutes")}
    said |= {} if end is None else {"to": end.isoformat(timespec="minutes")}
    return f"/ui/requests?{urlencode(said)}&{name}={{group}}"


def leading(rows: Sequence[Mapping[str, Any]], dimension: str, amount: str) -> list[str]:
    """The values with the highest sums, the highest first; at most as many as a chart can show."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row[dimension]] = sums.get(row[dimension], 0) + row[amount]
    return sorted(sums, key=lambda name: (-sums[name], name))[:SERIES_MAX]
