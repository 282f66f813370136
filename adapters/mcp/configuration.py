"""The configuration of an upstream MCP server."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, field_validator

from adapters.rest.authentication_section import Authentication, Section, header_name, header_value
from adapters.rest.origin import parse_origin
from adapters.wire.field_problems import invalid
from domain.connectors.terms import own_configuration
from domain.tenancy.patterns import matches_any

NAMES_MAX: Final = 500


class OverrideSection(Section):
    """What we know better about one tool than its server says."""

    read_only: bool | None = None
    idempotent: bool | None = None
    cost_usd: float | None = Field(default=None, ge=0, le=1000)
    cache_ttl_s: float | None = Field(default=None, gt=0, le=7 * 86_400)
    timeout_s: float | None = Field(default=None, gt=0, le=3600)


class ToolsSection(Section):
    """Names as the server gives them, with one `*` at the end. Who is denied is not allowed."""

    allow: list[str] = Field(default_factory=lambda: ["*"], max_length=NAMES_MAX)
    deny: list[str] = Field(default_factory=list, max_length=NAMES_MAX)
    overrides: dict[str, OverrideSection] = Field(default_factory=dict, max_length=NAMES_MAX)

    @field_validator("allow", "deny")
    @classmethod
    def _patterns(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if not 1 <= len(pattern) <= 128 or "*" in pattern[:-1] or not pattern.isprintable():
                raise ValueError(f"{pattern[:60]!r} is no name with `*` at its end or nowhere")
        return value

    def offers(self, name: str) -> bool:
        """Whether a tool of this name may be used at all."""
        return matches_any(self.allow, name) and not matches_any(self.deny, name)


class McpConfiguration(Section):
    """`protocol`: `auto` asks for the newest way first; `legacy` begins with a handshake at once.
    `new_tools`: what becomes of tools that appear after its first ones were seen."""

    endpoint: str
    authentication: Authentication
    protocol: Literal["auto", "legacy"] = "auto"
    headers: dict[str, str] = Field(default_factory=dict, max_length=20)
    tools: ToolsSection = Field(default_factory=ToolsSection)
    new_tools: Literal["allow", "withhold"] = "withhold"

    @field_validator("endpoint")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_origin(value)
        return value

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        return {header_name(name): header_value(text) for name, text in value.items()}


def read_configuration(configuration: Mapping[str, Any]) -> McpConfiguration:
    """Raises InvalidConfiguration with the path of the field."""
    try:
        return McpConfiguration.model_validate(own_configuration(configuration))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid(found, McpConfiguration.model_fields, _place) from None


def _place(location: tuple[int | str, ...]) -> list[int | str]:
    return [part for part in location if part not in _CHOICES]


_CHOICES: Final = frozenset(
    ("none", "api_key", "basic", "bearer", "oauth2_client_credentials", "oauth2_refresh", "hmac", "mtls")
)
