"""`telemetry`: what the server tells about itself, and to whom."""

from typing import Final

from pydantic import Field

from entrypoints.config.sections import Section
from entrypoints.config.server_section import Network

TENANTS_SHOWN: Final = 20


class TelemetrySettings(Section):
    """What the server tells about itself."""

    metrics_enabled: bool = Field(
        default=True, description="False: nothing is counted for the metrics page, and `/metrics` is a 404."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="A port of its own for the metrics page, without keys and with nothing else on it. "
        "Unset: on the main port only.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address that `metrics_port` listens on; 0.0.0.0 for all.",
    )
    metrics_networks: tuple[Network, ...] = Field(
        default=("127.0.0.0/8", "::1/128"),
        max_length=256,
        description="Networks whose scrapers may read the page on `metrics_port`.",
    )
    metrics_tenants: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="Tenants that always have series of their own where metrics have a label `tenant`.",
    )
    metrics_tenants_max: int = Field(
        default=TENANTS_SHOWN,
        ge=0,
        le=1000,
        description="How many more tenants get series of their own, the busiest first; all others together "
        "are `other`.",
    )
    tracing_enabled: bool = True
