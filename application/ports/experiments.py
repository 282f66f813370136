"""Keeping experiments and how they stand, and reading what their arms did from usage rows.

Failure policy: raises `StoreUnavailable`; requests go on with the experiments that were read last.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from application.ports.outbox import OutboxEvent
from domain.experiments.experiment import Unit
from domain.experiments.judging import ArmFigures

ROWS_MAX: Final = 300_000
"""Requests of an experiment that count: the earliest. Later ones change nothing."""


class StoredExperiment(NamedTuple):
    """`body` says what it is (empty: the file does), `state` how it stands; both canonical JSON. Times are
    epoch microseconds. `revision` is counted up by the store."""

    experiment_id: str
    tenant_id: str
    name: str
    body: str
    state: str
    revision: int
    created_at_us: int
    updated_at_us: int


class ExperimentStore(Protocol):
    @abstractmethod
    async def all(self) -> list[StoredExperiment]:
        """Every experiment of every tenant, by id. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def put(self, experiment: StoredExperiment, events: Sequence[OutboxEvent] = ()) -> bool:
        """Writes it with its events in one transaction, where nobody changed it meanwhile: `revision` is that
        of the one it takes the place of, 0 for a new one. Whether it was written.

        Raises:
            Conflict: another experiment of the tenant has this name.
            StoreUnavailable: as said.
        """
        ...

    @abstractmethod
    async def delete(self, tenant_id: str, experiment_id: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """Counts up with every change. Raises StoreUnavailable."""
        ...


class FiguresWanted(NamedTuple):
    """Which requests: those of one experiment, of one tenant or (None) of all."""

    experiment_id: str
    unit: Unit
    tenant_id: str | None


class ExperimentFigures(Protocol):
    """What was recorded of experiments."""

    @abstractmethod
    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        """By arm: of each unit the mean over its requests, and over units the sums.

        Counted are the earliest `ROWS_MAX` requests that were answered, or that nobody could answer: not
        those that limits, budgets and policies refused, or whose caller left. Raises StoreUnavailable.
        """
        ...
