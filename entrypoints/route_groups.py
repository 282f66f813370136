"""Routes beside model calls in groups, each with what it works with."""

from starlette.routing import Route

from application.use_cases.backtest_policy import BacktestPolicy
from application.use_cases.check_guardrails import CheckGuardrails
from application.use_cases.check_privacy import CheckPrivacy
from entrypoints.budgeting import Budgeting, BudgetStores, keeping_of, make_budgeting
from entrypoints.containers import Container
from entrypoints.http.asked_about import AskedAbout
from entrypoints.http.audit import audit_routes
from entrypoints.http.backtest import backtest_routes
from entrypoints.http.batches import batch_routes
from entrypoints.http.budgets import budget_routes
from entrypoints.http.cache import FIGURES, CacheRoutes, cache_routes
from entrypoints.http.credentials import credential_routes
from entrypoints.http.events import event_routes
from entrypoints.http.files import file_routes
from entrypoints.http.guard import Door, may_see
from entrypoints.http.guardrails import guardrail_routes
from entrypoints.http.inbound_webhooks import inbound_webhook_routes
from entrypoints.http.integration_tools import integration_tool_routes
from entrypoints.http.integrations import integration_routes
from entrypoints.http.keys import key_routes
from entrypoints.http.limits import limit_routes
from entrypoints.http.llm import LlmGate
from entrypoints.http.objects import object_routes
from entrypoints.http.own_key import own_key_routes
from entrypoints.http.privacy import privacy_routes
from entrypoints.http.quality import quality_routes
from entrypoints.http.recommendations import recommendation_routes
from entrypoints.http.recordings import recording_routes
from entrypoints.http.requests import request_routes
from entrypoints.http.roles import role_routes
from entrypoints.http.sign_in import auth_routes
from entrypoints.http.spending_reports import spending_report_routes
from entrypoints.http.stops import stop_routes
from entrypoints.http.subjects import subject_routes
from entrypoints.http.tenants import project_routes, tenant_routes
from entrypoints.http.tools import tool_routes
from entrypoints.http.usage import usage_routes
from entrypoints.http.webhooks import webhook_routes
from entrypoints.limiting import managed_limits
from entrypoints.live import LiveConfiguration


def content_routes(door: Door, container: Container, asked_about: AskedAbout) -> list[Route]:
    """What was said: privacy, guardrails, kept answers, recordings, quality."""
    quality = container.quality()
    return [
        *privacy_routes(door, CheckPrivacy(container.privacy(), container.runtime())),
        *subject_routes(door, container.erasing().export, container.erasing().erase),
        *guardrail_routes(door, _check_guardrails(container)),
        *cache_routes(door, _cache_routes(container, asked_about)),
        *recording_routes(door, container.recording().read),
        *quality_routes(door, quality.give, quality.read, quality.report),
    ]


def outside_routes(door: Door, container: Container, live: LiveConfiguration, gate: LlmGate) -> list[Route]:
    """Integrations, their tools and objects; files and batches."""
    batching, integrating = container.batching(), container.integrating()
    manage = integrating.managing(lambda: live.loaded, live)
    return [
        *integration_routes(door, manage, integrating.breaker_of),
        *integration_tool_routes(door, integrating.accepting(manage)),
        *tool_routes(door, container.tooling().tools),
        *object_routes(door, gate, container.tooling().execute),
        *file_routes(door, batching.files),
        *batch_routes(door, batching.batches),
    ]


def event_and_webhook_routes(door: Door, container: Container, live: LiveConfiguration) -> list[Route]:
    """What happens, and who is told."""
    eventing, stream_s_max = container.eventing(), live.settings.events.stream_s_max
    return [
        *event_routes(door, eventing.read, eventing.listen, stream_s_max=stream_s_max),
        *inbound_webhook_routes(door, eventing.verify),
        *webhook_routes(door, container.webhooking().managing(lambda: live.loaded)),
    ]


def access_routes(door: Door, container: Container, live: LiveConfiguration) -> list[Route]:
    """Who may do what, how much of it, and who did."""
    access, budgeting = container.access(), _budgeting(container, live)
    limiting = container.limiting()
    limits = managed_limits(limiting, container.clock(), container.ids(), lambda: live.loaded)
    return [
        *key_routes(door, access.keys, access.page, budgeting.create_key),
        *audit_routes(door, container.auditing().read),
        *stop_routes(door, container.guarding().manage),
        *_credential_routes(door, container, live),
        *_tenancy_routes(door, container, live),
        *auth_routes(door, container.identities()),
        *own_key_routes(door, container.describe_own_key(), budgeting.report, limiting.book),
        *limit_routes(door, limits),
        *budget_routes(door, budgeting.manage, budgeting.report, budgeting.charges),
    ]


def analysis_routes(door: Door, container: Container) -> list[Route]:
    """What was used, what it cost, and what that says."""
    analysing, experimenting = container.analysing(), container.experimenting()
    backtest = BacktestPolicy(
        *(container.decision_log(), container.runtime(), container.clock()),
        lambda: experimenting.follow.standings,
    )
    return [
        *request_routes(door, container.read_requests()),
        *usage_routes(door, container.usage_use_cases()),
        *spending_report_routes(
            door, analysing.savings, analysing.patterns, analysing.period, analysing.clock
        ),
        *recommendation_routes(door, analysing.manage),
        *backtest_routes(door, backtest),
    ]


def _check_guardrails(container: Container) -> CheckGuardrails:
    return CheckGuardrails(container.guardrails().inspector, container.runtime(), container.ids())


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


def _tenancy_routes(door: Door, container: Container, live: LiveConfiguration) -> list[Route]:
    managing = container.tenancy().managing(lambda: live.loaded, container.key_store(), container.clock())
    return [
        *tenant_routes(door, managing.tenants),
        *project_routes(door, managing.projects),
        *role_routes(door, managing.roles),
    ]


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
