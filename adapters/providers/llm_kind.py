"""Providers of language models as integrations: looked at here, called by the routing."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.providers.families import FAMILIES
from adapters.wire.addresses import Base, parse_base
from application.ports.connector import (
    ByteStream,
    Connector,
    ConnectorFigures,
    ConnectorKind,
    Surroundings,
    ToolOutcome,
)
from application.ports.http import HttpRequest, HttpTransport, TransportFailed
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.errors import EgressRefused, IntegrationUnavailable, InvalidConfiguration, ToolRefused

API_KEY: Final = "api_key"
_CONNECT_TIMEOUT_S: Final = 5.0
_CHECK_TIMEOUT_S: Final = 9.0
_VERSIONS: Final = ("/v1beta", "/v1")
_MODELS: Final = {"anthropic": "/v1/models", "gemini": "/v1beta/models", "cohere": "/v1/models"}
"""Where a wire lists its models below an address without a version; the others: `/models` below it."""


class LlmPlace(NamedTuple):
    """What is said of a provider: the wire it speaks, where, and whether it is asked with a key."""

    wire: str
    keyed: bool
    options: Mapping[str, str]


class LlmProviders(ConnectorKind):
    """`read` judges a configuration; it raises InvalidConfiguration."""

    kind = IntegrationKind.LLM_PROVIDER
    schemes = frozenset({"http", "https"})

    def __init__(self, read: Callable[[Mapping[str, Any]], LlmPlace]) -> None:
        self._read = read

    def validate(self, configuration: Mapping[str, Any]) -> None:
        place = self._read(configuration)
        _base(place, configuration)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        said = configuration.get("authentication")
        keyed = isinstance(said, Mapping) and said.get("type") == API_KEY
        return frozenset({API_KEY} if keyed else ())

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        place = self._read(integration.configuration)
        base, secret = _base(place, integration.configuration), surroundings.secrets.get(API_KEY)
        if place.keyed and secret is None:
            param = f"authentication.{API_KEY}"
            raise InvalidConfiguration(f"{param} is required", param=param)
        headers = [("accept", "application/json"), ("user-agent", "interchange")]
        family = FAMILIES.get(place.wire)
        if family is not None:
            headers += family.headers
            if secret is not None:
                headers += family.key_headers(_sendable(secret.reveal()))
        return LlmProviderConnector(base, _models_path(place.wire, base), headers, surroundings.transport)


class LlmProviderConnector(Connector):
    """Has no tools: models are called by their names, through routing."""

    def __init__(
        self, base: Base, path: str, headers: Sequence[tuple[str, str]], transport: HttpTransport
    ) -> None:
        self._base = base
        self._path = path
        self._headers = headers
        self._transport = transport

    @property
    def tools(self) -> Sequence[Tool]:
        return ()

    async def execute(self, call: ToolCall) -> ToolOutcome:
        raise _no_tools(call)

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        del content_type
        raise _no_tools(call)

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        del body, size_bytes
        raise _no_tools(call)

    async def check(self) -> Mapping[str, Any]:
        """Asks for the list of models, which costs nothing. A server without one has answered all the
        same."""
        request = HttpRequest(
            "GET",
            self._base.endpoint,
            self._path,
            self._headers,
            connect_timeout_s=_CONNECT_TIMEOUT_S,
            headers_timeout_s=_CHECK_TIMEOUT_S,
            total_timeout_s=_CHECK_TIMEOUT_S,
        )
        host = self._base.endpoint.host[:100]
        try:
            response = await self._transport.send(request)
        except TransportFailed as error:
            if error.by_rule:
                raise EgressRefused(error.message) from None
            raise IntegrationUnavailable(f"{host} cannot be reached: {error.message}") from None
        response.close()
        if response.status in (401, 403):
            raise IntegrationUnavailable(f"{host} refuses our key (status {response.status})")
        if response.status >= 500:
            raise IntegrationUnavailable(f"{host} answers with status {response.status}")
        return {"status": response.status, "lists_models": response.status == 200}

    async def discover(self) -> bool:
        return False

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures()

    async def aclose(self) -> None:
        """Nothing: the connections are the transport's."""


def _no_tools(call: ToolCall) -> ToolRefused:
    return ToolRefused(
        f"{call.tool.name[:80]}: a provider of models has no tools; name it as `model` instead"
    )


def _base(place: LlmPlace, configuration: Mapping[str, Any]) -> Base:
    endpoint = str(configuration.get("endpoint", ""))
    family = FAMILIES.get(place.wire)
    try:
        address = endpoint if family is None else family.address(endpoint, place.options)
        return parse_base(address or endpoint)
    except ValueError as error:
        raise InvalidConfiguration(f"endpoint: {error}", param="endpoint") from None


def _models_path(wire: str, base: Base) -> str:
    root, below = base.path, _MODELS.get(wire, "/models")
    if wire in _MODELS:
        for version in _VERSIONS:
            root = root.removesuffix(version)
    return f"{root}{below}" + (f"?{base.query}" if base.query else "")


def _sendable(key: bytes) -> str:
    """Raises InvalidConfiguration for a key that no header can carry."""
    text = key.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        param = f"authentication.{API_KEY}"
        raise InvalidConfiguration(f"{param} holds characters that no header can carry", param=param)
    return text
