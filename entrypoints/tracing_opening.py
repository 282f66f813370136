"""Opens the way to the collector. A part of the composition root: it names adapters."""

import os
import platform

from adapters.otlp.exporter import OtlpHttpExporter
from adapters.system.clock import SystemClock
from application.ports.spans import SpanExporter
from entrypoints.outgoing import Outgoing
from entrypoints.settings import Settings
from entrypoints.tracing import Traces, make_traces
from entrypoints.version import version


def open_traces(settings: Settings, outgoing: Outgoing, clock: SystemClock) -> Traces:
    """Asks nobody yet."""
    return make_traces(settings, _exporter(settings, outgoing, clock), clock)


def _exporter(settings: Settings, outgoing: Outgoing, clock: SystemClock) -> SpanExporter | None:
    section = settings.tracing
    if section.url is None or not settings.telemetry.tracing_enabled:
        return None
    resource = {
        "service.version": version(),
        "service.instance.id": f"{platform.node()}-{os.getpid()}",
        "host.name": platform.node(),
        **section.resource,
    }
    # The service's own key stands above one among the attributes, as the specification has it.
    if "service_name" in section.model_fields_set or "service.name" not in resource:
        resource["service.name"] = section.service_name
    return OtlpHttpExporter(
        section.url,
        outgoing.identities,  # nobody but the configuration names the collector
        clock,
        resource=resource,
        version=version(),
        headers={name: value.get_secret_value() for name, value in section.headers.items()},
        timeout_s=section.timeout_s,
        compressed=section.compression == "gzip",
    )
