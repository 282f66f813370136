"""What is advised, and what becomes of it."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, closed, integer, maybe, obj, one_of, ref, text
from domain.analytics.recommendation import DECIDED, Kind, Status

_TIME = text("RFC 3339, UTC.", format="date-time")
_USD = text("USD as decimal text, exact.", pattern=r"^-?\d+(\.\d+)?$")
_NANO = integer("Nano-dollars, exact.")
_PATH = "/api/v1/analytics/recommendations"
_TENANT = query_parameter("tenant_id", "Only this tenant's; the key's own without it.", text())

RECOMMENDATION_SCHEMAS: dict[str, Schema] = {
    "Estimate": obj(
        {
            "low_nano_usd": _NANO,
            "expected_nano_usd": _NANO,
            "high_nano_usd": _NANO,
            "low_usd": _USD,
            "expected_usd": _USD,
            "high_usd": _USD,
        },
        description="What is expected, between the two it may be; all the same where it is exact.",
    ),
    "Recommendation": obj(
        {
            "optimization_id": text("The same for the same advice, whenever it is found.", format="uuid"),
            "tenant_id": text(),
            "analytics_id": text("Of the UsageAnalytics it was found in.", format="uuid"),
            "kind": one_of(kind.value for kind in Kind),
            "subject": text("What it is about."),
            "sentence": text("For people."),
            "evidence": {
                "type": "object",
                "description": "What it rests on: the time looked at, counts, prices, what was assumed. "
                "Times in `_us` are UTC epoch microseconds, money in `_usd` is decimal text.",
            },
            "estimated_saving": {
                "anyOf": [ref("Estimate"), {"type": "null"}],
                "description": "Per month of 30 days; null: none can be told.",
            },
            "status": one_of(
                (status.value for status in Status),
                "`expired` and `done` follow where its reason is gone: `done` what was accepted.",
            ),
            "created_at": _TIME,
            "seen_at": {**_TIME, "description": "When its reason was last found."},
            "decided_at": maybe(_TIME),
            "decided_by": maybe(text("Id of a key.")),
        },
        description="The entity CostOptimization.",
    ),
    "Recommendations": obj({"recommendations": array(ref("Recommendation"), "What saves most first.")}),
    "RecommendationStatus": closed(
        obj(
            {
                "status": one_of(status.value for status in DECIDED),
                "tenant_id": maybe(text("Null or left out: the tenant of the key.")),
            },
            optional=["tenant_id"],
            example={"status": "accepted"},
        )
    ),
}

RECOMMENDATION_PATHS: dict[str, Any] = {
    _PATH: {
        "get": operation(
            "listRecommendations",
            "Usage",
            "What would cost less or go better, with evidence",
            {"200": json_answer(ref("Recommendations"), "As last found."), **admin_errors(400, 503)},
            parameters=[
                _TENANT,
                query_parameter(
                    "status",
                    "Only of this status; may be repeated.",
                    one_of(status.value for status in Status),
                ),
                query_parameter(
                    "kind", "Only of this kind; may be repeated.", one_of(kind.value for kind in Kind)
                ),
            ],
            description="Every tenant's use is looked at once a day.",
        )
    },
    f"{_PATH}/refresh": {
        "post": operation(
            "refreshRecommendations",
            "Usage",
            "Look at the use of the last 30 days now",
            {"200": json_answer(ref("Recommendations"), "All that is kept."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        )
    },
    f"{_PATH}/{{optimization_id}}": {
        "put": operation(
            "decideRecommendation",
            "Usage",
            "Accept, dismiss or open one again",
            {
                "200": json_answer(ref("Recommendation"), "As it is now."),
                **admin_errors(400, 404, 413, 503),
            },
            parameters=[path_parameter("optimization_id", "As the list says.")],
            body="RecommendationStatus",
            description="Nothing is changed by it but the status: a route is changed at `/api/v1/routes`.",
        )
    },
}
