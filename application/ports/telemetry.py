"""Counting what happens, for whoever watches.

Failure policy: open. Counting never fails a request and never waits.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from domain.analytics.event import RequestEvent


class Gauge(NamedTuple):
    """A value read at the moment of asking; labels in a fixed order."""

    name: str
    help: str
    samples: tuple[tuple[tuple[tuple[str, str], ...], float], ...]
    kind: str = "gauge"
    """Or `counter`, of what is counted elsewhere."""


class Metrics(Protocol):
    @abstractmethod
    def observe(self, event: RequestEvent) -> None:
        """Folds one finished request into the counters."""
        ...

    @abstractmethod
    def failed_over(self, original_provider: str, fallback_provider: str, reason: str) -> None:
        """Counts one provider taking over from another. `reason` is a failure kind."""
        ...

    @abstractmethod
    def render(self, gauges: Iterable[Gauge]) -> bytes:
        """The Prometheus text page of everything counted, and these gauges."""
        ...
