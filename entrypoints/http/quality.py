"""Saying how good answers are, and what is known of that by model and task."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.ports.quality import FeedbackFilter, FeedbackPlace
from application.use_cases.give_feedback import GiveFeedback, ReadFeedback, SaidOfAnswer
from application.use_cases.report_quality import (
    DAYS_DEFAULT,
    AskedQuality,
    QualityRow,
    ReportQuality,
)
from domain.errors import InvalidRequest
from domain.money import format_usd
from domain.quality.cells import DIMENSIONS, CellCounts, Comparison
from domain.quality.feedback import Feedback, verdict_of
from domain.quality.scores import Interval, Opinions, mean_of, share_of
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.http.usage_questions import read_instant

LIMIT_DEFAULT: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FILTERS: Final = ("request_id", "key_id", "source", "provider", "model", "task", "route", "kind")
_NARROWED: Final = ("tenant_id", "provider", "model", "task", "route")


class NewFeedbackBody(Body):
    """`POST /api/v1/feedback`: one of `rating`, `thumbs`, `score` and `label`."""

    request_id: str
    rating: int | None = None
    thumbs: str | None = None
    score: float | None = None
    label: str | None = None
    source: str = ""
    comment: str = ""


def quality_routes(door: Door, give: GiveFeedback, read: ReadFeedback, report: ReportQuality) -> list[Route]:
    """`/api/v1/feedback`, `/api/v1/analytics/quality` and `/api/v1/analytics/models/compare`."""

    async def say(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), NewFeedbackBody)
        verdict = verdict_of(rating=body.rating, thumbs=body.thumbs, score=body.score, label=body.label)
        said = SaidOfAnswer(
            request_id=body.request_id, verdict=verdict, source=body.source, comment=body.comment
        )
        given, first = await give(by, said)
        shown = feedback_object(given)
        return Created(shown) if first else shown

    async def every(request: Request, by: Principal) -> Any:
        query = request.query_params
        only_parameters(
            request, "tenant_id", *_FILTERS, "score_min", "score_max", "from", "to", "after", "limit"
        )
        where = FeedbackFilter(
            tenant_id=query.get("tenant_id"),
            **{name: query.get(name) for name in _FILTERS},
            score_min=_share(query.get("score_min"), "score_min"),
            score_max=_share(query.get("score_max"), "score_max"),
            from_us=read_instant(query.get("from"), "from"),
            to_us=read_instant(query.get("to"), "to"),
            after=_place(query.get("after")),
        )
        limit = _whole(query.get("limit", str(LIMIT_DEFAULT)), "limit")
        found = await read(by, where, limit=limit)
        return {
            "feedback": [feedback_object(each) for each in found],
            "next": _cursor(found[-1]) if len(found) == limit else None,
        }

    async def table(request: Request, by: Principal) -> Any:
        only_parameters(request, *_NARROWED, "days", "by", "limit")
        asked = _asked(request)
        rows = await report.rows(by, asked)
        return {"days": asked.days, "by": list(asked.by), "rows": [row_object(row) for row in rows]}

    async def compare(request: Request, by: Principal) -> Any:
        only_parameters(request, "models", "tenant_id", "provider", "task", "route", "days")
        asked = _asked(request)
        names = [name for name in request.query_params.get("models", "").split(",") if name]
        if len(names) != 2:
            raise InvalidRequest("models must name two models, such as small,large", param="models")
        one, other = names
        found = await report.compare(by, one, other, asked)
        return {
            "days": asked.days,
            "models": names,
            "tasks": [comparison_object(each, one, other) for each in found],
        }

    return guarded_routes(
        door,
        {
            ("POST", "/api/v1/feedback"): say,
            ("GET", "/api/v1/feedback"): every,
            ("GET", "/api/v1/analytics/quality"): table,
            ("GET", "/api/v1/analytics/models/compare"): compare,
        },
    )


def feedback_object(given: Feedback) -> dict[str, Any]:
    """What somebody said; times are ISO, UTC."""
    verdict = given.verdict
    return {
        "request_id": given.request_id,
        "tenant_id": given.tenant_id,
        "key_id": given.key_id,
        "source": given.source,
        "kind": verdict.kind,
        "said": verdict.said,
        "score": verdict.score,
        "comment": given.comment,
        "given_at": _iso(given.given_at_us),
        "asked_at": _iso(given.asked_at_us),
        "user_id": given.user_id,
        "agent_id": given.agent_id,
        "provider": given.provider,
        "model": given.model,
        "task": given.task,
        "route": given.route,
    }


def row_object(row: QualityRow) -> dict[str, Any]:
    """A row of the quality table; null is unknown."""
    cell = row.counts
    return {
        **{name: getattr(cell.key, name) or None for name in DIMENSIONS},
        "quality": _interval(row.quality),
        "declared": row.declared,
        **_counted(cell),
    }


def comparison_object(found: Comparison, one: str, other: str) -> dict[str, Any]:
    """Two models at one task."""
    return {
        "task": found.task,
        "better": found.better,
        "why": found.why,
        "difference": _interval(found.difference),
        "failing_difference": _interval(found.failing_difference),
        "models": [
            {"model": name, **_counted(cell)} for name, cell in ((one, found.one), (other, found.other))
        ],
    }


def _counted(cell: CellCounts) -> dict[str, Any]:
    requests = cell.requests
    known = requests - cell.unpriced
    return {
        "opinions": cell.evidence.opinions,
        "feedback": {**_opinions(cell.feedback), "labels": cell.labels},
        "judge": _opinions(cell.judged),
        "checks": {
            "count": cell.checked,
            "failed": cell.failed,
            "failing_rate": _interval(share_of(cell.failed, cell.checked)),
            "refusals": cell.refusals_found,
            "invalid_json": cell.json_found_broken,
        },
        "requests": requests,
        "truncated_rate": _interval(share_of(cell.truncated, requests)),
        "refusal_rate": _interval(share_of(cell.refused, requests)),
        "empty_rate": _interval(share_of(cell.empty, requests)),
        "cut_rate": _interval(share_of(cell.cut, requests)),
        "latency_ms": round(cell.duration_us / requests / 1000, 3) if requests else None,
        "cost_usd": format_usd(cell.cost_nano_usd) if known else None,
        "cost_per_request_usd": format_usd(round(cell.cost_nano_usd / known)) if known else None,
        "unpriced_requests": cell.unpriced,
    }


def _opinions(opinions: Opinions) -> dict[str, Any]:
    return {"count": opinions.number, "mean": _interval(mean_of(opinions))}


def _interval(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def _asked(request: Request) -> AskedQuality:
    query = request.query_params
    by = tuple(name for name in query.get("by", ",".join(DIMENSIONS)).split(",") if name)
    return AskedQuality(
        **{name: query.get(name) for name in _NARROWED},
        days=_whole(query.get("days", str(DAYS_DEFAULT)), "days"),
        by=by,
        limit=_whole(query.get("limit", "200"), "limit"),
    )


def _iso(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds")


def _cursor(given: Feedback) -> str:
    return "|".join((str(given.given_at_us), given.request_id, given.key_id, given.source))


def _place(text: str | None) -> FeedbackPlace | None:
    if text is None:
        return None
    at, *rest = text.split("|", 3)
    if len(rest) != 3 or not (at.isascii() and at.isdigit()) or len(at) > 18 or len(text) > 500:
        raise InvalidRequest("after must be what an earlier page gave as `next`", param="after")
    return FeedbackPlace(int(at), *rest)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidRequest(f"{name} must be a whole number", param=name)
    return int(text)


def _share(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InvalidRequest(f"{name} must be a number from 0 to 1", param=name)
    return value
