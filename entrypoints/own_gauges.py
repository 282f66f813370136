"""What an instance measures of itself at the moment of a scrape: what runs, its stores, its keys."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

from application.events.writing import epoch_us
from application.ports.telemetry import Gauge
from application.runtime import Runtime

TARGETS_SHOWN_MAX: Final = 500
KEYS_COUNTED_EVERY_S: Final = 60.0
_HORIZONS: Final = (("1d", timedelta(days=1)), ("7d", timedelta(days=7)), ("30d", timedelta(days=30)))


class DatabaseFacts(Protocol):
    """How the database is, as it was last seen; None: it was not looked at yet."""

    up: bool | None
    latency_s: float
    failures: int
    kind: str


class UsageFacts(Protocol):
    """How far writing usage is behind."""

    @property
    def healthy(self) -> bool: ...

    @property
    def apart(self) -> bool: ...

    @property
    def waiting_rows(self) -> int: ...

    @property
    def unjournaled_rows(self) -> int: ...

    @property
    def oldest_waiting_us(self) -> int | None:
        """When the oldest request ended whose row is waiting; UTC epoch microseconds."""
        ...


def build_gauge(version: str, profile: str) -> Iterable[Gauge]:
    """What runs."""
    labels = (("version", version), ("profile", profile))
    yield Gauge("interchange_build_info", "1; what runs, in its labels.", ((labels, 1),))


def quality_gauge(runtime: Runtime) -> Iterable[Gauge]:
    """Of targets of known quality, as routing uses it."""
    table, _ = runtime.snapshot
    known = [
        ((("provider", target.provider), ("model", target.model)), quality)
        for target in table.targets
        if (quality := table.qualities[target.index]) is not None
    ]
    text = "Quality of a target as routing uses it, 0 to 1, where it is known."
    yield Gauge("interchange_routing_quality_score", text, tuple(known[:TARGETS_SHOWN_MAX]))


def database_gauges(facts: DatabaseFacts) -> Iterable[Gauge]:
    """Of the database."""
    if facts.up is None:
        return
    labels = (("kind", facts.kind),)
    yield Gauge("interchange_database_up", "1 while the database answers.", ((labels, int(facts.up)),))
    yield Gauge(
        "interchange_database_latency_seconds",
        "How long the database took to answer the last simple question.",
        ((labels, facts.latency_s),),
    )
    yield Gauge(
        "interchange_database_failures_total",
        "Such questions without an answer.",
        ((labels, facts.failures),),
        "counter",
    )


def usage_gauges(facts: UsageFacts, now: datetime) -> Iterable[Gauge]:
    """How far the database is behind what was answered."""
    oldest_us = facts.oldest_waiting_us
    lag_s = 0.0 if oldest_us is None else max(0.0, (epoch_us(now) - oldest_us) / 1e6)
    for name, text, value in (
        ("healthy", "0 while usage cannot be written.", float(facts.healthy)),
        ("apart", "1 while a process beside the worker writes its rows.", float(facts.apart)),
        ("waiting_rows", "Requests whose rows are not in the database yet.", facts.waiting_rows),
        ("unjournaled_rows", "Of these, requests that are in memory only.", facts.unjournaled_rows),
        ("lag_seconds", "How long the oldest of these has waited.", lag_s),
    ):
        yield Gauge(f"interchange_usage_log_{name}", text, (((), value),))


class EndingKeys:
    """How many API keys end soon. There may be very many: they are counted once a minute."""

    def __init__(self, ends: Callable[[], Iterable[datetime]], now: Callable[[], datetime]) -> None:
        self._ends = ends
        self._now = now
        self._counted_at: datetime | None = None
        self._counts: dict[str, int] = {}

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page."""
        now = self._now()
        if self._counted_at is None or (now - self._counted_at).total_seconds() >= KEYS_COUNTED_EVERY_S:
            self._counted_at = now
            left = [ends_at - now for ends_at in self._ends() if ends_at > now]
            self._counts = {name: sum(1 for each in left if each <= horizon) for name, horizon in _HORIZONS}
        samples = tuple(((("within", name),), count) for name, count in self._counts.items())
        yield Gauge("interchange_api_keys_expiring", "API keys that end soon.", samples)
