"""`integrations`: databases, APIs, storage and MCP servers that the file declares."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, field_validator

from domain.connectors.integration import ID_SHAPE, INSTALLATION
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.config.sections import Section, Word

INTEGRATIONS_IN_FILE_MAX: Final = 1_000
AUTHENTICATION: Final = "authentication"
_SAID_OPENLY: Final = frozenset({"type", "credential"})
IntegrationName = Annotated[str, Field(pattern=f"^{ID_SHAPE.pattern}$")]


class MonitoringSettings(Section):
    """How an integration is watched."""

    enabled: bool = Field(default=True, description="Whether it is looked at when nobody calls it.")
    interval_s: float = Field(default=60.0, ge=5, le=86_400, description="Between two looks.")
    metrics: tuple[Annotated[Literal["availability", "latency", "pool"], Word], ...] | None = Field(
        default=None, description="Which figures of it are on the metrics page; unset: all."
    )


class IntegrationSettings(Section):
    """One integration, by its name. What stands here can be changed only here; docs/integrations.md says what
    each type takes."""

    type: Annotated[Literal["llm_provider", "database", "api", "storage", "mcp"], Word]
    tenant: str = Field(
        default=OPERATOR_TENANT,
        pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,62})$",
        description=f"Whose it is; `{INSTALLATION}`: every tenant may use it.",
    )
    state: Annotated[Literal["active", "disabled", "maintenance"], Word] = "active"
    configuration: dict[str, Any] = Field(
        description="`endpoint`, `authentication` and what the endpoint's scheme asks for. Secrets are given "
        "as `${VARIABLE}`, or by name in the vault: `{credential: <name>}`."
    )
    monitoring: MonitoringSettings = MonitoringSettings()

    @field_validator("configuration")
    @classmethod
    def _hides_what_may_be_secret(cls, configuration: dict[str, Any]) -> dict[str, Any]:
        """Everything said about authentication, for which of it is secret only its connector knows."""
        if AUTHENTICATION not in configuration:
            return configuration
        return {**configuration, AUTHENTICATION: _hidden(configuration[AUTHENTICATION])}

    def revealed(self) -> dict[str, Any]:
        """The configuration with its secrets, for whoever takes them out of it."""
        if AUTHENTICATION not in self.configuration:
            return dict(self.configuration)
        return {**self.configuration, AUTHENTICATION: _revealed(self.configuration[AUTHENTICATION])}


def _hidden(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    if isinstance(value, str) and name not in _SAID_OPENLY:
        return SecretStr(value)
    return value


def _revealed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _revealed(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(inner) for inner in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value
