"""How much of what was found where. Kinds and places only, never a value."""

from collections import Counter
from collections.abc import Iterable

from application.ports.telemetry import Gauge
from application.privacy.rewriting import Noted


class PrivacyCounts:
    """Of this process. Adding is not exact while several threads do it at once, which only those beside
    requests do."""

    def __init__(self) -> None:
        self.findings: Counter[tuple[str, str, str]] = Counter()
        self.unseen: Counter[str] = Counter()

    def note(self, noted: Iterable[Noted], of_request: dict[str, int] | None = None) -> None:
        """Takes the findings of one body; `of_request` gets them too, as `action:KIND`."""
        for each in noted:
            kind, act = each.kind.value, each.act.name.lower()
            self.findings[kind, each.where.value, act] += 1
            if of_request is not None:
                name = f"{act}:{kind}"
                of_request[name] = of_request.get(name, 0) + 1

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_pii_findings_total",
            "Personal data found, by kind, place and what was done about it.",
            tuple(
                ((("kind", kind), ("where", where), ("act", act)), count)
                for (kind, where, act), count in self.findings.items()
            ),
            "counter",
        )
        yield Gauge(
            "interchange_pii_unseen_total",
            "Bodies that were only to be counted and were not looked at, by why.",
            tuple(((("reason", reason),), count) for reason, count in self.unseen.items()),
            "counter",
        )
