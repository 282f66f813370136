"""What a request's query string asks about usage."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from application.ports.usage_query import (
    TIME_DIMENSIONS,
    UsageDimension,
    UsageFilter,
    UsageOrder,
)
from domain.errors import InvalidRequest

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_WITH_ID: Final = ("tenant", "key", "agent", "user", "session", "workflow")
FILTERS: Final = {
    **{one.value: one for one in UsageDimension if one not in TIME_DIMENSIONS},
    **{f"{name}_id": UsageDimension(name) for name in _WITH_ID},
}
"""Parameters that keep only some requests, by dimension; those of ids may be written either way."""


def read_filter(query: QueryParams) -> UsageFilter:
    """Which requests count. A parameter that is given twice keeps both.

    Raises InvalidRequest.
    """
    only: dict[UsageDimension, list[str]] = {}
    for name, value in query.multi_items():
        dimension = FILTERS.get(name)
        if dimension is not None and value not in only.setdefault(dimension, []):
            only[dimension].append(value)
    tenants = only.pop(UsageDimension.TENANT, [])
    if len(tenants) > 1:
        only[UsageDimension.TENANT] = tenants
    return UsageFilter(
        tenant_id=tenants[0] if len(tenants) == 1 else None,
        from_us=read_instant(query.get("from"), "from"),
        to_us=read_instant(query.get("to"), "to"),
        only=tuple((dimension, tuple(values)) for dimension, values in only.items()),
    )


def read_dimensions(query: QueryParams, *names: str) -> tuple[UsageDimension, ...]:
    """A comma list of dimensions, by the first of these names that is given. Raises InvalidRequest."""
    name = next((name for name in names if name in query), names[0])
    wanted = [value for text in query.getlist(name) for value in text.split(",") if value]
    try:
        return tuple(UsageDimension(value) for value in wanted)
    except ValueError:
        allowed = ", ".join(dimension.value for dimension in UsageDimension)
        raise InvalidRequest(f"{name}: unknown dimension; allowed: {allowed}", param=name) from None


def read_order(query: QueryParams) -> UsageOrder:
    """Raises InvalidRequest."""
    return UsageOrder(read_choice(query, "order", [order.value for order in UsageOrder]))


def read_choice(query: QueryParams, name: str, allowed: list[str]) -> str:
    """One of these, the first if nothing is asked for. Raises InvalidRequest."""
    value = query.get(name, allowed[0])
    if value not in allowed:
        raise InvalidRequest(f"{name} {value[:40]!r} is unknown; allowed: {', '.join(allowed)}", param=name)
    return value


def read_whole(query: QueryParams, name: str, default: int) -> int:
    """Raises InvalidRequest."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidRequest(f"{name} must be a whole number", param=name)
    return int(text)


def read_instant(text: str | None, name: str) -> int | None:
    """An ISO time as epoch microseconds; UTC without a zone. Raises InvalidRequest."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name} must be an ISO time such as 2030-01-31T12:00:00Z", param=name) from None


def iso(us: int) -> str:
    """Epoch microseconds as an ISO time, UTC."""
    return (_EPOCH + us * _MICROSECOND).isoformat()


def refuse_unknown(query: QueryParams, allowed: Iterable[str]) -> None:
    """A misspelt filter would give a bigger answer, not an error: so it is one. Raises InvalidRequest."""
    known = {*allowed, *FILTERS, "from", "to"}
    for name in query:
        if name not in known:
            raise InvalidRequest(
                f"unknown parameter {name[:40]!r}; allowed: {', '.join(sorted(known))}", param=name[:80]
            )
