"""Which environment variable sets which key. The file wins over all of them.

An empty variable counts as unset, as container tools write it.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from entrypoints.config.problems import ConfigPath


class EnvironmentVariable(NamedTuple):
    """`listed` variables hold several values separated by commas."""

    name: str
    path: tuple[str, ...]
    listed: bool = False


VARIABLES: Final = (
    EnvironmentVariable("HOST", ("server", "host")),
    EnvironmentVariable("PORT", ("server", "port")),
    EnvironmentVariable("INTERCHANGE_WORKERS", ("server", "workers")),
    EnvironmentVariable("INTERCHANGE_USAGE_WRITER", ("server", "usage_writer")),
    EnvironmentVariable("INTERCHANGE_PROFILE", ("profile",)),
    EnvironmentVariable("INTERCHANGE_DATA_DIR", ("data_dir",)),
    EnvironmentVariable("INTERCHANGE_BOOTSTRAP_KEY_FILE", ("bootstrap_key_file",)),
    EnvironmentVariable("INTERCHANGE_SIMULATOR", ("simulator", "enabled")),
    EnvironmentVariable("INTERCHANGE_PORTKEY", ("portkey", "managed")),
    EnvironmentVariable("PORTKEY_API_KEY", ("portkey", "api_key")),
    EnvironmentVariable("PORTKEY_GATEWAY_URL", ("portkey", "gateways"), listed=True),
    EnvironmentVariable("DATABASE_URL", ("storage", "database_url")),
    EnvironmentVariable("REDIS_URL", ("storage", "redis_url")),
    EnvironmentVariable("REDIS_CLUSTER_URLS", ("storage", "redis_cluster_urls"), listed=True),
    EnvironmentVariable("COST_OPTIMIZATION_ENABLED", ("routing", "cost_optimization_enabled")),
    EnvironmentVariable("CACHE_TTL_SECONDS", ("cache", "ttl_s")),
    EnvironmentVariable("SEMANTIC_CACHE_SIMILARITY_THRESHOLD", ("cache", "similarity_threshold")),
    EnvironmentVariable("ENABLE_L2_CACHE", ("cache", "l2_enabled")),
    EnvironmentVariable("INTERCHANGE_CACHE_KEY", ("cache", "l2_key")),
    EnvironmentVariable("MAX_CONCURRENT_REQUESTS", ("limits", "max_concurrent_requests")),
    EnvironmentVariable("PROVIDER_TIMEOUT_SECONDS", ("limits", "provider_timeout_s")),
    EnvironmentVariable("BUDGET_ALERT_THRESHOLD", ("budget_alert_threshold",)),
    EnvironmentVariable("ENABLE_TRACING", ("telemetry", "tracing_enabled")),
    EnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", ("tracing", "endpoint")),
    EnvironmentVariable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ("tracing", "traces_endpoint")),
    EnvironmentVariable("OTEL_EXPORTER_OTLP_HEADERS", ("tracing", "headers")),
    EnvironmentVariable("OTEL_SERVICE_NAME", ("tracing", "service_name")),
    EnvironmentVariable("OTEL_RESOURCE_ATTRIBUTES", ("tracing", "resource")),
    EnvironmentVariable("OTEL_TRACES_SAMPLER", ("tracing", "sampler")),
    EnvironmentVariable("OTEL_TRACES_SAMPLER_ARG", ("tracing", "ratio")),
    EnvironmentVariable("OTEL_SEMCONV_STABILITY_OPT_IN", ("tracing", "semantic_conventions")),
    EnvironmentVariable("LOG_FORMAT", ("logs", "format")),
    EnvironmentVariable("LOG_LEVEL", ("logs", "level")),
    EnvironmentVariable("ENABLE_METRICS", ("telemetry", "metrics_enabled")),
    EnvironmentVariable("METRICS_PORT", ("telemetry", "metrics_port")),
    EnvironmentVariable("INTERCHANGE_METRICS_HOST", ("telemetry", "metrics_host")),
    EnvironmentVariable("INTERCHANGE_METRICS_NETWORKS", ("telemetry", "metrics_networks"), listed=True),
)

CONFIG_VARIABLE: Final = "INTERCHANGE_CONFIG"
FLAGS_VARIABLE: Final = "INTERCHANGE_FLAGS"
"""Command-line flags as JSON, handed by the supervisor to its workers; they win over the file."""


class EnvironmentData(NamedTuple):
    """Values by key, and which variable each came from."""

    data: dict[str, Any]
    origins: dict[ConfigPath, str]


def read_environment(environ: Mapping[str, str]) -> EnvironmentData:
    """What the environment says, in the file's shape."""
    data: dict[str, Any] = {}
    origins: dict[ConfigPath, str] = {}
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        if not text:
            continue
        section = data
        for part in variable.path[:-1]:
            section = section.setdefault(part, {})
        if variable.listed:
            section[variable.path[-1]] = [part.strip() for part in text.split(",") if part.strip()]
        else:
            section[variable.path[-1]] = text
        origins[variable.path] = variable.name
    return EnvironmentData(data, origins)
