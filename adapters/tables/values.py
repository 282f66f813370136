"""Values of tables as text."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.analytics.table import ColumnKind
from domain.money import format_usd

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def moment(us: int) -> datetime:
    """Epoch microseconds as a time."""
    return EPOCH + us * _MICROSECOND


def time_text(us: int) -> str:
    """Epoch microseconds as ISO text that ends with `Z`."""
    whole = moment(us).isoformat(timespec="microseconds" if us % 1_000_000 else "seconds")
    return whole.replace("+00:00", "Z")


def shown(value: object, kind: ColumnKind) -> object:
    """Times and dollars as exact text; anything else as it is."""
    if value is None or not isinstance(value, int):
        return value
    if kind is ColumnKind.TIME:
        return time_text(value)
    if kind is ColumnKind.USD:
        return format_usd(value)
    return value
