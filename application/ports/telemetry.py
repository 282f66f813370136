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


class Metric(NamedTuple):
    """What one metric of the page is: a row of the published list (`contracts/metrics.py`)."""

    name: str
    kind: str
    """`counter`, `gauge` or `histogram`."""
    unit: str
    """`seconds`, `usd`, `nano_usd`, `bytes`, `tokens`, `ratio`, …; empty: a plain count or a state."""
    labels: tuple[str, ...]
    meaning: str
    across: str = "sum"
    """How workers' values become one: `sum`, `max`, `min`, or `mean` (for shares and averages)."""
    kept: bool = False
    """Whether the share of a worker that ended still counts. Counters and histograms always do."""
    when: str = ""
    """Where it is on the page; empty: always."""


class Metrics(Protocol):
    """Of one process."""

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
        """The Prometheus text page of everything counted here, and these gauges."""
        ...


class MetricsPage(Protocol):
    """Of all workers of an instance."""

    @abstractmethod
    async def page(self) -> bytes:
        """The Prometheus text page. A counter on it is never less than it was on an earlier one."""
        ...
