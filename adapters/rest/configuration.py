"""The configuration of a REST integration: read once, every mistake with its place.

A recipe is a configuration that others build on: what the integration says itself wins, member by member;
`tools: {name: null}` leaves one out.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from adapters.rest.authentication_section import Authentication, Section, header_name, header_value
from adapters.rest.expressions import expression
from adapters.rest.origin import Origin, parse_origin
from adapters.rest.recipes import recipe_named
from adapters.rest.tool_section import ToolSection
from adapters.wire.field_problems import invalid
from domain.connectors.rest.pacing import REQUESTS_MAX, WAIT_S_MAX
from domain.connectors.rest.retrying import RETRIES_MAX, STATUSES, RetryStrategy
from domain.connectors.rest.retrying import WAIT_S_MAX as RETRY_WAIT_S_MAX
from domain.connectors.rest.templates import parse_path
from domain.connectors.terms import own_configuration
from domain.connectors.tool import TOOL_SHAPE, TOOLS_PER_INTEGRATION_MAX
from domain.errors import InvalidConfiguration

MERGE_DEPTH_MAX: Final = 3
_CHOICES: Final = frozenset(
    ("none", "api_key", "basic", "bearer", "oauth2_client_credentials", "oauth2_refresh", "hmac", "mtls")
)


class RateLimitSection(Section):
    """Our own pace: `requests` per `per_s`, `burst` of them at once; who comes too soon waits."""

    requests: int = Field(ge=1, le=REQUESTS_MAX)
    per_s: float = Field(1.0, gt=0, le=86_400)
    burst: int = Field(1, ge=1, le=REQUESTS_MAX)
    wait_s_max: float = Field(5.0, ge=0, le=WAIT_S_MAX)


class LimitedBySection(Section):
    """A header whose value says that a refusal is for too many requests, whatever its status."""

    header: str
    value: str = Field(max_length=256)

    @field_validator("header")
    @classmethod
    def _name(cls, value: str) -> str:
        return header_name(value)


class RetrySection(Section):
    """When a request is sent again: only where that cannot do a thing twice."""

    max: int = Field(2, ge=0, le=RETRIES_MAX)
    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    base_s: float = Field(0.5, gt=0, le=60)
    cap_s: float = Field(30.0, gt=0, le=RETRY_WAIT_S_MAX)
    header: str = "retry-after"
    path: str = Field("", description="JMESPath of the seconds to wait, for body_wait.")
    statuses: list[int] = Field(default_factory=lambda: sorted(STATUSES), max_length=50)
    limited_by: LimitedBySection | None = None
    budget_ratio: float = Field(0.2, ge=0, le=1, description="Retries as a share of requests.")
    total_s: float = Field(120.0, gt=0, le=3600, description="No retry begins later than this.")

    @field_validator("header")
    @classmethod
    def _name(cls, value: str) -> str:
        return header_name(value)

    @field_validator("statuses")
    @classmethod
    def _refusals(cls, value: list[int]) -> list[int]:
        if any(status < 400 or status > 599 or status == 401 for status in value):
            raise ValueError("are 400-599 but for 401, which renews a token")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.strategy is RetryStrategy.BODY_WAIT and not self.path:
            raise ValueError("body_wait needs path")
        if self.path:
            expression(self.path)
        return self


class CheckSection(Section):
    """The request that shows whether the other side is there and takes our credential."""

    method: Literal["GET", "HEAD", "POST"] = "HEAD"
    path: str = "/"
    failed: str = Field("", description="JMESPath; true: the credential is refused, whatever the status.")

    @field_validator("path")
    @classmethod
    def _fixed(cls, value: str) -> str:
        if parse_path(value).names:
            raise ValueError("has no parameters")
        return value

    @field_validator("failed")
    @classmethod
    def _compiled(cls, value: str) -> str:
        if value:
            expression(value)
        return value


class TlsSection(Section):
    """`authority` (PEM) is trusted besides the usual ones; `tls12` allows TLS 1.2."""

    authority: str = Field("", max_length=64 * 1024)
    tls12: bool = False


class OpenApiSection(Section):
    """An OpenAPI document whose operations become tools: operationIds, tags or paths choose which."""

    document: dict[str, Any] | str
    include: list[str] = Field(default_factory=list, max_length=1000)
    exclude: list[str] = Field(default_factory=list, max_length=1000)


class RestConfiguration(Section):
    """What is left when those keys are taken out that every integration may have."""

    endpoint: str = Field(max_length=2048)
    authentication: Authentication
    recipe: str = ""
    headers: dict[str, str] = Field(default_factory=dict, max_length=50)
    request_timeout_s: float = Field(30.0, gt=0, le=3600, description="Of one request and its answer.")
    connect_timeout_s: float = Field(5.0, gt=0, le=60)
    plain_http: bool = Field(False, description="Credentials may travel without TLS, beyond this machine.")
    tls: TlsSection = Field(default_factory=lambda: TlsSection.model_validate({}))
    rate_limit: RateLimitSection | None = None
    retries: RetrySection = Field(default_factory=lambda: RetrySection.model_validate({}))
    check: CheckSection = Field(default_factory=lambda: CheckSection.model_validate({}))
    tools: dict[str, ToolSection] = Field(default_factory=dict, max_length=TOOLS_PER_INTEGRATION_MAX)
    openapi: OpenApiSection | None = None

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        return {header_name(name): header_value(text) for name, text in value.items()}

    @field_validator("tools")
    @classmethod
    def _named(cls, value: dict[str, ToolSection]) -> dict[str, ToolSection]:
        for name in value:
            if not TOOL_SHAPE.fullmatch(name):
                raise ValueError(f"{name[:80]!r} must be 1-64 letters, digits, _ and -, a letter first")
        return value

    @property
    def origin(self) -> Origin:
        return parse_origin(self.endpoint)


def read_configuration(given: Mapping[str, Any]) -> RestConfiguration:
    """Raises InvalidConfiguration; `param` is the path of the field."""
    merged = _with_recipe(own_configuration(given))
    try:
        read = RestConfiguration.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid(found, RestConfiguration.model_fields, _place) from None
    try:
        origin = read.origin
    except ValueError as error:
        raise InvalidConfiguration(f"endpoint: {error}", param="endpoint") from None
    if origin.endpoint.scheme == "http" and read.authentication.type == "mtls":
        raise InvalidConfiguration("endpoint: mtls needs https", param="endpoint")
    plain = origin.endpoint.scheme == "http" and not origin.is_near
    if plain and read.authentication.type != "none" and not read.plain_http:
        raise InvalidConfiguration(
            "endpoint: credentials would travel without TLS; use https, or say plain_http: true",
            param="endpoint",
        )
    return read


def _with_recipe(given: Mapping[str, Any]) -> dict[str, Any]:
    name = given.get("recipe")
    own = dict(given)
    if isinstance(name, str) and name:
        own = _merged(recipe_named(name), own, MERGE_DEPTH_MAX)
    tools = own.get("tools")
    if isinstance(tools, Mapping):
        own["tools"] = {key: tool for key, tool in tools.items() if tool is not None}
    own.setdefault("authentication", {"type": "none"})
    authentication = own["authentication"]
    if isinstance(authentication, Mapping) and "type" not in authentication and not authentication:
        own["authentication"] = {"type": "none"}
    return own


def _merged(base: Mapping[str, Any], over: Mapping[str, Any], depth: int) -> dict[str, Any]:
    both = dict(base)
    for key, value in over.items():
        below = both.get(key)
        whole = key == "authentication" and isinstance(value, Mapping) and _another_type(below, value)
        if depth > 1 and isinstance(below, Mapping) and isinstance(value, Mapping) and not whole:
            both[key] = _merged(below, value, depth - 1)
        else:
            both[key] = value
    return both


def _another_type(base: Any, over: Mapping[str, Any]) -> bool:
    return isinstance(base, Mapping) and "type" in over and over["type"] != base.get("type")


def _place(location: tuple[int | str, ...]) -> list[str]:
    """Without the name of the chosen kind of authentication, which nobody wrote as a key."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] == "authentication" and parts[1] in _CHOICES:
        del parts[1]
    return [part.replace("json_schema", "schema") for part in parts]
