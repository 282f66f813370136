"""`tracing`: where spans go, which requests are recorded, and who is told of a trace.

The standard variables of OpenTelemetry fill the same keys; the file wins.
"""

import re
from typing import Annotated, Final, Literal
from urllib.parse import unquote

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from domain.tracing.active import Receiver
from domain.tracing.sampling import Sampler
from entrypoints.config.sections import Seconds, Section, Share, Url, Word

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_TRACES_PATH: Final = "/v1/traces"
_RATIOS: Final = {"always_on": 1.0, "always_off": 0.0}

SamplerName = Annotated[
    Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ],
    Word,
]
Told = Annotated[Literal["gateway", "tools", "webhooks", "providers"], Word]


def _pairs(value: object) -> object:
    """`name=value,name=value` as a mapping, values percent-encoded, as OpenTelemetry writes lists."""
    if not isinstance(value, str):
        return value
    pairs: dict[str, str] = {}
    for part in value.split(","):
        name, equals, text = part.partition("=")
        if part.strip():
            if not equals:
                raise ValueError("must be name=value pairs separated by commas")
            pairs[name.strip()] = unquote(text.strip())
    return pairs


def _nobody(value: object) -> object:
    return () if value in (False, None, "false", "off", "none") else value


class TracingSettings(Section):
    """OpenTelemetry traces over OTLP/HTTP (protobuf). Without an address nothing is recorded, and what
    callers say of their traces is noted and passed on all the same. `telemetry.tracing_enabled: false`
    (ENABLE_TRACING) turns everything off."""

    endpoint: Url | None = Field(
        default=None,
        description="Base address of the collector, such as `http://otel-collector:4318`; `/v1/traces` is "
        "put behind it. OTEL_EXPORTER_OTLP_ENDPOINT.",
    )
    traces_endpoint: Url | None = Field(
        default=None,
        description="The whole address, taken as it is, in place of `endpoint`. "
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.",
    )
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_pairs)] = Field(
        default={},
        max_length=32,
        description="Sent with every message, such as an API key. OTEL_EXPORTER_OTLP_HEADERS.",
    )
    service_name: str = Field(
        default="interchange", min_length=1, max_length=256, description="OTEL_SERVICE_NAME."
    )
    resource: Annotated[dict[str, str], BeforeValidator(_pairs)] = Field(
        default={},
        max_length=64,
        description="Further attributes of who sends, such as `deployment.environment.name: production`. "
        "OTEL_RESOURCE_ATTRIBUTES.",
    )
    sampler: SamplerName = Field(
        default="parentbased_traceidratio",
        description="Who decides which requests are recorded: `parentbased_…` follows callers that belong to "
        "a trace already. OTEL_TRACES_SAMPLER.",
    )
    ratio: Share = Field(
        default=0.01,
        description="The share of traces that is recorded, for the samplers `…traceidratio`. "
        "OTEL_TRACES_SAMPLER_ARG.",
    )
    keep_failures: bool = Field(
        default=True,
        description="Record requests that failed, too, where the ratio left them out and their caller did "
        "not decide.",
    )
    propagate: Annotated[tuple[Told, ...], BeforeValidator(_nobody)] = Field(
        default=("gateway", "tools", "webhooks"),
        description="Who is told of a trace in `traceparent`: the Portkey gateway, REST tools and upstream "
        "MCP servers, receivers of webhooks, and providers called directly. `false`: nobody.",
    )
    personal_ids: bool = Field(
        default=False, description="Put the caller's user and conversation ids on spans."
    )
    semantic_conventions: str = Field(
        default="",
        max_length=512,
        description="`gen_ai_latest_experimental` takes the newest names of OpenTelemetry's GenAI "
        "conventions in place of the classic ones. OTEL_SEMCONV_STABILITY_OPT_IN.",
    )
    compression: Annotated[Literal["gzip", "none"], Word] = "gzip"
    timeout_s: Seconds = Field(default=10.0, description="Of one message to the collector.")
    queue_max: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description="Requests that wait for the collector at most, in each process; beyond them, traces are "
        "dropped and counted.",
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if not _TOKEN.fullmatch(name) or not text.isprintable() or not text.isascii():
                raise ValueError("names must be HTTP header names, values printable ASCII")
        return headers

    @property
    def url(self) -> str | None:
        """Where spans are sent to; None: nowhere."""
        if self.traces_endpoint is not None:
            return self.traces_endpoint
        return None if self.endpoint is None else self.endpoint.rstrip("/") + _TRACES_PATH

    def sampling(self) -> Sampler:
        """As the domain wants it."""
        name = self.sampler.removeprefix("parentbased_")
        return Sampler(_RATIOS.get(name, self.ratio), parent_based=self.sampler.startswith("parentbased_"))

    def told(self) -> frozenset[Receiver]:
        """Who is told of a trace."""
        return frozenset(Receiver(name) for name in self.propagate)
