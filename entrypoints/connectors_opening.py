"""Opens what tools of integrations need: connectors, their ways out, their schemas.

A part of the composition root: it names adapters. A connector has its row in `connector_kinds`; drivers are
loaded when the first integration of their kind is opened.
"""

from collections.abc import Mapping
from typing import Any

from adapters.databases.kind import DatabaseKind
from adapters.http.address_guard import address_guards
from adapters.mcp.kind import McpServers
from adapters.pricing.providers import PROVIDERS
from adapters.providers.llm_kind import LlmPlace, LlmProviders
from adapters.rest.kind import RestConnectors
from adapters.storage.kind import StorageKind
from adapters.system.clock import SystemClock
from adapters.wire.json_schemas import CompiledParameterSchemas
from application.ports.connector import ConnectorKind
from application.ports.parameter_schemas import ParameterSchemas
from application.tenant_book import TenantBook
from application.tools.declared import FileSecrets, OpeningDeclared
from application.tools.kinds import ConnectorKinds
from application.tools.opening import ConnectorOpening
from application.vault import Vault
from entrypoints.config.llm_provider_section import authentication_of, provider_section
from entrypoints.outgoing import Outgoing, make_outside
from entrypoints.settings import Settings


def connector_kinds(settings: Settings) -> ConnectorKinds:
    """Every kind of endpoint an integration may have. `settings` say which folders are open to them."""
    kinds: list[ConnectorKind] = [
        DatabaseKind(folders=lambda: settings.connectors.folders),
        McpServers(SystemClock()),
        RestConnectors(SystemClock()),
        LlmProviders(_llm_place),
    ]
    kinds.append(StorageKind(folders=lambda: settings.connectors.folders))
    return ConnectorKinds(kinds)


def _llm_place(configuration: Mapping[str, Any]) -> LlmPlace:
    section = provider_section(configuration)
    known = PROVIDERS.get(section.kind)
    keyed = authentication_of(configuration).type == "api_key"
    return LlmPlace(known.wire if known is not None else section.kind, keyed, section.options)


def connector_opening(
    kinds: ConnectorKinds, vault: Vault, outgoing: Outgoing, tenants: TenantBook, secrets: FileSecrets
) -> OpeningDeclared:
    """What makes a connector of an integration, with the tenant's way out; `secrets` are those of the
    file."""
    outside = make_outside(outgoing, tenants)
    guard_of = address_guards(outgoing.gate, lambda tenant_id: tenants.of(tenant_id).egress)
    return OpeningDeclared(ConnectorOpening(kinds, vault, outside, guard_of), secrets, vault)


def schemas() -> ParameterSchemas:
    """What compares parameters with what tools want."""
    return CompiledParameterSchemas()
