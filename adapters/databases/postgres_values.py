"""PostgreSQL's values: from JSON to what asyncpg binds, and from what it reads to plain Python.

Times travel as numbers, so that neither `infinity` nor microseconds nor years beyond Python's get lost;
here they are ISO 8601 text.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

_DAY_US: Final = 86_400_000_000
_EPOCH_DAY: Final = date(2000, 1, 1).toordinal()
_EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a timestamp without a zone counts from here
_NEVER_US: Final = {2**63 - 1: "infinity", -(2**63): "-infinity"}
_NEVER_DAY: Final = {2**31 - 1: "infinity", -(2**31): "-infinity"}
_NEVER: Final = {"infinity": 1, "-infinity": -1}
_PLAIN: Final = frozenset({str, int, float, bool, type(None), Decimal, bytes, dict})
_DURATION: Final = re.compile(
    r"P(?:(-?\d{1,6})Y)?(?:(-?\d{1,6})M)?(?:(-?\d{1,6})W)?(?:(-?\d{1,7})D)?"
    r"(?:T(?:(-?\d{1,7})H)?(?:(-?\d{1,7})M)?(?:(-?\d{1,9}(?:\.\d{1,6})?)S)?)?"
)
_INTEGERS: Final = frozenset({"int2", "int4", "int8", "oid"})
_FLOATS: Final = frozenset({"float4", "float8"})


def bindable(value: Any, type_name: str, kind: str) -> Any:
    """A JSON value for a place of that type. Raises ValueError, whose text shows no value."""
    if value is None:
        return None
    if kind == "array" or type_name.endswith("[]"):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise ValueError("must be a list")
        return [bindable(each, type_name.removesuffix("[]"), "scalar") for each in value]
    if type_name in _INTEGERS:
        return _integer(value)
    if type_name in _FLOATS or type_name == "numeric":
        return _number(value, exact=type_name == "numeric")
    if type_name == "bool":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value
    if type_name == "bytea":
        return _bytes(value)
    if type_name in ("json", "jsonb"):
        return value
    if isinstance(value, dict | list):
        raise ValueError("must be one value")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a whole number")
    try:
        number = int(value)
    except (ValueError, OverflowError):
        raise ValueError("must be a whole number") from None
    if isinstance(value, float) and number != value:
        raise ValueError("must be a whole number")
    return number


def _number(value: Any, *, exact: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("must be a number")
    try:
        return Decimal(str(value)) if exact else float(value)
    except (ValueError, OverflowError, InvalidOperation):
        raise ValueError("must be a number") from None


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ValueError("must be base64") from None


def plain_row(record: Sequence[Any]) -> list[Any]:
    """A row without asyncpg's own kinds of values."""
    return [value if type(value) in _PLAIN else _plain(value) for value in record]


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "keys") and not isinstance(value, dict):  # a composite value
        return {key: _plain(value[key]) for key in value.keys()}  # noqa: SIM118 - iterating gives its values
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "lower_inc"):
        return _range(value)
    if hasattr(value, "as_string"):  # bits
        return value.as_string()
    return str(value)


def _range(value: Any) -> str:
    """As PostgreSQL writes it: `[1,5)`."""
    if value.isempty:
        return "empty"
    lower = "" if value.lower is None else str(_plain(value.lower))
    upper = "" if value.upper is None else str(_plain(value.upper))
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"


def civil(day: int) -> str:
    """A day, counted from 2000-01-01, as ISO 8601; years outside 0001 to 9999 with their sign."""
    ordinal = day + _EPOCH_DAY
    if 1 <= ordinal <= date.max.toordinal():
        return date.fromordinal(ordinal).isoformat()
    shifted = ordinal + 305  # days since 0000-03-01, so that a leap day ends a year
    era, of_era = divmod(shifted, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (month <= 2)
    return f"{year:+05d}-{month:02d}-{day_of_year - (153 * shifted_month + 2) // 5 + 1:02d}"


def _clock(us: int) -> str:
    seconds, fraction = divmod(us, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


def read_date(parts: tuple[int]) -> str:
    return _NEVER_DAY.get(parts[0]) or civil(parts[0])


def read_time(parts: tuple[int]) -> str:
    return _clock(parts[0])


def read_timetz(parts: tuple[int, int]) -> str:
    """The server counts seconds west of Greenwich; ISO 8601 writes them east."""
    us, west_s = parts
    sign, offset_s = ("-", west_s) if west_s > 0 else ("+", -west_s)
    return f"{_clock(us)}{sign}{offset_s // 3600:02d}:{offset_s // 60 % 60:02d}"


def read_timestamp(parts: tuple[int]) -> str:
    us = parts[0]
    return _NEVER_US.get(us) or f"{civil(us // _DAY_US)}T{_clock(us % _DAY_US)}"


def read_timestamptz(parts: tuple[int]) -> str:
    text = read_timestamp(parts)
    return text if parts[0] in _NEVER_US else f"{text}Z"


def read_interval(parts: tuple[int, int, int]) -> str:
    """ISO 8601; months and days are no fixed time, so they stay what they are."""
    months, days, us = parts
    date_part = "".join(
        f"{count}{unit}" for count, unit in ((months // 12, "Y"), (months % 12, "M"), (days, "D")) if count
    )
    if not us:
        return f"P{date_part}" if date_part else "PT0S"
    sign, rest = ("-", -us) if us < 0 else ("", us)
    seconds, fraction = divmod(rest, 1_000_000)
    part = f"{seconds}.{fraction:06d}".rstrip("0").rstrip(".") if fraction else str(seconds)
    return f"P{date_part}T{sign}{part}S"


def _write_date(text: str) -> tuple[int]:
    if text in _NEVER:
        return (2**31 - 1,) if _NEVER[text] > 0 else (-(2**31),)
    return (date.fromisoformat(text[:10]).toordinal() - _EPOCH_DAY,)


def _write_time(text: str) -> tuple[int]:
    return (_day_us(time.fromisoformat(text)),)


def _write_timetz(text: str) -> tuple[int, int]:
    moment = time.fromisoformat(text)
    offset = moment.utcoffset()
    return _day_us(moment), -int(offset.total_seconds()) if offset is not None else 0


def _write_timestamp(text: str) -> tuple[int]:
    """A zone is taken into account where there is one: it is UTC then."""
    if text in _NEVER:
        return (2**63 - 1,) if _NEVER[text] > 0 else (-(2**63),)
    moment = datetime.fromisoformat(text)
    offset = moment.utcoffset()
    since = moment.replace(tzinfo=None) - _EPOCH - (offset or (_EPOCH - _EPOCH))
    return (since.days * _DAY_US + since.seconds * 1_000_000 + since.microseconds,)


def _write_interval(text: str) -> tuple[int, int, int]:
    found = _DURATION.fullmatch(text)
    if found is None or text in ("P", "PT"):
        raise ValueError("an interval is ISO 8601, such as P1DT12H")
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups()[:6])
    us = int(Decimal(found[7] or 0) * 1_000_000) + (hours * 60 + minutes) * 60_000_000
    return years * 12 + months, weeks * 7 + days, us


def _day_us(moment: time) -> int:
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _write_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _read_json(data: bytes) -> Any:
    """Its text where it says what no number of ours can hold."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode(errors="replace")


Codec = tuple[Callable[..., Any], Callable[..., Any], str]
CODECS: Final[Mapping[str, Codec]] = {
    "date": (_write_date, read_date, "tuple"),
    "time": (_write_time, read_time, "tuple"),
    "timetz": (_write_timetz, read_timetz, "tuple"),
    "timestamp": (_write_timestamp, read_timestamp, "tuple"),
    "timestamptz": (_write_timestamp, read_timestamptz, "tuple"),
    "interval": (_write_interval, read_interval, "tuple"),
    "json": (_write_json, _read_json, "binary"),
    "jsonb": (lambda value: b"\x01" + _write_json(value), lambda data: _read_json(data[1:]), "binary"),
}
"""By type: encoder, decoder, and what asyncpg calls their format."""
