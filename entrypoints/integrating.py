"""Puts together what keeps, follows, watches and manages integrations, from ports alone."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from application.ports.integrations import HealthLog, IntegrationStore
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.tools.book import Open
from application.tools.declared import DeclaredIntegrations, Place
from application.tools.forms import Asked, Form, read_form
from application.tools.health_board import HealthBoard
from application.tools.keeping_secrets import IntegrationSecrets
from application.tools.kinds import ConnectorKinds
from application.use_cases.follow_integrations import (
    REFRESH_EVERY_S,
    FollowIntegrations,
    check_integrations,
    place_of,
)
from application.use_cases.manage_integrations import IntegrationKeeping, ManageIntegrations
from application.use_cases.manage_tool_pins import ManageToolPins
from application.use_cases.watch_integrations import WatchIntegrations
from application.vault import Vault
from domain.connectors.health import HealthCheck
from domain.connectors.integration import Integration, IntegrationKind, IntegrationState
from domain.connectors.monitoring import monitoring_of
from domain.connectors.terms import IntegrationTerms
from domain.errors import Conflict, InterchangeError, InvalidConfiguration, NotFound
from domain.vault.secret import SecretBytes
from entrypoints.background import BackgroundTasks, every
from entrypoints.config.integration_section import IntegrationSettings
from entrypoints.config.tenant_findings import known_regions
from entrypoints.integrated_providers import IntegratedProvider, ProviderIntegrations, integrated_provider
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings, Settings
from entrypoints.tenancy import declared_in
from entrypoints.tooling import Tooling

SHOWN_MAX: Final = 500
"""Integrations on the metrics page: the first of them by tenant and name."""
_VERSION_BITS: Final = 47


class Providing(Protocol):
    """What runs on integrations that are providers of models."""

    async def check_integration(self, each: IntegratedProvider) -> None:
        """Raises Conflict, InvalidConfiguration."""
        ...

    async def refresh_integrations(self) -> None:
        """Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrating:
    """Everything around integrations of one process."""

    tooling: Tooling
    store: IntegrationStore
    health: HealthLog
    board: HealthBoard
    follow: FollowIntegrations
    watch: WatchIntegrations
    vault: Vault
    clock: Clock
    providers: ProviderIntegrations
    """Those that are providers of models."""

    def breaker_of(self, integration: Integration) -> str | None:
        """The state of its breaker in this process; None: it takes no calls of tools here."""
        if integration.kind is IntegrationKind.LLM_PROVIDER:
            return None
        try:
            entry = self.tooling.book.at(integration)
        except NotFound:
            return None
        return entry.breaker.state(self.clock.monotonic()).value

    def managing(
        self, loaded: Callable[[], LoadedSettings], providing: Providing | None = None
    ) -> ManageIntegrations:
        """What routes call; `providing` is told of those that are providers of models."""

        async def changed() -> None:
            await self.follow.refresh()
            if providing is not None:
                await providing.refresh_integrations()

        async def check(integration: Integration, given: Mapping[str, SecretBytes]) -> None:
            if providing is not None and integration.kind is IntegrationKind.LLM_PROVIDER:
                await providing.check_integration(integrated_provider(integration, given))

        keeping = IntegrationKeeping(
            declared=lambda: self.follow.declared.integrations,
            declared_in=lambda each: declared_in(loaded(), "integrations", each.integration_id),
            check_terms=lambda terms: check_terms(loaded().settings, terms),
            changed=changed,
            check=check,
        )
        return ManageIntegrations(
            store=self.store,
            health=self.health,
            board=self.board,
            kinds=self.tooling.kinds,
            opening=self.tooling.opening,
            secrets=IntegrationSecrets(self.vault),
            clock=self.clock,
            keeping=keeping,
            pins=self.tooling.pins,
        )

    def accepting(self, manage: ManageIntegrations) -> ManageToolPins:
        """What routes call for tools of upstream servers."""
        tooling = self.tooling
        return ManageToolPins(manage, tooling.book, tooling.pins, self.clock, self.follow.refresh)

    def prepare(self, settings: Settings) -> DeclaredIntegrations:
        """What another file declares, checked. Raises ProvisioningError."""
        declared = declared_integrations(settings, self.tooling.kinds)
        check_integration_names(declared.integrations, self.follow.stored)
        return declared

    async def start(self, tasks: BackgroundTasks, settings: Settings) -> None:
        """Puts the first set in force, follows and watches it. Raises ProvisioningError, StoreUnavailable."""
        try:
            await self.follow.start(declared_integrations(settings, self.tooling.kinds))
        except Conflict as error:
            raise ProvisioningError([error.message]) from None
        tasks.start("integrations", partial(every, REFRESH_EVERY_S, self.follow.refresh))
        tasks.start("integration health", self.watch.run)

    def gauges(self) -> Iterable[Gauge]:
        """Figures per integration, for the metrics page; never per caller."""
        entries = sorted(self.tooling.book.all(), key=lambda entry: place_of(entry.integration))[:SHOWN_MAX]
        shown = [(entry, _labels(entry), _metrics(entry), self._latest(entry)) for entry in entries]
        yield Gauge(
            "interchange_integration_up",
            "1 while the last look at an integration found it up, 0 while it did not; of active ones.",
            tuple(
                (labels, int(check.up))
                for entry, labels, metrics, check in shown
                if check is not None and "availability" in metrics and _active(entry)
            ),
        )
        yield Gauge(
            "interchange_integration_latency_seconds",
            "How long the last look at an integration took, where it answered.",
            tuple(
                (labels, check.latency_ms / 1000.0)
                for entry, labels, metrics, check in shown
                if check is not None and check.latency_ms is not None
                if "latency" in metrics and _active(entry)
            ),
        )
        yield Gauge(
            "interchange_integration_tools_withheld",
            "Tools of an upstream MCP server that are not what was accepted, as this process saw them last.",
            tuple(
                (labels, len(entry.verdict.withheld))
                for entry, labels, _, _ in shown
                if entry.looked and _active(entry)
            ),
        )
        for what, text in (
            ("open", "Connections that are open."),
            ("busy", "Connections in use."),
            ("waiting", "Calls that wait for a connection."),
            ("limit", "Connections there may be."),
        ):
            yield Gauge(
                f"interchange_integration_pool_{what}",
                f"Of an integration in this process: {text[0].lower()}{text[1:]}",
                tuple(
                    (labels, getattr(entry.connector.figures(), what))
                    for entry, labels, metrics, _ in shown
                    if entry.connector is not None and "pool" in metrics
                ),
            )

    def _latest(self, entry: Open) -> HealthCheck | None:
        return self.board.latest(*place_of(entry.integration))


def declared_integrations(settings: Settings, kinds: ConnectorKinds) -> DeclaredIntegrations:
    """Those of the configuration file. Raises ProvisioningError with everything that is wrong."""
    made: list[Integration] = []
    secrets: dict[Place, Mapping[str, SecretBytes]] = {}
    problems: list[str] = []
    for name, section in settings.integrations.items():
        try:
            form = _form(name, section, kinds)
            check_terms(settings, form.terms)
        except InterchangeError as error:
            param = error.param or ""
            if param and not param.startswith(("configuration", "monitoring", "type", "integration_id")):
                param = f"configuration.{param}"
            problems.append(f"integrations.{name}{'.' * bool(param)}{param}: {error.message}")
            continue
        integration = replace(
            form.integration,
            credentials=dict(form.referenced),
            state=IntegrationState(section.state),
            declared=True,
        )
        made.append(replace(integration, version=_version(integration)))
        secrets[place_of(integration)] = form.given
    if problems:
        raise ProvisioningError(problems)
    return DeclaredIntegrations(tuple(made), secrets)


def check_integration_names(declared: Sequence[Integration], stored: Sequence[Integration]) -> None:
    """Raises ProvisioningError for a name that was also given to an integration made through the API."""
    try:
        check_integrations(declared, stored)
    except Conflict as error:
        raise ProvisioningError([error.message]) from None


def check_terms(settings: Settings, terms: IntegrationTerms) -> None:
    """Raises InvalidConfiguration for a policy, a guardrail or a region that this installation does not
    know."""
    policies = settings.privacy.names()
    if terms.privacy and terms.privacy not in policies:
        raise InvalidConfiguration(
            f"privacy: no policy {terms.privacy!r}; known: {', '.join(policies)}", param="privacy"
        )
    for name in terms.guardrails:
        if name not in settings.guardrails:
            known = ", ".join(settings.guardrails) or "none"
            raise InvalidConfiguration(f"guardrails: no {name!r}; known: {known}", param="guardrails")
    regions = known_regions(settings)
    if terms.region and regions and terms.region not in regions:
        raise InvalidConfiguration(
            f"region: {terms.region!r} is not known; known: {', '.join(regions)}", param="region"
        )


def _form(name: str, section: IntegrationSettings, kinds: ConnectorKinds) -> Form:
    monitoring = section.monitoring.model_dump(exclude_none=True)
    asked = Asked(name, section.type, section.revealed(), monitoring)
    return read_form(kinds, asked, section.tenant)


def _version(integration: Integration) -> int:
    """The same for the same configuration, also after a restart: what was kept of its results says it."""
    said: list[Any] = [
        integration.configuration,
        integration.credentials,
        integration.circuit_breaker,
        integration.kind.value,
    ]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=dict).encode()).digest()
    return 1 + (int.from_bytes(digest[:8], "big") >> (64 - _VERSION_BITS))


def _labels(entry: Open) -> tuple[tuple[str, str], ...]:
    integration = entry.integration
    return (
        ("tenant", integration.tenant_id),
        ("integration", integration.integration_id),
        ("type", integration.kind.value),
    )


def _metrics(entry: Open) -> frozenset[str]:
    try:
        return monitoring_of(entry.integration.monitoring).metrics
    except InvalidConfiguration:
        return frozenset()


def _active(entry: Open) -> bool:
    return entry.integration.state is IntegrationState.ACTIVE
