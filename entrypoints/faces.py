"""Which endpoints a serving process has, each with what it works with."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from application.admin_pace import AdminPace
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from application.use_cases.manage_routes import ManageRoutes, RouteKeeping
from domain.resilience.idempotency import IdempotencyBook
from domain.tenancy.networks import parse_networks
from entrypoints.alerting import Alerting
from entrypoints.budgeting import budget_gauges, ledger_health
from entrypoints.containers import Container
from entrypoints.http.admin import AdminUseCases, admin_routes
from entrypoints.http.alerts import alert_routes
from entrypoints.http.app import ASGIApp, Faces
from entrypoints.http.asgi import Endpoint, Receive, Scope, Send
from entrypoints.http.asked_about import AskedAbout
from entrypoints.http.cache_objects import cache_health
from entrypoints.http.complete import CompleteEndpoint
from entrypoints.http.configuration import configuration_routes
from entrypoints.http.count_tokens import CountTokensEndpoint
from entrypoints.http.documentation import documentation_routes
from entrypoints.http.edge import Edge
from entrypoints.http.experiments import experiment_routes
from entrypoints.http.fallback import not_found_handlers
from entrypoints.http.gemini import gemini_faces
from entrypoints.http.guard import Door, may_see
from entrypoints.http.health import HealthSources, gauges, health_routes, metrics_route
from entrypoints.http.kept_responses import KeptResponsesEndpoint
from entrypoints.http.large_bodies import LargeBodies
from entrypoints.http.llm import LlmEndpoint, LlmGate
from entrypoints.http.media import media_faces
from entrypoints.http.models import model_routes
from entrypoints.http.people import People
from entrypoints.http.playground import playground_routes
from entrypoints.http.responses_resources import stored_response_routes
from entrypoints.http.routes_admin import route_admin_routes
from entrypoints.http.tools import EXECUTE, ToolEndpoint
from entrypoints.jobs.listener_tls import listener_gauges
from entrypoints.limiting import limit_gauges
from entrypoints.live import LiveConfiguration
from entrypoints.mcp.endpoint import PATH as MCP_PATH
from entrypoints.mcp.endpoint import McpEndpoint
from entrypoints.own_gauges import EndingKeys, build_gauge, quality_gauge
from entrypoints.route_groups import (
    access_routes,
    analysis_routes,
    content_routes,
    event_and_webhook_routes,
    outside_routes,
)
from entrypoints.settings import Settings
from entrypoints.ui.shell import Ui
from entrypoints.version import version


def _gate(container: Container, settings: Settings) -> LlmGate:
    return LlmGate(
        entrance=container.entrance(),
        reader=container.reader(),
        frames=container.frames(),
        pipeline=container.answer_llm_request(),
        clock=container.clock(),
        ids=container.ids(),
        body_bytes_max=settings.limits.max_body_bytes,
        large_bodies=LargeBodies(settings.limits.max_large_body_bytes, settings.limits.max_body_bytes),
        book=IdempotencyBook(),
        running=set(),
    )


def _hot(container: Container, gate: LlmGate, complete: CompleteEndpoint) -> dict[tuple[str, str], Endpoint]:
    """The routes that are found in a table, by method and path."""
    return {
        ("POST", "/v1/chat/completions"): LlmEndpoint(gate, OPENAI_CHAT),
        ("POST", "/v1/completions"): LlmEndpoint(gate, OPENAI_COMPLETIONS),
        ("POST", "/v1/embeddings"): LlmEndpoint(gate, OPENAI_EMBEDDINGS),
        ("POST", "/v1/responses"): KeptResponsesEndpoint(gate, container.keep_answers()),
        ("POST", "/v1/messages"): LlmEndpoint(gate, ANTHROPIC_MESSAGES),
        ("POST", "/v1/messages/count_tokens"): CountTokensEndpoint(gate),
        ("POST", "/api/v1/llm/complete"): complete,
        EXECUTE: ToolEndpoint(gate, container.tooling().execute),
        **media_faces(gate),
    }


def _door(container: Container) -> Door:
    audit = container.auditing().door
    container.entrance().on_refused = audit.denials.note
    pace = AdminPace(container.clock(), container.settings().limits.admin_requests_per_minute)
    return Door(container.entrance(), container.ids(), audit, pace)


def make_faces(container: Container, live: LiveConfiguration, alerting: Alerting) -> Faces:
    """Every route of the server; the hot ones in a table of their own."""
    settings = live.settings
    gate = _gate(container, settings)
    complete = CompleteEndpoint(gate)
    hot = _hot(container, gate, complete)
    tooling = container.tooling()
    mcp = McpEndpoint(
        gate, tooling.execute, tooling.tools, frozenset(o.encode() for o in settings.server.cors_origins)
    )
    hot["POST", MCP_PATH] = mcp
    gemini, below = gemini_faces(gate, container.list_models())
    asked_about = AskedAbout(container.reader(), complete, container.keep_answers())
    use_cases = AdminUseCases(
        door=_door(container),
        explain_route=container.explain_route(),
        providers_status=container.providers_status(),
        steer_provider=container.steer_provider(),
        catalog=lambda: live.catalog,
        asked_about=asked_about,
        explain_cache=container.cache_operations().explain,
    )
    container.experimenting().guard.judges = alerting.judges
    sources, routes = _health_sources(container, live, gate, alerting), _manage_routes(container, live)
    rest = Starlette(
        routes=[
            *health_routes(sources),
            metrics_route(use_cases.door, sources),
            *model_routes(use_cases.door, container.list_models()),
            *stored_response_routes(use_cases.door, container.stored_responses()),
            *admin_routes(use_cases),
            *playground_routes(use_cases.door, gate),
            *content_routes(use_cases.door, container, asked_about),
            *outside_routes(use_cases.door, container, live, gate),
            *event_and_webhook_routes(use_cases.door, container, live),
            *alert_routes(use_cases.door, alerting.manage, alerting.report),
            *access_routes(use_cases.door, container, live),
            *analysis_routes(use_cases.door, container),
            *configuration_routes(use_cases.door, live),
            *route_admin_routes(use_cases.door, routes, live),
            *experiment_routes(use_cases.door, container.experimenting().managing(live, routes)),
            *documentation_routes(),
        ],
        exception_handlers=not_found_handlers(container.ids()),
    )
    rest.router.routes.extend(_pages(container, use_cases.door, with_tools(rest, hot[EXECUTE])))
    # A redirect to the other spelling of a path would point wherever the caller's Host header says.
    rest.router.redirect_slashes = False
    parts = ({**hot, **gemini}, rest, gate.running, below, make_edge(settings), {"mcp": mcp.run})

    def leave() -> None:
        container.eventing().listen.end()
        container.experimenting().shadows.drain()

    return Faces(*parts, end_streams=leave)


def with_tools(api: ASGIApp, execute: ASGIApp) -> ASGIApp:
    """What pages ask: the routes of people, and tools, which people may try. Models stay with programs."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        called = (scope["method"], scope["path"]) == EXECUTE
        await (execute if called else api)(scope, receive, send)

    return ask


def _pages(container: Container, door: Door, api: ASGIApp) -> list[Route]:
    identities = container.identities()
    return Ui(People(door, identities), api, identities, container.clock(), version()).routes()


def make_edge(settings: Settings) -> Edge:
    """What the configuration asks of every request before an endpoint sees it."""
    server = settings.server
    return Edge(
        allowed=parse_networks(server.allowed_networks, "server.allowed_networks"),
        trusted=parse_networks(server.trusted_proxies, "server.trusted_proxies"),
        forwarded_header=server.forwarded_header.encode(),
        origins=frozenset(origin.encode() for origin in server.cors_origins),
        hsts=server.tls is not None,
    )


def _health_sources(
    container: Container, live: LiveConfiguration, gate: LlmGate, alerting: Alerting
) -> HealthSources:
    batching, money, redis = container.batching(), container.money(), container.redis_status()
    caching, server = container.cache_operations(), live.settings.server
    keys = EndingKeys(container.key_ring().endings, container.clock().utc_now)
    sources = HealthSources(
        version=version(),
        profile=live.settings.profile,
        usage_log=container.usage_log(),
        pipeline=gate.pipeline,
        providers=container.providers_status(),
        metrics=container.instance_metrics() if live.settings.telemetry.metrics_enabled else None,
        gateway=lambda: gateway_status(container),
        warnings=lambda: [
            *live.warnings(),
            *money.follow.problems,
            *container.limiting().follow.problems,
            *container.experimenting().follow.problems,
            *caching.problems,
            *container.vaulting().problems,
        ],
        reload_status=lambda: live.status,
        may_see=may_see(container.entrance(), "config.read"),
        more_gauges=lambda: (
            *batching.watch.gauges(),
            *container.guarding().gauges(),
            *container.eventing().gauges(),
            *container.webhooking().gauges(),
            *alerting.gauges(),
            *container.privacy().counts.gauges(),
            *container.guardrails().inspector.checks.counts.gauges(),
            *container.recording().gauges(),
            *container.quality().gauges(),
            *container.vaulting().gauges(),
            *budget_gauges(money.watch, money.holds.refusals),
            *limit_gauges(container.limiting()),
            *container.experimenting().gauges(),
            *redis.gauges(),
            *caching.gauges(),
            *container.outgoing().gauges(),
            *container.integrating().gauges(),
            *listener_gauges(server.tls.cert_file if server.tls is not None else None),
            *container.auditing().gauges(),
            *build_gauge(version(), live.settings.profile),
            *quality_gauge(container.runtime()),
            *keys.gauges(),
            *container.traces().gauges(),
        ),
        redis=lambda in_full: redis.page(in_full=in_full),
        cache=lambda: cache_health(caching.manage.status()),
        ledger=lambda: ledger_health(money.watch, money.holds.book),
    )
    container.instance_metrics().sources.append(lambda: gauges(sources))
    return sources


def _manage_routes(container: Container, live: LiveConfiguration) -> ManageRoutes:
    keeping = RouteKeeping(live.route_declared_in, live.check_route, live.refresh_routes)
    return ManageRoutes(container.route_store(), container.clock(), keeping)


def gateway_status(container: Container) -> dict[str, Any]:
    """Which gateways there are and whether they answer; asks nobody."""
    gateways = container.gateway().health()
    if not gateways:
        return {"status": "not_configured", "note": "calls go directly to providers", "gateways": []}
    up = any(gateway.up for gateway in gateways)
    return {
        "status": "up" if up else "down",
        "gateways": [{"url": g.url, "up": g.up, "last_error": g.last_error} for g in gateways],
    }
