"""Single requests: what was asked, who answered, what it cost and why, newest first."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.ports.request_rows import RowFilter, RowPlace, place_of
from application.use_cases.read_requests import ReadRequests
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.analytics.timeline import decision, timeline
from domain.errors import InvalidRequest
from domain.money import format_usd, parse_usd
from domain.quality.tasks import TASKS
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded_routes

LIMIT_DEFAULT = 100
OUTCOMES = ("ok", "error", "cut", "cancelled", "refused")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def request_routes(door: Door, read: ReadRequests) -> list[Route]:
    """`/api/v1/requests`, and one of them with its attempts."""

    async def newest(request: Request, by: Principal) -> Any:
        query = request.query_params
        where = RowFilter(
            tenant_id=query.get("tenant_id"),
            key_id=query.get("key_id"),
            agent_id=query.get("agent_id"),
            session_id=query.get("session_id"),
            user_id=query.get("user_id"),
            provider=query.get("provider"),
            model=query.get("model"),
            route=query.get("route"),
            outcome=_one_of(query.get("outcome"), "outcome", OUTCOMES),
            status=_status(query.get("status")),
            cache=query.get("cache"),
            task=_one_of(query.get("task"), "task", TASKS),
            trace_id=query.get("trace_id"),
            min_cost_nano_usd=_usd_from(query.get("min_cost_usd"), "min_cost_usd"),
            min_duration_us=_ms_from(query.get("min_duration_ms"), "min_duration_ms"),
            has_fallback=_choice(query.get("has_fallback"), "has_fallback"),
            failed=_flag(query.get("failed"), "failed"),
            from_us=_instant(query.get("from"), "from"),
            to_us=_instant(query.get("to"), "to"),
            after=_place(query.get("after")),
        )
        limit = _whole(query.get("limit", str(LIMIT_DEFAULT)), "limit")
        rows = await read.newest(by, where, limit=limit)
        return {
            "requests": [request_object(event) for event in rows],
            "next": _cursor(rows[-1]) if len(rows) == limit else None,
        }

    async def one(request: Request, by: Principal) -> Any:
        event = await read.one(by, request.path_params["request_id"])
        return {
            **request_object(event),
            "attempts": [attempt_object(attempt) for attempt in event.attempts],
            "timeline": [part._asdict() for part in timeline(event)],
            "decision": decision(event)._asdict(),
        }

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/requests"): newest,
            ("GET", "/api/v1/requests/{request_id}"): one,
        },
    )


def request_object(event: RequestEvent) -> dict[str, Any]:
    """A request without its attempts; times are ISO, UTC."""
    shown = event._asdict()
    del shown["attempts"]
    shown["started_at"] = _iso(shown.pop("started_at_us"))
    shown["finished_at"] = _iso(place_of(event).finished_us)
    shown["cost_usd"] = _usd(event.cost_nano_usd)
    shown["saved_usd"] = _usd(event.saved_nano_usd)
    shown["budget_left_usd"] = _usd(event.budget_left_nano_usd)
    return shown


def attempt_object(attempt: AttemptEvent) -> dict[str, Any]:
    """One call to a provider."""
    shown = attempt._asdict()
    del shown["request_id"]
    shown["started_at"] = _iso(shown.pop("started_at_us"))
    shown["cost_usd"] = _usd(attempt.cost_nano_usd)
    shown["prompt_cache_saved_usd"] = _usd(attempt.prompt_cache_saved_nano_usd)
    return shown


def _usd(nano_usd: int | None) -> str | None:
    return None if nano_usd is None else format_usd(nano_usd)


def _iso(us: int) -> str:
    return (_EPOCH + us * _MICROSECOND).isoformat(timespec="microseconds")


def _cursor(event: RequestEvent) -> str:
    place = place_of(event)
    return f"{place.finished_us}.{place.request_id}"


def _place(text: str | None) -> RowPlace | None:
    if text is None:
        return None
    at, dot, request_id = text.partition(".")
    if not dot or not (at.isascii() and at.isdigit()) or len(at) > 18 or len(request_id) > 200:
        raise InvalidRequest("after must be what an earlier page gave as `next`", param="after")
    return RowPlace(int(at), request_id)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidRequest(f"{name} must be a whole number", param=name)
    return int(text)


def _status(text: str | None) -> int | None:
    return None if text is None else _whole(text, "status")


def _flag(text: str | None, name: str) -> bool:
    return _choice(text, name) is True


def _choice(text: str | None, name: str) -> bool | None:
    if text not in (None, "true", "false"):
        raise InvalidRequest(f"{name} must be true or false", param=name)
    return None if text is None else text == "true"


def _one_of(text: str | None, name: str, allowed: tuple[str, ...]) -> str | None:
    if text is not None and text not in allowed:
        raise InvalidRequest(f"{name} must be one of {', '.join(allowed)}", param=name)
    return text


def _usd_from(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_usd(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be an amount in USD, such as 0.25", param=name) from None


def _ms_from(text: str | None, name: str) -> int | None:
    return None if text is None else _whole(text, name) * 1000


def _instant(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be an ISO time such as 2030-01-31T12:00:00Z", param=name) from None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
