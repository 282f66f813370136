"""Which endpoints a serving process has, each with what it works with."""

from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from application.admin_pace import AdminPace
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from application.use_cases.check_guardrails import CheckGuardrails
from application.use_cases.check_privacy import CheckPrivacy
from application.use_cases.manage_limits import ManageLimits
from application.use_cases.manage_routes import ManageRoutes, RouteKeeping
from domain.resilience.idempotency import IdempotencyBook
from domain.tenancy.networks import parse_networks
from entrypoints.budgeting import (
    Budgeting,
    BudgetStores,
    budget_gauges,
    keeping_of,
    ledger_health,
    make_budgeting,
)
from entrypoints.containers import Container
from entrypoints.eventing import Eventing
from entrypoints.http.admin import AdminUseCases, admin_routes
from entrypoints.http.app import Faces
from entrypoints.http.asgi import Endpoint
from entrypoints.http.asked_about import AskedAbout
from entrypoints.http.audit import audit_routes
from entrypoints.http.batches import batch_routes
from entrypoints.http.budgets import budget_routes
from entrypoints.http.cache import FIGURES, CacheRoutes, cache_routes
from entrypoints.http.cache_objects import cache_health
from entrypoints.http.complete import CompleteEndpoint
from entrypoints.http.configuration import configuration_routes
from entrypoints.http.count_tokens import CountTokensEndpoint
from entrypoints.http.credentials import credential_routes
from entrypoints.http.documentation import documentation_routes
from entrypoints.http.edge import Edge
from entrypoints.http.events import event_routes
from entrypoints.http.fallback import not_found_handlers
from entrypoints.http.files import file_routes
from entrypoints.http.gemini import gemini_faces
from entrypoints.http.guard import Door, may_see
from entrypoints.http.guardrails import guardrail_routes
from entrypoints.http.health import HealthSources, health_routes, metrics_route
from entrypoints.http.inbound_webhooks import inbound_webhook_routes
from entrypoints.http.integration_tools import integration_tool_routes
from entrypoints.http.integrations import integration_routes
from entrypoints.http.kept_responses import KeptResponsesEndpoint
from entrypoints.http.keys import key_routes
from entrypoints.http.large_bodies import LargeBodies
from entrypoints.http.limits import limit_routes
from entrypoints.http.llm import LlmEndpoint, LlmGate
from entrypoints.http.media import media_faces
from entrypoints.http.models import model_routes
from entrypoints.http.objects import object_routes
from entrypoints.http.own_key import own_key_routes
from entrypoints.http.privacy import privacy_routes
from entrypoints.http.recordings import recording_routes
from entrypoints.http.requests import request_routes
from entrypoints.http.responses_resources import stored_response_routes
from entrypoints.http.roles import role_routes
from entrypoints.http.routes_admin import route_admin_routes
from entrypoints.http.sign_in import auth_routes
from entrypoints.http.stops import stop_routes
from entrypoints.http.subjects import subject_routes
from entrypoints.http.tenants import project_routes, tenant_routes
from entrypoints.http.tools import EXECUTE, ToolEndpoint, tool_routes
from entrypoints.http.usage import usage_routes
from entrypoints.http.webhooks import webhook_routes
from entrypoints.integrating import Integrating
from entrypoints.jobs.listener_tls import listener_gauges
from entrypoints.limiting import limit_gauges, managed_limits
from entrypoints.live import LiveConfiguration
from entrypoints.mcp.endpoint import PATH as MCP_PATH
from entrypoints.mcp.endpoint import McpEndpoint
from entrypoints.settings import Settings
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


def make_faces(container: Container, live: LiveConfiguration) -> Faces:
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
    budgeting, caching = _budgeting(container, live), container.cache_operations()
    access = container.access()
    asked_about = AskedAbout(container.reader(), complete, container.keep_answers())
    use_cases = AdminUseCases(
        door=_door(container),
        explain_route=container.explain_route(),
        providers_status=container.providers_status(),
        steer_provider=container.steer_provider(),
        catalog=lambda: live.catalog,
        asked_about=asked_about,
        explain_cache=caching.explain,
    )
    batching = container.batching()
    sources = _health_sources(container, live, gate)
    rest = Starlette(
        routes=[
            *health_routes(sources),
            metrics_route(use_cases.door, sources),
            *model_routes(use_cases.door, container.list_models()),
            *stored_response_routes(use_cases.door, container.stored_responses()),
            *admin_routes(use_cases),
            *key_routes(use_cases.door, access.keys, access.page, budgeting.create_key),
            *privacy_routes(use_cases.door, CheckPrivacy(container.privacy(), container.runtime())),
            *subject_routes(use_cases.door, container.erasing().export, container.erasing().erase),
            *_integration_routes(use_cases.door, container.integrating(), live),
            *tool_routes(use_cases.door, container.tooling().tools),
            *object_routes(use_cases.door, gate, container.tooling().execute),
            *guardrail_routes(use_cases.door, _check_guardrails(container)),
            *cache_routes(use_cases.door, _cache_routes(container, asked_about)),
            *audit_routes(use_cases.door, container.auditing().read),
            *stop_routes(use_cases.door, container.guarding().manage),
            *_event_routes(use_cases.door, container.eventing(), settings),
            *inbound_webhook_routes(use_cases.door, container.eventing().verify),
            *webhook_routes(use_cases.door, container.webhooking().managing(lambda: live.loaded)),
            *_credential_routes(use_cases.door, container, live),
            *_tenancy_routes(use_cases.door, container, live),
            *auth_routes(use_cases.door, container.identities()),
            *own_key_routes(
                use_cases.door, container.describe_own_key(), budgeting.report, container.limiting().book
            ),
            *limit_routes(use_cases.door, _limits(container, live)),
            *budget_routes(use_cases.door, budgeting.manage, budgeting.report, budgeting.charges),
            *file_routes(use_cases.door, batching.files),
            *batch_routes(use_cases.door, batching.batches),
            *request_routes(use_cases.door, container.read_requests()),
            *recording_routes(use_cases.door, container.recording().read),
            *usage_routes(use_cases.door, container.usage_use_cases()),
            *configuration_routes(use_cases.door, live),
            *route_admin_routes(use_cases.door, _manage_routes(container, live), live),
            *documentation_routes(),
        ],
        exception_handlers=not_found_handlers(container.ids()),
    )
    # A redirect to the other spelling of a path would point wherever the caller's Host header says.
    rest.router.redirect_slashes = False
    parts = ({**hot, **gemini}, rest, gate.running, below, make_edge(settings), {"mcp": mcp.run})
    return Faces(*parts, end_streams=container.eventing().listen.end)


def _check_guardrails(container: Container) -> CheckGuardrails:
    return CheckGuardrails(container.guardrails().inspector, container.runtime(), container.ids())


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


def _health_sources(container: Container, live: LiveConfiguration, gate: LlmGate) -> HealthSources:
    batching, money, redis = container.batching(), container.money(), container.redis_status()
    caching, server = container.cache_operations(), live.settings.server
    return HealthSources(
        version=version(),
        profile=live.settings.profile,
        usage_log=container.usage_log(),
        pipeline=gate.pipeline,
        providers=container.providers_status(),
        metrics=container.metrics(),
        gateway=lambda: gateway_status(container),
        warnings=lambda: [
            *live.warnings(),
            *money.follow.problems,
            *container.limiting().follow.problems,
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
            *container.privacy().counts.gauges(),
            *container.guardrails().inspector.checks.counts.gauges(),
            *container.recording().gauges(),
            *container.vaulting().gauges(),
            *budget_gauges(money.watch, money.holds.refusals),
            *limit_gauges(container.limiting()),
            *redis.gauges(),
            *caching.gauges(),
            *container.outgoing().gauges(),
            *container.integrating().gauges(),
            *listener_gauges(server.tls.cert_file if server.tls is not None else None),
            *container.auditing().gauges(),
        ),
        redis=lambda in_full: redis.page(in_full=in_full),
        cache=lambda: cache_health(caching.manage.status()),
        ledger=lambda: ledger_health(money.watch, money.holds.book),
    )


def _cache_routes(container: Container, asked_about: AskedAbout) -> CacheRoutes:
    made = container.cache_operations()
    return CacheRoutes(
        manage=made.manage,
        explain=made.explain,
        warm=made.warm,
        verified=made.verified,
        usage=made.usage,
        prompt=made.prompt,
        asked_about=asked_about,
        may_see=may_see(container.entrance(), FIGURES),
    )


def _credential_routes(door: Door, container: Container, live: LiveConfiguration) -> list[Route]:
    vaulting = container.vaulting()
    integrations, webhooks = container.integrating().follow, container.webhooking().book

    def used_by(tenant_id: str, name: str) -> str | None:
        return integrations.used_by(tenant_id, name) or webhooks.used_by(tenant_id, name)

    manage = vaulting.manage(lambda: live.settings, used_by)
    return credential_routes(door, manage, vaulting.rotate)


def _integration_routes(door: Door, integrating: Integrating, live: LiveConfiguration) -> list[Route]:
    manage = integrating.managing(lambda: live.loaded, live)
    return [
        *integration_routes(door, manage),
        *integration_tool_routes(door, integrating.accepting(manage)),
    ]


def _event_routes(door: Door, eventing: Eventing, settings: Settings) -> list[Route]:
    return event_routes(door, eventing.read, eventing.listen, stream_s_max=settings.events.stream_s_max)


def _tenancy_routes(door: Door, container: Container, live: LiveConfiguration) -> list[Route]:
    managing = container.tenancy().managing(lambda: live.loaded, container.key_store(), container.clock())
    return [
        *tenant_routes(door, managing.tenants),
        *project_routes(door, managing.projects),
        *role_routes(door, managing.roles),
    ]


def _manage_routes(container: Container, live: LiveConfiguration) -> ManageRoutes:
    keeping = RouteKeeping(live.route_declared_in, live.check_route, live.refresh_routes)
    return ManageRoutes(container.route_store(), container.clock(), keeping)


def _limits(container: Container, live: LiveConfiguration) -> ManageLimits:
    return managed_limits(container.limiting(), container.clock(), container.ids(), lambda: live.loaded)


def _budgeting(container: Container, live: LiveConfiguration) -> Budgeting:
    money = container.money()
    stores = BudgetStores(
        budgets=container.budget_store(),
        keys=container.key_store(),
        ledger=money.books,
        books=container.ledger_books(),
        usage=container.usage_query(),
        clock=container.clock(),
        ids=container.ids(),
    )
    keeping = keeping_of(
        lambda: live.loaded,
        lambda: money.follow.declared,
        lambda name: name in live.provided.routes,
        money.follow.refresh,
    )
    return make_budgeting(stores, keeping, money.holds.book, container.access().keys.create)


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
