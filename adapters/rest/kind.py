"""Which endpoints are REST integrations, and how they are opened."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from adapters.http.tls import use_own_tls
from adapters.rest.authentication_section import ClientCertificate, secret_fields_of
from adapters.rest.configuration import RestConfiguration, read_configuration
from adapters.rest.connector import RestConnector
from adapters.rest.exchange import Exchange
from adapters.rest.grants import credential_of, token_origin
from adapters.rest.openapi import tools_of_openapi
from adapters.rest.plan import ToolPlan, fixed_headers
from adapters.rest.recipes import recipe_named
from adapters.rest.tool_section import ToolSection
from application.ports.connector import Connector, ConnectorKind, Surroundings
from application.ports.http import OwnTls
from application.ports.system import Clock
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import TOOLS_PER_INTEGRATION_MAX
from domain.errors import InvalidConfiguration


class RestConnectors(ConnectorKind):
    """`draw` gives chance in [0, 1), `sleep` waits: for tests on virtual time."""

    kind = IntegrationKind.API
    schemes = frozenset({"http", "https"})

    def __init__(
        self,
        clock: Clock,
        *,
        draw: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._sleep = sleep

    def validate(self, configuration: Mapping[str, Any]) -> None:
        read = read_configuration(configuration)
        _plans(read)
        url = getattr(read.authentication, "token_url", None)
        if url is not None:
            token_origin(url)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        said = configuration.get("authentication")
        kind = said.get("type") if isinstance(said, Mapping) else None
        name = configuration.get("recipe")
        if kind is None and isinstance(name, str) and name:
            kind = recipe_named(name).get("authentication", {}).get("type")
        return secret_fields_of(kind)

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:
        read = read_configuration(integration.configuration)
        plans = _plans(read)
        tls = _own_tls(read, surroundings)
        origin = read.origin.with_tls(tls)
        credential = credential_of(read.authentication, surroundings, origin, self._clock)
        exchange = Exchange(
            read,
            origin,
            surroundings.transport,
            credential,
            self._clock,
            draw=self._draw,
            sleep=self._sleep,
        )
        headers = fixed_headers(read.headers)
        return RestConnector(plans, exchange, credential, origin, read.check, headers, self._clock)


def _plans(read: RestConfiguration) -> dict[str, ToolPlan]:
    sections: dict[str, ToolSection] = {}
    if read.openapi is not None:
        section = read.openapi
        imported = tools_of_openapi(section.document, include=section.include, exclude=section.exclude)
        sections.update(imported.tools)
    sections.update(read.tools)
    if not sections:
        raise InvalidConfiguration(
            "no tools are declared: give `tools`, `openapi` or `recipe`", param="tools"
        )
    if len(sections) > TOOLS_PER_INTEGRATION_MAX:
        raise InvalidConfiguration(
            f"tools: at most {TOOLS_PER_INTEGRATION_MAX}; choose with openapi.include", param="tools"
        )
    prefix = read.origin.prefix
    return {name: ToolPlan(name, section, prefix, read.headers) for name, section in sections.items()}


def _own_tls(read: RestConfiguration, surroundings: Surroundings) -> OwnTls | None:
    """Raises InvalidConfiguration for what TLS cannot use."""
    proven = isinstance(read.authentication, ClientCertificate)
    if not proven and not read.tls.authority and not read.tls.tls12:
        return None
    known = surroundings.secrets
    own = OwnTls(
        certificate=known.get("certificate") if proven else None,
        private_key=known.get("private_key") if proven else None,
        authority=read.tls.authority,
        tls12=read.tls.tls12,
    )
    try:
        use_own_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), own)
    except (ssl.SSLError, ValueError, OSError):
        field = "authentication.certificate" if proven else "tls.authority"
        raise InvalidConfiguration(
            f"{field}: no PEM that TLS can use, or a key that belongs to another certificate", param=field
        ) from None
    return own
