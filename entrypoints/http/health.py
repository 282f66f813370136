"""Health, readiness and metrics: what is true now, without asking any provider anything."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from application.ports.telemetry import Gauge, MetricsPage
from application.ports.usage import UsageLog
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.watch_providers import ProvidersStatus
from domain.errors import NotFound
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded
from entrypoints.live import ReloadStatus

GZIP_LEVEL = 1
METRICS_TYPE = "text/plain; version=0.0.4"
TARGETS_SHOWN_MAX = 500
KEYS_SHOWN_MAX = 50
"""Keys of one provider in the metrics; a pool may have a thousand."""


class HealthSources(NamedTuple):
    """What the health pages look at. `gateway` and `warnings` answer at once."""

    version: str
    profile: str
    usage_log: UsageLog
    pipeline: AnswerLlmRequest
    providers: ProvidersStatus
    metrics: MetricsPage | None
    """None: there are none."""
    gateway: Callable[[], dict[str, Any]]
    warnings: Callable[[], list[str]]
    reload_status: Callable[[], ReloadStatus]
    may_see: Callable[[Request], Awaitable[bool]]
    """Whether the caller of a page may see names and addresses: a key with `providers.read`."""
    ledger: Callable[[], dict[str, Any]]
    """How the budget ledger is, as it was last seen."""
    redis: Callable[[bool], dict[str, Any]]
    """How Redis is; with figures and errors for those who may see them."""
    cache: Callable[[], str]
    """How the answer cache is: `ok`, `degraded` or `off`."""
    more_gauges: Callable[[], Iterable[Gauge]] = tuple


def health_routes(sources: HealthSources) -> list[Route]:
    """`/health`, `/health/live`, `/health/ready` and `/ready`."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        usable = sources.providers.any_usable()
        accepting = sources.usage_log.accepting
        body = {
            "status": "ready" if usable and accepting else "not_ready",
            "providers_usable": usable,
            "accepting": accepting,
        }
        return JSONResponse(body, 200 if usable and accepting else 503)

    async def health(request: Request) -> Response:
        return JSONResponse(_health(sources, in_full=await sources.may_see(request)))

    return [
        Route("/health", health),
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/ready", ready),
    ]


def _health(sources: HealthSources, *, in_full: bool) -> dict[str, Any]:
    """How this instance is. Names, addresses and errors of providers are nobody else's business."""
    providers = sources.providers()
    usable = [provider.name for provider in providers if provider.usable]
    gateway = sources.gateway()
    healthy = sources.usage_log.healthy
    ledger = sources.ledger()
    redis = sources.redis(in_full)
    states = (gateway.get("status"), ledger["status"], redis["status"])
    cache = sources.cache()
    degraded = not healthy or not usable or "down" in states or cache == "degraded"
    public = {
        "status": "degraded" if degraded else "ok",
        "version": sources.version,
        "profile": sources.profile,
        "providers": {"configured": len(providers), "usable": len(usable)},
        "portkey": {key: value for key, value in gateway.items() if key != "gateways"},
        "usage_log": "ok" if healthy else "buffering",
        "ledger": ledger["status"],
        "redis": redis,
        "cache": cache,
        "in_flight": sources.pipeline.in_flight,
    }
    if not in_full:
        return public
    return {
        **public,
        "providers": {"configured": len(providers), "usable": len(usable), "names": usable},
        "portkey": gateway,
        "budgets": {"in_force": ledger["budgets"], "hard": ledger["hard"]},
        "warnings": sources.warnings(),
    }


def gauges(sources: HealthSources) -> Iterable[Gauge]:
    """What is measured at the moment of the scrape."""
    states = {"closed": 0, "half_open": 1, "open": 2}
    providers = sources.providers()
    reload = sources.reload_status()
    yield Gauge(
        "interchange_config_reload_failed",
        "1 while the newest configuration cannot be used and an older one is.",
        (((), 1 if reload.problems else 0),),
    )
    yield Gauge(
        "interchange_config_reloads_total",
        "How often the configuration was taken over while serving, by outcome.",
        (((("outcome", "ok"),), reload.reloads), ((("outcome", "failed"),), reload.failures)),
        "counter",
    )
    yield Gauge("interchange_active_requests", "Requests in flight.", (((), sources.pipeline.in_flight),))
    yield Gauge(
        "interchange_provider_success_rate",
        "Share of good answers in the last 300 s; absent without calls.",
        tuple(
            ((("provider", p.name),), p.health.success_rate)
            for p in providers
            if p.health.success_rate is not None
        ),
    )
    yield Gauge(
        "interchange_provider_availability_percent",
        "Share of the last 300 s the provider was not down.",
        tuple(((("provider", p.name),), p.health.availability_percent) for p in providers),
    )
    targets = [target for provider in providers for target in provider.targets]
    shown = sorted(targets, key=lambda target: -states[target.breaker])  # stable: in order of configuration
    yield Gauge(
        "interchange_breaker_state",
        "0 closed, 1 half open, 2 open.",
        tuple(((("target", t.id),), states[t.breaker]) for t in shown[:TARGETS_SHOWN_MAX]),
    )
    keys = [(p.name, key) for p in providers for key in p.keys[:KEYS_SHOWN_MAX]]
    yield Gauge(
        "interchange_provider_key_ready",
        "1 while the provider's key may be used, 0 while it rests.",
        tuple(((("provider", p), ("key", key.id)), int(key.back_after_s == 0)) for p, key in keys),
    )
    yield Gauge(
        "interchange_provider_key_headroom",
        "Share of the key's limits that is left; absent where nothing is known of them.",
        tuple(
            ((("provider", p), ("key", key.id)), key.headroom) for p, key in keys if key.headroom is not None
        ),
    )
    yield Gauge(
        "interchange_provider_key_in_flight",
        "Calls under way with the provider's key.",
        tuple(((("provider", p), ("key", key.id)), key.in_flight) for p, key in keys),
    )
    yield from sources.more_gauges()


def metrics_route(door: Door, sources: HealthSources) -> Route:
    """`/metrics`, behind its permission: names of providers and models are nobody else's business."""

    async def page(request: Request, by: Principal) -> Response:
        metrics = sources.metrics
        if metrics is None:
            raise NotFound("metrics are switched off (telemetry.metrics_enabled, ENABLE_METRICS)")
        content, headers = await metrics.page(), {"vary": "accept-encoding"}
        if takes_gzip(request.headers.get("accept-encoding", "")):
            content = await asyncio.to_thread(gzip.compress, content, GZIP_LEVEL)
            headers["content-encoding"] = "gzip"
        return Response(content, headers=headers, media_type=METRICS_TYPE)

    return Route("/metrics", guarded(door, page, ("GET", "/metrics")), methods=["GET"])


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a caller names gzip among what it reads, and not with a weight of 0."""
    for each in accept_encoding.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
