"""`/api/v1/analytics/recommendations`: what is advised, looking anew, and what becomes of it."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_recommendations import ManageRecommendations
from domain.analytics.recommendation import Kind, Recommendation, Status
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.http.report_objects import estimate_object
from entrypoints.http.usage_questions import iso

PATH: Final = "/api/v1/analytics/recommendations"
Choice = TypeVar("Choice", bound=Enum)


class RecommendationStatus(Body):
    """`PUT /api/v1/analytics/recommendations/{id}`."""

    status: str
    tenant_id: str | None = None


def recommendation_routes(door: Door, manage: ManageRecommendations) -> list[Route]:
    """The list, a look, and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id", "status", "kind")
        query = request.query_params
        statuses = frozenset(_choice(Status, text, "status") for text in query.getlist("status"))
        kinds = frozenset(_choice(Kind, text, "kind") for text in query.getlist("kind"))
        found = await manage.all(by, query.get("tenant_id"), statuses=statuses or None, kinds=kinds or None)
        return {"recommendations": [recommendation_object(one) for one in found]}

    async def refresh(request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        found = await manage.refresh(by, request.query_params.get("tenant_id"))
        return {"recommendations": [recommendation_object(one) for one in found]}

    async def decide(request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), RecommendationStatus)
        status = _choice(Status, asked.status, "status")
        return recommendation_object(
            await manage.decide(by, request.path_params["optimization_id"], status, asked.tenant_id)
        )

    return guarded_routes(
        door,
        {
            ("GET", PATH): every,
            ("POST", f"{PATH}/refresh"): refresh,
            ("PUT", f"{PATH}/{{optimization_id}}"): decide,
        },
    )


def recommendation_object(one: Recommendation) -> Mapping[str, Any]:
    """The published entity CostOptimization; times are ISO, UTC; the saving is per month of 30 days."""
    return {
        "optimization_id": one.optimization_id,
        "tenant_id": one.tenant_id,
        "analytics_id": one.analytics_id,
        "kind": one.kind.value,
        "subject": one.subject,
        "sentence": one.sentence,
        "evidence": one.evidence,
        "estimated_saving": None if one.saving is None else estimate_object(one.saving),
        "status": one.status.value,
        "created_at": iso(one.created_at_us),
        "seen_at": iso(one.seen_at_us),
        "decided_at": None if one.decided_at_us is None else iso(one.decided_at_us),
        "decided_by": one.decided_by or None,
    }


def _choice(kind: type[Choice], text: str, param: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        allowed = ", ".join(str(one.value) for one in kind)
        raise InvalidRequest(f"{param} {text[:40]!r} is unknown; allowed: {allowed}", param=param) from None
