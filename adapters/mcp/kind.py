"""Which endpoints are upstream MCP servers, and how they are opened."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mcp.configuration import read_configuration
from adapters.mcp.connector import McpConnector
from adapters.rest.authentication_section import secret_fields_of
from adapters.rest.grants import credential_of, token_origin
from adapters.rest.origin import parse_origin
from application.ports.connector import Connector, ConnectorKind, Surroundings
from application.ports.system import Clock
from domain.connectors.integration import Integration, IntegrationKind


class McpServers(ConnectorKind):
    """Streamable HTTP only: no process is ever started for a tool."""

    kind = IntegrationKind.MCP
    schemes = frozenset({"http", "https"})

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def validate(self, configuration: Mapping[str, Any]) -> None:
        read = read_configuration(configuration)
        url = getattr(read.authentication, "token_url", None)
        if url is not None:
            token_origin(url)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        said = configuration.get("authentication")
        return secret_fields_of(said.get("type") if isinstance(said, Mapping) else None)

    def modules(self, configuration: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002
        return ("mcp.client.client", "mcp.client.streamable_http")

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        read = read_configuration(integration.configuration)
        origin = parse_origin(read.endpoint)
        credential = credential_of(read.authentication, surroundings, origin, self._clock)
        return McpConnector(read, surroundings.transport, origin, credential)
