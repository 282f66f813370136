"""What is read at the moment of asking, as families like all others."""

from collections.abc import Iterable

from adapters.telemetry.series import Family
from application.ports.telemetry import Gauge


def gauge_families(gauges: Iterable[Gauge]) -> Iterable[Family]:
    """One family per gauge; those without samples are left out, for nobody knows their labels."""
    for gauge in gauges:
        if not gauge.samples:
            continue
        names = tuple(name for name, _ in gauge.samples[0][0])
        samples = {tuple(value for _, value in labels): value for labels, value in gauge.samples}
        yield Family(gauge.name, gauge.kind, gauge.help, names, dict(samples))
