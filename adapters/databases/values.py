"""Values of databases as JSON can say them, and rows as results of tools."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from application.ports.database_engine import Rows

_AS_IT_IS: Final = frozenset({str, int, bool, type(None)})


def _float(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _decimal(value: Decimal) -> str | None:
    return format(value, "f") if value.is_finite() else None


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return base64.b64encode(value).decode()


def _duration(value: timedelta) -> str:
    us = value // timedelta(microseconds=1)
    sign, us = ("-", -us) if us < 0 else ("", us)
    seconds, fraction = divmod(us, 1_000_000)
    return f"PT{sign}{seconds}.{fraction:06d}S" if fraction else f"PT{sign}{seconds}S"


def _list(value: Sequence[Any]) -> list[Any]:
    return [json_safe(each) for each in value]


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): json_safe(each) for key, each in value.items()}


_WAYS: Final[Mapping[type, Callable[[Any], Any]]] = {
    float: _float,
    Decimal: _decimal,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _duration,
    list: _list,
    tuple: _list,
    set: lambda value: _list(sorted(value, key=str)),
    dict: _mapping,
}


def json_safe(value: Any) -> Any:
    """Decimals as text, times as ISO 8601, bytes as base64, what is no number as null; else its text."""
    if type(value) in _AS_IT_IS:
        return value
    way = _WAYS.get(type(value))
    return way(value) if way is not None else str(value)


def json_row(row: Sequence[Any]) -> list[Any]:
    return [value if type(value) in _AS_IT_IS else json_safe(value) for value in row]


def unique(columns: Sequence[str]) -> list[str]:
    """Names as keys of objects: the second `id` is `id_2`."""
    seen: set[str] = set()
    found = []
    for column in columns:
        name, number = column, 1
        while name in seen:
            number += 1
            name = f"{column}_{number}"
        seen.add(name)
        found.append(name)
    return found


def rows_value(rows: Rows, *, objects: bool = False) -> dict[str, Any]:
    """A result of a tool that `returns: rows`."""
    names = unique(rows.columns)
    listed: list[Any] = [json_row(row) for row in rows.rows]
    if objects:
        listed = [dict(zip(names, row, strict=True)) for row in listed]
    return {
        "columns": [{"name": name, "type": kind} for name, kind in zip(names, rows.types, strict=True)],
        "rows": listed,
        "row_count": len(listed),
        "truncated": rows.truncated,
    }
