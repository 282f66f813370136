"""An integration: one outside system that a tenant reaches through Interchange, under a name of its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from domain.errors import InvalidRequest

ID_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""Such a name is also a name in the vault, in a path, and before a `.` in the names of MCP tools."""
CONFIGURATION_BYTES_MAX: Final = 1024 * 1024
"""As JSON: an OpenAPI document may be part of it."""
INTEGRATIONS_PER_TENANT_MAX: Final = 500
INSTALLATION: Final = "*"
"""Tenant of integrations that a configuration file declares for everybody."""


class IntegrationKind(StrEnum):
    """What callers name as `type`."""

    LLM_PROVIDER = "llm_provider"
    DATABASE = "database"
    API = "api"
    STORAGE = "storage"
    MCP = "mcp"
    """An upstream MCP server, whose tools become ours."""


class IntegrationState(StrEnum):
    """What its owner wants; whether it is healthy is another matter."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """Refuses calls until it is enabled."""
    MAINTENANCE = "maintenance"
    """Refuses calls and says that it will be back; its health is not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """As it is stored. Nothing in `configuration` is secret: `credentials` names what the vault keeps.

    `configuration` is JSON as its kind's section of `entrypoints/config` reads it: `endpoint` and what the
    endpoint's scheme asks for. `credentials` maps a field of `configuration.authentication`, such as
    `password`, to the name of a credential of the same tenant.
    """

    tenant_id: str
    integration_id: str
    kind: IntegrationKind
    configuration: Mapping[str, Any]
    credentials: Mapping[str, str] = field(default_factory=dict)
    circuit_breaker: Mapping[str, Any] = field(default_factory=dict)
    """`failure_threshold`, `recovery_timeout_s` and such; empty: the defaults of R1."""
    monitoring: Mapping[str, Any] = field(default_factory=dict)
    """`enabled`, `metrics`, `interval_s`."""
    state: IntegrationState = IntegrationState.ACTIVE
    version: int = 1
    """Rises with every change; an open connector of another version is closed."""
    created_at_us: int = 0
    updated_at_us: int = 0
    updated_by: str = ""
    declared: bool = False
    """Whether a configuration file declares it, which alone may change it."""

    @property
    def endpoint(self) -> str:
        return str(self.configuration.get("endpoint", ""))

    @property
    def scheme(self) -> str:
        """Of its endpoint, in lower case: which connector serves it."""
        return self.endpoint.partition("://")[0].lower()

    @property
    def region(self) -> str | None:
        """Where content that is sent there comes to be; None: nobody said."""
        said = self.configuration.get("region")
        return said if isinstance(said, str) and said else None


def check_integration_id(text: str) -> str:
    """Raises InvalidRequest."""
    if not ID_SHAPE.fullmatch(text):
        raise InvalidRequest(
            f"integration_id {text[:80]!r} must be 1-63 of a-z, 0-9, '.', '_' and '-', and start with a "
            "letter or digit",
            param="integration_id",
        )
    return text
