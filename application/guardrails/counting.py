"""What guardrails said, by name and by what followed. Never a text."""

from collections import Counter
from collections.abc import Iterable

from application.ports.telemetry import Gauge


class GuardrailCounts:
    """Of this process. Adding is not exact where threads that read large bodies do it at once."""

    def __init__(self) -> None:
        self.verdicts: Counter[tuple[str, str]] = Counter()

    def note(self, guardrail: str, action: str) -> None:
        """One check of one body: `pass`, `warn`, `redact`, `block` or `error`."""
        self.verdicts[guardrail, action] += 1

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        yield Gauge(
            "interchange_guardrail_verdicts_total",
            "Checks made by guardrails, by what came of them.",
            tuple(
                ((("guardrail", name), ("action", action)), count)
                for (name, action), count in self.verdicts.items()
            ),
            "counter",
        )
