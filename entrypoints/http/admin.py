"""Beside the hot routes: explanation, providers, catalogue."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.explain_cache import ExplainCache
from application.use_cases.explain_route import ExplainRoute
from application.use_cases.watch_providers import ProvidersStatus, SteerProvider
from domain.catalog.offering import Catalog
from domain.errors import InterchangeError, InvalidRequest, NotFound
from domain.llm.capabilities import parse_capability
from domain.tenancy.principal import Principal
from entrypoints.http.asked_about import AskedAbout
from entrypoints.http.explained import explanation_object
from entrypoints.http.guard import Body, Door, Handler, decode, guarded_routes, read_bounded
from entrypoints.http.presentation import offering_object, worst_breaker

PAGE_MAX = 1000


class AdminUseCases(NamedTuple):
    """What the admin routes call."""

    door: Door
    explain_route: ExplainRoute
    providers_status: ProvidersStatus
    steer_provider: SteerProvider
    catalog: Callable[[], Catalog]
    asked_about: AskedAbout
    explain_cache: ExplainCache


class StateBody(Body):
    """`PUT /api/v1/providers/{name}/state`."""

    state: str


class BreakerBody(Body):
    """`PUT /api/v1/providers/{name}/breaker`."""

    action: str


def admin_routes(use_cases: AdminUseCases) -> list[Route]:
    """The routes, each behind its permission from the one table."""
    admin = _Admin(use_cases)
    handlers: dict[tuple[str, str], Handler] = {
        ("POST", "/api/v1/routing/explain"): admin.explain,
        ("GET", "/api/v1/providers/status"): admin.providers,
        ("PUT", "/api/v1/providers/{name}/state"): admin.set_state,
        ("PUT", "/api/v1/providers/{name}/breaker"): admin.set_breaker,
        ("GET", "/api/v1/catalog"): admin.catalog,
        ("GET", "/api/v1/catalog/statistics"): admin.statistics,
        ("GET", "/api/v1/catalog/{id:path}"): admin.offering,
    }
    return guarded_routes(use_cases.door, handlers)


class _Admin:
    def __init__(self, use_cases: AdminUseCases) -> None:
        self._use = use_cases

    async def explain(self, request: Request, by: Principal) -> Any:
        asked = await self._use.asked_about.read(request, by)
        requirements = dataclasses.replace(asked.requirements)
        session_id = asked.attribution.session_id
        try:
            explained = self._use.explain_route(by, asked.request, asked.requirements, session_id)
            cached = await self._use.explain_cache(by, asked.request, requirements, asked.attribution)
        except InterchangeError as error:
            error.param = asked.params.get(error.param or "", error.param)
            raise
        return explanation_object(explained, cached)

    async def providers(self, request: Request, by: Principal) -> Any:
        return {
            "providers": [
                {
                    "provider": status.name,
                    "state": status.health.state.value,
                    "success_rate": status.health.success_rate,
                    "latency_ms": status.health.average_latency_ms,
                    "consecutive_failures": status.health.consecutive_failures,
                    "availability": status.health.availability_percent,
                    "samples": status.health.samples,
                    "usable": status.usable,
                    "forced": status.forced,
                    "simulated": status.simulated,
                    "breaker": worst_breaker([target.breaker for target in status.targets]),
                    "targets": [dataclasses.asdict(target) for target in status.targets[:PAGE_MAX]],
                    "keys": [key._asdict() for key in status.keys[:PAGE_MAX]],
                }
                for status in self._use.providers_status(by)
            ]
        }

    async def set_state(self, request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), StateBody)
        name = request.path_params["name"]
        self._use.steer_provider.force(by, name, body.state)
        return {"provider": name, "state": body.state}

    async def set_breaker(self, request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), BreakerBody)
        name = request.path_params["name"]
        state = self._use.steer_provider.breaker(by, name, body.action)
        return {"provider": name, "breaker": state.value if state is not None else None}

    async def catalog(self, request: Request, by: Principal) -> Any:
        query = request.query_params
        provider, text = query.get("provider"), (query.get("q") or "").lower()
        try:
            needs = parse_capability(query["capability"]) if "capability" in query else None
        except ValueError as error:
            raise InvalidRequest(str(error), param="capability") from None
        offset, limit = _page(query.get("offset", "0"), "offset"), _page(query.get("limit", "100"), "limit")
        found = [
            offering
            for offering in self._use.catalog().offerings.values()
            if (provider is None or offering.provider == provider)
            and (needs is None or offering.capabilities & needs)
            and (not text or text in offering.id.lower())
        ]
        page = found[offset : offset + min(limit, PAGE_MAX)]
        return {"total": len(found), "offset": offset, "offerings": [offering_object(o) for o in page]}

    async def statistics(self, request: Request, by: Principal) -> Any:
        catalog = self._use.catalog()
        per_provider: dict[str, int] = {}
        for offering in catalog.offerings.values():
            per_provider[offering.provider] = per_provider.get(offering.provider, 0) + 1
        return {
            "version": catalog.version,
            "offerings": len(catalog.offerings),
            "providers": len(per_provider),
            "priced": sum(1 for o in catalog.offerings.values() if o.prices.known),
            "with_context": sum(1 for o in catalog.offerings.values() if o.context_tokens),
            "by_provider": dict(sorted(per_provider.items())),
        }

    async def offering(self, request: Request, by: Principal) -> Any:
        found = self._use.catalog().offerings.get(request.path_params["id"])
        if found is None:
            raise NotFound(f"the catalogue has no offering {request.path_params['id']!r}", param="id")
        return offering_object(found)


def _page(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidRequest(f"{name} must be a whole number from 0", param=name)
    return int(text)
