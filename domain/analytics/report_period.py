"""Which week or month a scheduled report is of."""

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple


class Every(Enum):
    """How often a report comes; each is of whole UTC weeks (from Monday) or months."""

    WEEK = "week"
    MONTH = "month"


class Period(NamedTuple):
    """From inclusive, to exclusive, UTC. `label` is `2030-01` or `2030-W05` (ISO 8601)."""

    start: datetime
    end: datetime
    label: str


def last_period(every: Every, now: datetime) -> Period:
    """The newest one that is over."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if every is Every.MONTH:
        end = midnight.replace(day=1)
        start = (end - timedelta(days=1)).replace(day=1)
        return Period(start, end, f"{start:%Y-%m}")
    end = midnight - timedelta(days=midnight.weekday())
    start = end - timedelta(days=7)
    year, week, _ = start.isocalendar()
    return Period(start, end, f"{year}-W{week:02d}")


_MONTH: Final = re.compile(r"(20\d{2})-(0[1-9]|1[0-2])")
_WEEK: Final = re.compile(r"(20\d{2})-W(0[1-9]|[1-4]\d|5[0-3])")


def period_named(text: str) -> Period | None:
    """The period of a label; None: it is none."""
    if found := _MONTH.fullmatch(text):
        start = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
        return Period(start, (start + timedelta(days=32)).replace(day=1), text)
    if found := _WEEK.fullmatch(text):
        try:
            start = datetime.fromisocalendar(int(found[1]), int(found[2]), 1).replace(tzinfo=UTC)
        except ValueError:
            return None  # not every year has a week 53
        return Period(start, start + timedelta(days=7), text)
    return None
