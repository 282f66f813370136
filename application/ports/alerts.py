"""What requests add up to for objectives, and alerts that outlive the process that watches.

Failure policy: raises `StoreUnavailable`. Then nobody judges, no alert changes, and nothing is forgotten.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from application.ports.outbox import OutboxEvent
from domain.sla.alert import Alert
from domain.sla.measure import Measure


class MeasureStore(Protocol):
    """Sums of all instances, by the minute for some hours and by the hour for some weeks."""

    @abstractmethod
    async def sums(self, windows: Sequence[tuple[int, int]]) -> list[Mapping[str, Measure]]:
        """For each window, from a moment to before another, what each scope adds up to. Windows longer than
        `MINUTES_KEPT_US` are of whole hours. Of scopes without requests there is nothing."""
        ...

    @abstractmethod
    async def add(self, measures: Mapping[tuple[int, str], Measure]) -> None:
        """Adds to minutes (their start, UTC epoch microseconds) and scopes, and to the hours they lie in."""
        ...

    @abstractmethod
    async def forget(self, now_us: int) -> int:
        """Removes what is older than is kept; how many rows."""
        ...


class Finding(NamedTuple):
    """What was seen of something alerts are about: `rule` by its name in the table, `subject` what it is
    about, `value` in the rule's unit. `judged`: how much it was made of, None: it is what it is."""

    rule: str
    subject: str
    tenant_id: str
    value: float | None
    note: str
    judged: float | None = None


class HistoryEntry(NamedTuple):
    """What happened to an alert. `what`: `fired`, `resolved`, `silenced`, `unsilenced` or `acknowledged`;
    `by` is who did it, empty: the monitor. `key` makes it unique."""

    key: str
    at_us: int
    alert_id: str
    tenant_id: str
    rule: str
    subject: str
    what: str
    value: float | None
    threshold: float | None
    note: str
    by: str


class Saved(NamedTuple):
    """An alert as it is from now on; its `revision` is that of the one it takes the place of, 0 for none."""

    alert: Alert
    history: tuple[HistoryEntry, ...] = ()
    events: tuple[OutboxEvent, ...] = ()


class AlertStore(Protocol):
    """Alerts of tenants, their history, and what instances found."""

    @abstractmethod
    async def all(self, tenant_id: str | None = None) -> list[Alert]:
        """By rule and subject: of one tenant, or of all."""
        ...

    @abstractmethod
    async def save(self, changes: Sequence[Saved]) -> int:
        """Each with its history and events in one transaction, where nobody changed it meanwhile; how many
        were. What was changed by somebody else stays as that one left it, and nothing is told of it."""
        ...

    @abstractmethod
    async def drop(self, alerts: Sequence[Alert]) -> None:
        """Removes these, as far as nobody changed them meanwhile. Their history stays."""
        ...

    @abstractmethod
    async def history(
        self, tenant_id: str | None, alert_id: str | None, *, before_us: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """Newest first, of one tenant or of all (None)."""
        ...

    @abstractmethod
    async def report(self, instance: str, findings: Iterable[Finding], until_us: int) -> None:
        """What an instance sees, in the place of what it saw before; forgotten after `until_us`."""
        ...

    @abstractmethod
    async def reported(self, now_us: int) -> list[Finding]:
        """Of all instances."""
        ...

    @abstractmethod
    async def forget(self, now_us: int, before_us: int) -> int:
        """Removes history from before that moment, and what was reported and is over; how many rows."""
        ...
