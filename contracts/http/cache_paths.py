"""The routes of the answer cache: how it is, what is kept, what no longer counts."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import integer, one_of, ref, text

_KEY = path_parameter("key", "64 hexadecimal digits, as explanations show them.")
_TENANT = query_parameter("tenant_id", "Another tenant, for keys that manage tenants.", text())

CACHE_PATHS: dict[str, Any] = {
    "/cache-status": {
        "get": operation(
            "readCacheStatus",
            "Health",
            "How the answer cache is",
            {"200": json_answer(ref("CacheStatus"), "Figures for keys with `metrics.read`.", with_id=False)},
            public=True,
        )
    },
    "/api/v1/cache": {
        "get": operation(
            "readCache",
            "Cache",
            "How the answer cache is, and what it did in the last 30 days",
            {"200": json_answer(ref("CacheOverview"), "As it is now."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        )
    },
    "/api/v1/cache/entries/{key}": {
        "get": operation(
            "readCacheEntry",
            "Cache",
            "One kept answer of the own tenant",
            {"200": json_answer(ref("CacheEntry"), "It is kept and counts."), **admin_errors(400, 404)},
            parameters=[_KEY, query_parameter("body", "What was asked and answered, too.", one_of("01"))],
        ),
        "delete": operation(
            "invalidateCacheEntry",
            "Cache",
            "Never serve an answer again",
            {
                "200": json_answer(ref("CacheInvalidated"), "Whether or not it was kept."),
                **admin_errors(400, 404, 503),
            },
            parameters=[_KEY, _TENANT],
        ),
    },
    "/api/v1/cache/invalidate": {
        "post": operation(
            "invalidateCache",
            "Cache",
            "Never serve answers again that were asked for before",
            {
                "200": json_answer(
                    ref("CacheInvalidated"), "In force here at once, everywhere within a second."
                ),
                **admin_errors(400, 413, 503),
            },
            body="CacheInvalidation",
        )
    },
    "/api/v1/cache/explain": {
        "post": operation(
            "explainCache",
            "Cache",
            "What the cache would do with a request, without sending it",
            {
                "200": json_answer(ref("CacheExplanation"), "As of now."),
                **admin_errors(400, 404, 413, 503),
            },
            body="ExplainRequest",
        )
    },
    "/api/v1/cache/warm": {
        "post": {
            **operation(
                "warmCache",
                "Cache",
                "Keep answers before anybody asks",
                {
                    "200": json_answer(ref("CacheWarmed"), "Line by line."),
                    **admin_errors(400, 413, 503),
                },
                parameters=[
                    query_parameter(
                        "max_cost_usd", "No request begins that might pass it. Default: 1.", text()
                    ),
                    query_parameter("concurrency", "Requests at once.", integer(minimum=1, maximum=16)),
                ],
                description="A line is the body of a request, or an object with `request`, perhaps with "
                "the `response` it once got, and `url` where the body does not show its kind. At most 1,000 "
                "lines.",
            ),
            "requestBody": {
                "required": True,
                "content": {"application/jsonl": {"schema": ref("CacheWarmLines")}},
            },
        }
    },
    "/api/v1/cache/verified": {
        "get": operation(
            "readVerifiedReuse",
            "Cache",
            "How often answers to similar questions were right, by route",
            {"200": json_answer(ref("VerifiedReuse"), "As this process knows."), **admin_errors(400)},
        )
    },
    "/api/v1/cache/prompt": {
        "get": operation(
            "readPromptCaching",
            "Cache",
            "What providers' prompt caches did",
            {"200": json_answer(ref("PromptCaching"), "Most input first."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("from", "Requests started then or later.", text()),
                query_parameter("to", "Requests started before.", text()),
                query_parameter("tenant_id", "Only this tenant's.", text()),
                query_parameter("route", "Only this route's.", text()),
            ],
        )
    },
}
