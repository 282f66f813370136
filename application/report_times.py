"""Which time a report is of, where its caller names none."""

from datetime import UTC, datetime, timedelta
from typing import Final

DEFAULT_DAYS: Final = 30
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def us(moment: datetime) -> int:
    """UTC epoch microseconds of an aware moment."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def last_days(
    now: datetime, from_us: int | None, to_us: int | None, days: int = DEFAULT_DAYS
) -> tuple[int, int]:
    """From inclusive, to exclusive: the last days, today included, as far as neither is given."""
    first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    return us(first) if from_us is None else from_us, us(now) + 1 if to_us is None else to_us
