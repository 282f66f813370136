"""Keeping what is said and found of answers, and counting it by who gave them.

Failure policy: raises `StoreUnavailable`; no request ever waits for this. No prompt and no answer is kept
here; comments are, as privacy policies left them.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from domain.quality.cells import CellCounts
from domain.quality.feedback import Feedback

CHECKS: Final = "checks"
JUDGE: Final = "judge"
CELLS_MAX: Final = 10_000
"""Cells that one question is answered from; those beyond are the least busy."""


class Observation(NamedTuple):
    """What checks or a judge found in one answer; one for each request and source. A later one takes its
    place. Times are UTC epoch microseconds."""

    tenant_id: str
    request_id: str
    source: str
    """CHECKS or JUDGE."""
    provider: str
    model: str
    task: str
    route: str
    observed_at_us: int
    findings: str = ""
    """Names of checks, comma separated."""
    failed: bool = False
    refused: bool = False
    json_broken: bool = False
    score: float | None = None
    """A judge's, 0 to 1."""
    judge: str = ""
    """Which model judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFilter:
    """Which answers count; None: any. `from_us` is inclusive, `to_us` exclusive, of when a request came, was
    judged or was spoken of; requests themselves are counted by whole days (UTC)."""

    tenant_id: str | None = None
    provider: str | None = None
    models: tuple[str, ...] = ()
    """Models as providers name them; none: any."""
    task: str | None = None
    route: str | None = None
    from_us: int = 0
    to_us: int | None = None


class FeedbackPlace(NamedTuple):
    """A row's place in the order."""

    given_at_us: int
    request_id: str
    key_id: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """Which feedback; None: any. `after` starts the page behind that row, which is older."""

    tenant_id: str | None = None
    request_id: str | None = None
    key_id: str | None = None
    source: str | None = None
    provider: str | None = None
    model: str | None = None
    task: str | None = None
    route: str | None = None
    kind: str | None = None
    score_min: float | None = None
    score_max: float | None = None
    from_us: int | None = None
    to_us: int | None = None
    after: FeedbackPlace | None = None


class QualityStore(Protocol):
    @abstractmethod
    async def give(self, feedback: Feedback) -> bool:
        """Keeps it in the place of what the same key and source said of the same request. Whether it is the
        first."""
        ...

    @abstractmethod
    async def feedback(self, where: FeedbackFilter, *, limit: int) -> list[Feedback]:
        """The newest first."""
        ...

    @abstractmethod
    async def note(self, observations: Sequence[Observation]) -> None:
        """Keeps all of them, or none."""
        ...

    @abstractmethod
    async def cells(self, where: CellFilter, *, tenants: bool = False) -> list[CellCounts]:
        """Counts by provider, model, task and route, and where asked by tenant; of those who answered
        something. At most CELLS_MAX of each kind of count."""
        ...

    @abstractmethod
    async def purge(self, before_us: int) -> int:
        """Removes what is older; how many rows went."""
        ...
