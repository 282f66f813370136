"""Sections of the configuration that concern the server as a whole.

Every model forbids unknown keys and is frozen. Scalars arrive from YAML and from the environment as text
and become numbers and booleans here, so `off` means "off" where a mode is expected and false where a
boolean is, and a price is read from its own digits, never through a float.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
)


class Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # the root builds its sections' validators; none is needed by itself at every start
    )


def _word(value: object) -> object:
    """A bare YAML 1.1 boolean, or a word in capitals, as the word an enumeration lists."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value.strip().lower() if isinstance(value, str) else value


Word = BeforeValidator(_word)
"""For enumerations: `off`, `Off` and a YAML parser's false all mean "off"."""

Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s]*$", max_length=2048)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]


_USER_INFO: Final = re.compile(r"(?<=://)[^/\s]*(?=@)")
_MASK: Final = "*" * 10


class LimitSettings(Section):
    """What one instance accepts at once."""

    max_concurrent_requests: int = Field(default=1000, ge=1, le=1_000_000)
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024, le=1024 * 1024 * 1024)
    max_large_body_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=1024,
        description="Bytes of all request bodies over 64 KiB that may be in memory at once; the next waits "
        "outside with 503.",
    )
    admin_requests_per_minute: int | None = Field(
        default=600,
        ge=1,
        le=1_000_000,
        description="Requests to the routes below `/api/v1` other than model and tool calls that one "
        "credential may make per minute, and at once; beyond them it gets 429. Counted in memory by each "
        "worker process on its own. null: no limit.",
    )
    provider_timeout_s: Seconds = Field(
        default=30.0, description="Bounds the response headers of streams and every connector call."
    )


class BreakerSettings(Section):
    """When a target is left alone, and for how long."""

    consecutive_failures: int = Field(default=5, ge=1, le=10_000)
    failure_rate: float = Field(default=0.5, gt=0, le=1)
    minimum_calls: int = Field(default=20, ge=1, le=100_000, description="Calls before the rate is judged.")
    window_s: Seconds = 60.0
    open_s: Seconds = 30.0
    open_s_max: Seconds = Field(default=300.0, description="Ceiling when repeated opening backs off.")
    half_open_probes: int = Field(default=1, ge=1, le=100)
    slow_call_s: Seconds | None = Field(
        default=None, description="Calls longer than this count as slow; unset: none."
    )
    slow_rate: float = Field(default=0.8, gt=0, le=1)


class HealthSettings(Section):
    """Thresholds of passive health, judged over a rolling window of live traffic."""

    window_s: Seconds = 300.0
    minimum_samples: int = Field(default=5, ge=1, le=100_000)
    degraded_below: Share = Field(
        default=0.95, description="Success rate under which a provider is degraded."
    )
    unhealthy_below: Share = Field(
        default=0.80, description="Success rate under which a provider is unhealthy."
    )
    unavailable_consecutive_failures: int = Field(default=10, ge=1, le=100_000)
    degraded_latency_ms: float | None = Field(default=None, gt=0)


class PortkeySettings(Section):
    """Ways through the Portkey gateway.

    `gateways` are addresses of self-hosted gateways; `api_key` adds the hosted one. `managed` says
    whether `interchange serve` fetches and runs a gateway of its own beside the server; unset, it does
    so in the embedded profile when nothing else is named here.
    """

    gateways: tuple[Url, ...] = Field(default=(), max_length=64)
    api_key: SecretStr | None = None
    managed: bool | None = None


class SimulatorSettings(Section):
    """The built-in simulated provider, always labelled as simulated.

    Unset, it is offered in the embedded profile while the file names no provider.
    """

    enabled: bool | None = None


class StorageSettings(Section):
    """Stores of the distributed profile; without them everything lives in the data directory.

    `database_url` is `postgresql://<user>:<password>@<host>/<database>` or `sqlite:///<file>`.
    `redis_url` is one server, `redis://<user>:<password>@<host>:<port>/<db>` or `rediss://` for TLS;
    `redis_cluster_urls` are nodes of a Cluster. At most one of both.
    """

    database_url: SecretStr | None = None
    database_connections_max: int = Field(
        default=10, ge=3, le=200, description="Connections to PostgreSQL of one worker process."
    )
    usage_retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="How long single rows of usage and of the ledger are kept; unset: for ever. On "
        "PostgreSQL they go by whole months, the last day of which must be that old. Sums by the hour stay.",
    )
    redis_url: SecretStr | None = None
    redis_cluster_urls: tuple[SecretStr, ...] = Field(default=(), max_length=256)
    redis_connect_timeout_s: float = Field(
        default=1.0, gt=0, le=30, description="How long connecting to Redis may take."
    )
    redis_command_timeout_s: float = Field(
        default=0.25, gt=0, le=30, description="How long Redis may take to answer; slower counts as down."
    )

    @field_serializer("redis_cluster_urls", when_used="json")
    def _without_passwords(self, urls: tuple[SecretStr, ...]) -> list[str]:
        """Where the nodes are is no secret."""
        return [_USER_INFO.sub(_MASK, url.get_secret_value()) for url in urls]

    @property
    def cluster_urls(self) -> tuple[str, ...]:
        """Nodes of a Cluster, with what stands in their addresses."""
        return tuple(url.get_secret_value() for url in self.redis_cluster_urls)


class RoutingSettings(Section):
    """Rules that hold for every route.

    With `cost_optimization_enabled` off, targets are tried in their declared priority order; budgets are
    enforced all the same.
    """

    cost_optimization_enabled: bool = True


Profile = Annotated[Literal["embedded", "production"], Word]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
"""A path relative to the working directory, or below `~`, made absolute when it is read."""
