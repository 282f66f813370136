"""`Settings`: the whole configuration of one instance, validated and frozen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from domain.time import Timeouts
from entrypoints.config.access_section import AuthSettings
from entrypoints.config.alert_section import (
    OBJECTIVES_MAX,
    AlertName,
    AlertSettings,
    ObjectiveSettings,
)
from entrypoints.config.analytics_section import REPORTS_MAX, AnalyticsSettings, ReportSettings
from entrypoints.config.audit_section import AuditSettings
from entrypoints.config.batch_sections import BatchSettings
from entrypoints.config.budget_sections import BUDGETS_MAX, BudgetSettings
from entrypoints.config.cache_sections import CacheDefaults
from entrypoints.config.connectors_section import ConnectorSettings
from entrypoints.config.egress_section import EgressSettings
from entrypoints.config.event_sections import EventSettings
from entrypoints.config.experiment_section import EXPERIMENTS_MAX, ExperimentSettings
from entrypoints.config.guard_sections import GuardSettings
from entrypoints.config.guardrail_section import Guardrails
from entrypoints.config.identity_section import IdentitySettings
from entrypoints.config.integration_section import (
    INTEGRATIONS_IN_FILE_MAX,
    IntegrationName,
    IntegrationSettings,
)
from entrypoints.config.ledger_section import LedgerSettings
from entrypoints.config.logs_section import LogSettings
from entrypoints.config.privacy_section import PrivacySettings
from entrypoints.config.provider_sections import ProviderSettings
from entrypoints.config.quality_section import QualitySettings
from entrypoints.config.rate_limit_sections import RATE_LIMITS_MAX, RateLimitSettings
from entrypoints.config.recording_section import RecordingSettings
from entrypoints.config.residency_section import ResidencySettings
from entrypoints.config.response_sections import ResponsesSettings
from entrypoints.config.route_sections import RouteSettings
from entrypoints.config.sections import (
    AbsolutePath,
    BreakerSettings,
    HealthSettings,
    LimitSettings,
    PortkeySettings,
    Profile,
    RoutingSettings,
    Section,
    Share,
    SimulatorSettings,
    StorageSettings,
)
from entrypoints.config.server_section import ServerSettings
from entrypoints.config.telemetry_section import TelemetrySettings
from entrypoints.config.tenant_sections import (
    ROLES_IN_FILE_MAX,
    TENANTS_IN_FILE_MAX,
    OwnRoleName,
    OwnRoleSettings,
    TenantName,
    TenantSettings,
)
from entrypoints.config.tracing_section import TracingSettings
from entrypoints.config.vault_section import VaultSettings
from entrypoints.config.webhook_section import WebhookSettings

ProviderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
RouteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$")]


class Settings(Section):
    """Everything an instance is told from outside. Secrets show as asterisks wherever this is printed."""

    profile: Profile = "embedded"
    data_dir: AbsolutePath = Field(default=Path(".interchange"), validate_default=True)
    bootstrap_key_file: AbsolutePath | None = None
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    auth: AuthSettings = AuthSettings()
    identity: IdentitySettings = IdentitySettings()
    portkey: PortkeySettings = PortkeySettings()
    simulator: SimulatorSettings = SimulatorSettings()
    providers: dict[ProviderName, ProviderSettings] = Field(default_factory=dict)
    routes: dict[RouteName, RouteSettings] = Field(default_factory=dict)
    budgets: tuple[BudgetSettings, ...] = Field(default=(), max_length=BUDGETS_MAX)
    budget_alert_threshold: Share = Field(
        default=0.8, description="The first threshold of budgets that name none of their own."
    )
    tenants: dict[TenantName, TenantSettings] = Field(
        default_factory=dict,
        max_length=TENANTS_IN_FILE_MAX,
        description="Who shares this installation, by name: what each is held to, and its own roles and "
        "projects. Nothing of one is seen by another.",
    )
    roles: dict[OwnRoleName, OwnRoleSettings] = Field(
        default_factory=dict,
        max_length=ROLES_IN_FILE_MAX,
        description="Roles by name, beside the built-in ones, that keys of every tenant may have.",
    )
    integrations: dict[IntegrationName, IntegrationSettings] = Field(
        default_factory=dict,
        max_length=INTEGRATIONS_IN_FILE_MAX,
        description="Databases, APIs, storage and MCP servers by name; their tools are called by it.",
    )
    connectors: ConnectorSettings = ConnectorSettings()
    rate_limits: tuple[RateLimitSettings, ...] = Field(
        default=(),
        max_length=RATE_LIMITS_MAX,
        description="How many requests and tokens are let through in some time, of whom. Every limit that "
        "concerns a request holds.",
    )
    experiments: tuple[ExperimentSettings, ...] = Field(
        default=(),
        max_length=EXPERIMENTS_MAX,
        description="A/B tests of routes: arms that answer one route's requests, and what decides.",
    )
    analytics: AnalyticsSettings = AnalyticsSettings()
    reports: tuple[ReportSettings, ...] = Field(
        default=(),
        max_length=REPORTS_MAX,
        description="Reports of whole weeks or months, sent as the event `report.ready` when they are over.",
    )
    events: EventSettings = EventSettings()
    webhooks: WebhookSettings = WebhookSettings()
    objectives: dict[AlertName, ObjectiveSettings] = Field(
        default_factory=dict,
        max_length=OBJECTIVES_MAX,
        description="What a good service is, by name, beside the built-in objectives `availability`, "
        "`error-rate`, `cache-hit-ratio`, `latency-p95` and `overhead-p50`.",
    )
    alerts: AlertSettings = AlertSettings()
    guards: GuardSettings = GuardSettings()
    privacy: PrivacySettings = PrivacySettings()
    guardrails: Guardrails = Field(
        default_factory=dict,
        description="Checks by name, for routes (`routes.….guardrails`) and tenants that name them, or for "
        "everything (`everywhere: true`). They are asked in this order.",
    )
    recording: RecordingSettings = RecordingSettings()
    quality: QualitySettings = QualitySettings()
    routing: RoutingSettings = RoutingSettings()
    breaker: BreakerSettings = BreakerSettings()
    health: HealthSettings = HealthSettings()
    cache: CacheDefaults = CacheDefaults()
    storage: StorageSettings = StorageSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    tracing: TracingSettings = TracingSettings()
    logs: LogSettings = LogSettings()
    batch: BatchSettings = BatchSettings()
    responses: ResponsesSettings = ResponsesSettings()
    ledger: LedgerSettings = LedgerSettings()
    audit: AuditSettings = AuditSettings()
    vault: VaultSettings = VaultSettings()
    residency: ResidencySettings = ResidencySettings()
    egress: EgressSettings = EgressSettings()

    @field_validator("providers", mode="before")
    @classmethod
    def _a_provider_is_of_its_own_kind(cls, providers: Any) -> Any:
        """`openai: {api_key: …}` needs no `kind: openai`."""
        if not isinstance(providers, Mapping):
            return providers
        filled: dict[Any, Any] = {}
        for name, section in providers.items():
            if section is None:
                section = {}
            if isinstance(section, Mapping) and not section.get("kind"):
                section = {**section, "kind": str(name).lower()}
            filled[name] = section
        return filled

    @property
    def key_file(self) -> Path:
        """Where the first key is written: `admin.key` in the data directory, unless named otherwise."""
        return self.bootstrap_key_file or self.data_dir / "admin.key"

    @property
    def runs_gateway(self) -> bool:
        """Whether `serve` keeps a Portkey gateway of its own."""
        if self.portkey.managed is not None:
            return self.portkey.managed
        return self.profile == "embedded" and not self.portkey.gateways and self.portkey.api_key is None

    @property
    def runs_simulator(self) -> bool:
        """Whether the simulated provider is offered."""
        if self.simulator.enabled is not None:
            return self.simulator.enabled
        return self.profile == "embedded" and not self.providers

    def breaker_of(self, provider: str) -> BreakerSettings:
        """A provider's own breaker keys over the general ones."""
        own = self.providers[provider].breaker if provider in self.providers else None
        return self.breaker if own is None else self.breaker.model_copy(update=_given(own))

    def health_of(self, provider: str) -> HealthSettings:
        """A provider's own health keys over the general ones."""
        own = self.providers[provider].health if provider in self.providers else None
        return self.health if own is None else self.health.model_copy(update=_given(own))

    def timeouts_of(self, route: RouteSettings) -> Timeouts:
        """A route's time bounds, with the general header timeout where it names none."""
        return route.timeouts.timeouts(self.limits.provider_timeout_s)


def _given(section: Section) -> dict[str, Any]:
    return {name: getattr(section, name) for name in section.model_fields_set}
