"""Templates, and how values look in them. Nothing is trusted: everything is escaped."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from entrypoints.ui.drawing import drawn
from entrypoints.ui.page import KEPT, Act, Column, Table

UNKNOWN: Final = "\u2013"
_UNITS: Final = ((86_400, "day"), (3600, "h"), (60, "min"), (1, "s"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEMPLATES: Final = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Made once; templates are compiled when they are first used."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(shown=shown, at=at, drawn=drawn, linked=linked, iso=iso, state_class=state_class)
    made.filters.update(pretty=pretty, marked=marked, written=written, emptiable=emptiable)
    made.filters.update(filled=filled)
    return made


def marked(text: str) -> Markup:
    """A sentence whose `words` in backticks are code."""
    parts = text.split("`")
    # What has no end is no code.
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def pretty(value: Any) -> str:
    """JSON for people, in the order it has."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def written(value: Any, kind: str) -> str:
    """A value as a form's field of this kind holds it: lists on lines, objects as JSON; unknown is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    if kind == "json" or isinstance(value, Mapping):
        return pretty(value) if value else ""
    if isinstance(value, (list, tuple)):
        return "\n".join(str(each) for each in value)
    return str(value)


def emptiable(act: Act, values: Mapping[str, Any]) -> str:
    """Names of fields that a change shows with a value and that may be emptied, with spaces between."""
    if act.method != "PUT":
        return ""
    names = (field.name for field in act.fields if field.emptied is not KEPT)
    return " ".join(name for name in names if values.get(name) not in (None, "", [], ()))


def at(row: Any, path: str) -> Any:
    """What stands at a dotted path of a JSON value; None: nothing does."""
    if isinstance(row, Mapping) and path in row:
        return row[path]
    for name in path.split("."):
        if not isinstance(row, Mapping):
            return None
        row = row.get(name)
    return row


def filled(table: Table) -> list[Column]:
    """The columns that are shown: those of wide screens only where a row has something in them."""
    return [
        column
        for column in table.columns
        if not column.wide or any(at(row, column.key) not in (None, "", [], {}) for row in table.rows)
    ]


def linked(link: str, row: Any) -> str:
    """A column's link for one row."""
    for part in link.split("{")[1:]:
        name = part.partition("}")[0]
        link = link.replace("{" + name + "}", quote(str(at(row, name) or ""), safe=""))
    return link


def shown(value: Any, kind: str = "text") -> str:
    """A value as people read it; unknown is a dash, never a zero."""
    if value is None or value == "":
        return UNKNOWN
    try:
        as_text: Callable[[Any], str] = _SHOWN.get(kind, _text)
        return as_text(value)
    except (TypeError, ValueError, InvalidOperation, OverflowError):
        return str(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(each)}" for name, each in value.items()) or UNKNOWN
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(each) for each in value) or UNKNOWN
    return str(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return _text(value)
    number = Decimal(str(value))
    if number == number.to_integral():
        return f"{int(number):,}"
    return f"{number:,.2f}" if abs(number) >= 10 else f"{float(number):.3g}"


def _usd(value: Any) -> str:
    """Cents of large amounts, and enough of small ones to tell them apart."""
    amount = Decimal(str(value))
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"{sign}${amount:,.2f}"
    places = min(9, max(2, 2 - amount.adjusted()))
    cents, _, rest = f"{amount:.{places}f}".partition(".")
    return f"{sign}${cents}.{rest[:2]}{rest[2:].rstrip('0')}"


def _us(value: Any) -> str:
    us = float(value)
    if us < 1000:
        return f"{us:.0f} µs"
    if us < 1e6:
        return f"{us / 1e3:.1f} ms" if us < 1e5 else f"{us / 1e3:.0f} ms"
    if us < 10e6:
        return f"{us / 1e6:.2f} s"
    if round(us / 1e6) < 60:
        return f"{us / 1e6:.0f} s" if us % 1e6 == 0 else f"{us / 1e6:.1f} s"
    return _long_time(round(us / 1e6))


def _long_time(seconds: int) -> str:
    """The two largest units: `1 h 30 min`, `7 days`."""
    parts = []
    for size, unit in _UNITS:
        many, seconds = divmod(seconds, size)
        if many:
            parts.append(f"{many:,} {unit}" + ("s" if unit == "day" and many > 1 else ""))
        elif parts:
            break
    return " ".join(parts[:2])


def _bytes(value: Any) -> str:
    size = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def iso(value: Any) -> str:
    """A time as HTML's `datetime` wants it: ISO, UTC; of epoch microseconds or ISO text."""
    if value in (None, ""):
        return ""
    try:
        moment = (
            _EPOCH + timedelta(microseconds=int(value))
            if isinstance(value, (int, float)) or str(value).isdigit()
            else datetime.fromisoformat(str(value))
        )
    except (ValueError, OverflowError):
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat("T", "seconds")


def _when(value: Any) -> str:
    text = iso(value)
    return text[:19].replace("T", " ") if text else str(value)


_SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    "number": _number,
    "usd": _usd,
    "us": _us,
    "ms": lambda value: _us(float(value) * 1e3),
    "s": lambda value: _us(float(value) * 1e6),
    "share": lambda value: f"{float(value) * 100:.1f} %",
    "part": lambda value: f"{float(value) * 100:.1f} %",
    "change": lambda value: f"{float(value) * 100:+,.0f} %",
    "percent": lambda value: f"{float(value):.1f} %",
    "when": _when,
    "bytes": _bytes,
    "flag": lambda value: "yes" if value else "no",
}

_STATES: Final = {
    "good": "ok healthy active closed done up delivered enabled usable in_force resolved success completed "
    "hit-l1 hit-l2 hit-semantic hit-coalesced hit-stale accepted good met ready live in_use genuine",
    "bad": "error failed unhealthy unavailable open down dead refused revoked firing suspended cut critical "
    "exhausted expired bad stopped denied missed out_of_credit",
    "warn": "degraded half_open half-open maintenance pending cancelled paused disabled retrying warning "
    "warn unresolved expiring waiting observe rate_limited running compacting changed new gone begun unknown",
}
_CLASS: Final = {name: kind for kind, names in _STATES.items() for name in names.split()}


def state_class(value: Any) -> str:
    """`good`, `bad`, `warn` or empty, for a state's name."""
    return _CLASS.get(str(value).lower(), "")
