"""How long a budget lasts before it starts anew: calendar periods in a time zone, or a sliding window."""

from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.errors import InvalidRequest

ROLLING_SLOTS: Final = 60
"""Parts of a sliding window. What was spent in a part is forgotten as a whole, after the window has passed
its end: spending is remembered for up to a sixtieth too long, never too short."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PeriodUnit(Enum):
    """Calendar lengths; weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    TOTAL = "total"


ROLLING_S: Final = {
    PeriodUnit.HOUR: 3600,
    PeriodUnit.DAY: 86_400,
    PeriodUnit.WEEK: 7 * 86_400,
    PeriodUnit.MONTH: 30 * 86_400,
    PeriodUnit.QUARTER: 90 * 86_400,
    PeriodUnit.YEAR: 365 * 86_400,
}
"""Lengths of sliding windows in seconds: a month slides over 30 days, a year over 365."""


class Window(NamedTuple):
    """The period that holds a moment. `key` names it; UTC epoch microseconds, end exclusive, None: never."""

    key: str
    start_us: int
    end_us: int | None
    rolling_us: int = 0
    """Length of a sliding window; 0: a calendar period."""


class Period(NamedTuple):
    """`time_zone` is an IANA name; it says when a calendar period begins."""

    unit: PeriodUnit
    rolling: bool = False
    time_zone: str = "UTC"

    def window(self, now: datetime) -> Window:
        """The period that holds `now` (aware). A sliding window of one length is one account for ever."""
        if self.rolling:
            return Window(f"rolling:{self.unit.value}", 0, None, ROLLING_S[self.unit] * 1_000_000)
        if self.unit is PeriodUnit.TOTAL:
            return Window("total", 0, None)
        zone = ZoneInfo(self.time_zone)
        if self.unit is PeriodUnit.HOUR:
            return self._hour(now, zone)
        first, following = _days(self.unit, now.astimezone(zone).date())
        start, end = _midnight(first, zone), _midnight(following, zone)
        return Window(f"{self.unit.value}:{first.isoformat()}", _us(start), _us(end))

    @staticmethod
    def _hour(now: datetime, zone: ZoneInfo) -> Window:
        # Hours are counted in UTC and put on the zone's grid, so that the hour a clock repeats is two.
        offset = now.astimezone(zone).utcoffset() or timedelta()
        shift = offset % timedelta(hours=1)
        start = (now.astimezone(UTC) + shift).replace(minute=0, second=0, microsecond=0) - shift
        end = start + timedelta(hours=1)
        return Window(f"hour:{start.strftime('%Y-%m-%dT%H:%MZ')}", _us(start), _us(end))


def make_period(unit: str, *, rolling: bool = False, time_zone: str = "UTC") -> Period:
    """A period from its words.

    Raises:
        InvalidRequest: an unknown unit or time zone, or a sliding window without an end.
    """
    try:
        known = PeriodUnit(unit)
    except ValueError:
        allowed = ", ".join(each.value for each in PeriodUnit)
        raise InvalidRequest(f"no period {unit[:40]!r}; allowed: {allowed}", param="period") from None
    if rolling and known is PeriodUnit.TOTAL:
        raise InvalidRequest("a total budget has no rolling window", param="rolling")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequest(
            f"no time zone {time_zone[:60]!r}; allowed: an IANA name such as UTC or Europe/Paris",
            param="time_zone",
        ) from None
    return Period(known, rolling, time_zone)


def slot_of(now_us: int, rolling_us: int) -> int:
    """The number of the part of a sliding window that a moment falls into."""
    return now_us // slot_length_us(rolling_us)


def slot_length_us(rolling_us: int) -> int:
    """Length of one part."""
    return max(1, rolling_us // ROLLING_SLOTS)


def oldest_slot(now_us: int, rolling_us: int) -> int:
    """The oldest part of which something still counts at this moment."""
    return slot_of(now_us - rolling_us, rolling_us)


def _days(unit: PeriodUnit, day: date) -> tuple[date, date]:
    match unit:
        case PeriodUnit.DAY:
            return day, day + timedelta(days=1)
        case PeriodUnit.WEEK:
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case PeriodUnit.MONTH:
            return _months(day.year, day.month, 1)
        case PeriodUnit.QUARTER:
            return _months(day.year, (day.month - 1) // 3 * 3 + 1, 3)
        case _:
            return _months(day.year, 1, 12)


def _months(year: int, month: int, length: int) -> tuple[date, date]:
    after = month - 1 + length
    return date(year, month, 1), date(year + after // 12, after % 12 + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
