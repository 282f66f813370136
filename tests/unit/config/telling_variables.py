"""Variables about traces and logs, with what they come to."""

from typing import Any, Final

from pydantic import SecretStr

TELLING: Final[dict[str, tuple[str, Any]]] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://otel:4318", "http://otel:4318"),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ("http://otel:4318/t", "http://otel:4318/t"),
    "OTEL_EXPORTER_OTLP_HEADERS": (
        "x-key=a%20b, x-other=c=d",
        {"x-key": SecretStr("a b"), "x-other": SecretStr("c=d")},
    ),
    "OTEL_SERVICE_NAME": ("gateway", "gateway"),
    "OTEL_RESOURCE_ATTRIBUTES": ("team=search,region=eu%2Dwest", {"team": "search", "region": "eu-west"}),
    "OTEL_TRACES_SAMPLER": ("always_on", "always_on"),
    "OTEL_TRACES_SAMPLER_ARG": ("0.25", 0.25),
    "OTEL_SEMCONV_STABILITY_OPT_IN": ("gen_ai_latest_experimental", "gen_ai_latest_experimental"),
    "LOG_FORMAT": ("JSON", "json"),
    "LOG_LEVEL": ("Warning", "warning"),
}
