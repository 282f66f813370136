"""The routes around the calls."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.headers import ANTHROPIC_VERSION
from contracts.http.operations import json_answer as _json
from contracts.http.operations import operation as _operation
from contracts.http.operations import path_parameter as _path
from contracts.http.operations import query_parameter as _query
from contracts.http.words import Schema, integer, one_of, ref, text
from domain.llm.capabilities import NAMES


def _either(*names: str) -> Schema:
    return {"anyOf": [ref(name) for name in names]}


_BOTH = ("Error", "AnthropicError", "GeminiError")
_PROVIDER = _path("name", "The operator's name of the provider.")
_READINESS = {
    "200": _json(ref("Readiness"), "Requests are taken.", with_id=False),
    "503": _json(ref("Readiness"), "No provider is usable, or nothing more can be recorded.", with_id=False),
}


def _page(operation_id: str, summary: str) -> dict[str, Any]:
    page = {"description": "A page for people.", "content": {"text/html": {"schema": text()}}}
    return {"get": _operation(operation_id, "About", summary, {"200": page}, public=True)}


def _public(operation_id: str, summary: str, schema: str, description: str) -> dict[str, Any]:
    answer = {"200": _json(ref(schema), description, with_id=False)}
    return {"get": _operation(operation_id, "Health", summary, answer, public=True)}


ADMIN_PATHS: dict[str, Any] = {
    "/": _page("firstPage", "First page"),
    "/docs": _page("readReference", "The list of routes"),
    "/openapi.json": {
        "get": _operation(
            "readOpenApi",
            "About",
            "This document",
            {"200": _json({"type": "object"}, "OpenAPI 3.1.", with_id=False)},
            public=True,
        )
    },
    "/health": _public(
        "readHealth", "How this instance is", "Health", "Always 200; `status` says whether it is well."
    ),
    "/health/live": _public("readLiveness", "Whether the process answers", "Alive", "It does."),
    "/health/ready": {
        "get": _operation(
            "readReadiness", "Health", "Whether requests can be answered", _READINESS, public=True
        )
    },
    "/ready": {
        "get": _operation("readReady", "Health", "The same as /health/ready", _READINESS, public=True)
    },
    "/metrics": {
        "get": _operation(
            "readMetrics",
            "Health",
            "Counters and gauges for Prometheus",
            {
                "200": {
                    "description": "Prometheus text format 0.0.4.",
                    "content": {"text/plain": {"schema": text()}},
                },
                **admin_errors(),
            },
        )
    },
    "/v1/models": {
        "get": _operation(
            "listModels",
            "Models",
            "What this key may call, routes first",
            {
                "200": _json(
                    _either("ModelList", "AnthropicModelList", "GeminiModelList"),
                    "In the caller's family's shape; Google's callers are known by `x-goog-api-key`.",
                ),
                **errors(_BOTH, 400, 401, 403, 429),
            },
            parameters=[
                ANTHROPIC_VERSION,
                _query(
                    "limit", "Models of one page, for Anthropic's callers.", integer(minimum=1, maximum=1000)
                ),
                _query("after_id", "The page after this model, for Anthropic's callers.", text()),
                _query("before_id", "The page before this model, for Anthropic's callers.", text()),
            ],
        )
    },
    "/v1/models/{name}": {
        "get": _operation(
            "readModel",
            "Models",
            "One model or route",
            {
                "200": _json(
                    _either("Model", "AnthropicModel", "GeminiModel"), "In the caller's family's shape."
                ),
                **errors(_BOTH, 401, 403, 404, 429),
            },
            parameters=[_path("name", "Its name, which may contain slashes."), ANTHROPIC_VERSION],
        )
    },
    "/api/v1/routing/explain": {
        "post": _operation(
            "explainRoute",
            "Routing",
            "Why a request would go where it would go",
            {"200": _json(ref("Explanation"), "Nothing was sent."), **admin_errors(400, 404, 413)},
            body="ExplainRequest",
            description="Demands come from the body or from the same headers as on the calling routes.",
        )
    },
    "/api/v1/providers/status": {
        "get": _operation(
            "readProvidersStatus",
            "Providers",
            "How every provider is doing, from live traffic",
            {"200": _json(ref("ProvidersStatus"), "In the order of the configuration."), **admin_errors()},
        )
    },
    "/api/v1/providers/{name}/state": {
        "put": _operation(
            "setProviderState",
            "Providers",
            "Force a state, such as maintenance, or judge by traffic again",
            {"200": _json(ref("ProviderStateSet"), "Done."), **admin_errors(400, 404, 413)},
            parameters=[_PROVIDER],
            body="ProviderState",
        )
    },
    "/api/v1/providers/{name}/breaker": {
        "put": _operation(
            "setBreaker",
            "Providers",
            "Open, close or reset the breakers of a provider",
            {"200": _json(ref("BreakerSet"), "Done."), **admin_errors(400, 404, 413)},
            parameters=[_PROVIDER],
            body="BreakerAction",
        )
    },
    "/api/v1/catalog": {
        "get": _operation(
            "searchCatalog",
            "Catalogue",
            "Models of all providers, with prices",
            {"200": _json(ref("OfferingPage"), "One page."), **admin_errors(400)},
            parameters=[
                _query("q", "Part of the id.", text()),
                _query("provider", "Only this provider's.", text()),
                _query("capability", "Only what can do this.", one_of(NAMES)),
                _query("offset", "Where the page starts.", integer(minimum=0, default=0)),
                _query("limit", "At most 1000 are given.", integer(minimum=0, default=100)),
            ],
        )
    },
    "/api/v1/catalog/statistics": {
        "get": _operation(
            "readCatalogStatistics",
            "Catalogue",
            "How much is known",
            {"200": _json(ref("CatalogStatistics"), "Counts."), **admin_errors()},
        )
    },
    "/api/v1/catalog/{id}": {
        "get": _operation(
            "readOffering",
            "Catalogue",
            "One model of one provider",
            {"200": _json(ref("Offering"), "With its prices."), **admin_errors(404)},
            parameters=[_path("id", "`provider/model`; may contain further slashes.")],
        )
    },
}
