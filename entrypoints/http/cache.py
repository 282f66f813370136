"""`/cache-status` and `/api/v1/cache`: how kept answers are, what is kept, and what no longer counts."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from application.use_cases.explain_cache import ExplainCache
from application.use_cases.manage_cache import ManageCache, WantedInvalidation, read_key
from application.use_cases.report_cache_usage import ReportCacheUsage
from application.use_cases.report_prompt_caching import ReportPromptCaching
from application.use_cases.report_verified_reuse import ReportVerifiedReuse
from application.use_cases.warm_cache import WarmCache
from domain.caching.invalidation import InvalidationKind
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.asked_about import AskedAbout
from entrypoints.http.cache_objects import (
    cache_explanation_object,
    entry_object,
    figures_object,
    invalidated_object,
    prompt_object,
    reuse_object,
    status_object,
    usage_object,
    warm_object,
)
from entrypoints.http.callers import read_attribution, usd_to_nano
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.http.usage_questions import read_filter, read_whole, refuse_unknown

WARM_COST_USD: Final = Decimal(1)
"""What warming may cost where nobody says otherwise."""
FIGURES: Final = "metrics.read"
"""Figures of a process are of all tenants together, as metrics are."""


class CacheRoutes(NamedTuple):
    """What the routes call. `may_see`: whether the caller of the public page may see figures. `verified` is
    None where no questions are compared."""

    manage: ManageCache
    explain: ExplainCache
    warm: WarmCache
    verified: ReportVerifiedReuse | None
    usage: ReportCacheUsage
    prompt: ReportPromptCaching
    asked_about: AskedAbout
    may_see: Callable[[Request], Awaitable[bool]]


class InvalidationBody(Body):
    """`POST /api/v1/cache/invalidate`."""

    kind: str
    value: str = ""
    tenant_id: str | None = None
    text: str = ""
    similarity: float | None = None


def cache_routes(door: Door, use: CacheRoutes) -> list[Route]:
    """The public page, and everything behind permissions."""
    cache = _Cache(use)
    return [
        Route("/cache-status", cache.public),
        *guarded_routes(
            door,
            {
                ("GET", "/api/v1/cache"): cache.show,
                ("GET", "/api/v1/cache/entries/{key}"): cache.entry,
                ("DELETE", "/api/v1/cache/entries/{key}"): cache.drop,
                ("POST", "/api/v1/cache/invalidate"): cache.invalidate,
                ("POST", "/api/v1/cache/explain"): cache.explain,
                ("POST", "/api/v1/cache/warm"): cache.warm,
                ("GET", "/api/v1/cache/verified"): cache.verified,
                ("GET", "/api/v1/cache/prompt"): cache.prompt,
            },
        ),
    ]


class _Cache:
    def __init__(self, use: CacheRoutes) -> None:
        self._use = use

    async def public(self, request: Request) -> Response:
        shown = status_object(self._use.manage.status())
        if await self._use.may_see(request):
            shown["process"] = figures_object(await self._use.manage.figures())
        return JSONResponse(shown, headers={"cache-control": "no-store"})

    async def show(self, request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        figures = None
        if by.may(FIGURES):
            figures = figures_object(await self._use.manage.figures())
        usage = None
        if by.may("usage.read"):
            usage = usage_object(await self._use.usage(by, request.query_params.get("tenant_id")))
        return {**status_object(self._use.manage.status()), "usage": usage, "process": figures}

    async def entry(self, request: Request, by: Principal) -> Any:
        only_parameters(request, "body")
        wanted = request.query_params.get("body", "0")
        if wanted not in ("0", "1"):
            raise InvalidRequest("body must be 0 or 1", param="body")
        found = await self._use.manage.entry(by, request.path_params["key"])
        if wanted == "1":
            self._use.manage.check_words(by, found.answer)
        return entry_object(found, with_body=wanted == "1")

    async def drop(self, request: Request, by: Principal) -> Any:
        only_parameters(request, "tenant_id")
        key = read_key(request.path_params["key"]).hex()
        tenant_id = request.query_params.get("tenant_id")
        wanted = WantedInvalidation(InvalidationKind.ENTRY.value, key, tenant_id)
        return invalidated_object(await self._use.manage.invalidate(by, wanted))

    async def invalidate(self, request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), InvalidationBody)
        wanted = WantedInvalidation(asked.kind, asked.value, asked.tenant_id, asked.text, asked.similarity)
        return invalidated_object(await self._use.manage.invalidate(by, wanted))

    async def explain(self, request: Request, by: Principal) -> Any:
        asked = await self._use.asked_about.read(request, by)
        try:
            explained = await self._use.explain(by, asked.request, asked.requirements, asked.attribution)
            # Whoever may ask would get the answer to that question, too.
            return cache_explanation_object(explained, with_words=by.may("llm.call") or by.may("cache.write"))
        except InterchangeError as error:
            error.param = asked.params.get(error.param or "", error.param)
            raise

    async def warm(self, request: Request, by: Principal) -> Any:
        only_parameters(request, "max_cost_usd", "concurrency")
        query = request.query_params
        cost = usd_to_nano(query.get("max_cost_usd", WARM_COST_USD), "max_cost_usd")
        concurrency = read_whole(query, "concurrency", 4)
        attribution = read_attribution(dict(request.scope["headers"]))
        lines = (await read_bounded(request)).split(b"\n")
        report = await self._use.warm(by, lines, attribution, max_cost_nano_usd=cost, concurrency=concurrency)
        return warm_object(report)

    async def verified(self, request: Request, by: Principal) -> Any:
        only_parameters(request)
        report = [] if self._use.verified is None else self._use.verified(by)
        return {"routes": [reuse_object(one) for one in report]}

    async def prompt(self, request: Request, by: Principal) -> Any:
        refuse_unknown(request.query_params, ())
        return prompt_object(await self._use.prompt(by, read_filter(request.query_params)))
