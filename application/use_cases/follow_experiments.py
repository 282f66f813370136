"""Keeps the experiments that requests take part in as they are declared and stored.

Those of the file come with the configuration, those of the API from the store, where any instance may change
them; `refresh` notices within its period. One that cannot be read is left out and told.
"""

import logging
from collections.abc import Sequence
from typing import Final

from application.experiments.book import RUNNING_MAX, ExperimentBook
from application.experiments.stored import read_standing, with_state
from application.ports.experiments import ExperimentStore, StoredExperiment
from domain.errors import Conflict, InvalidRequest
from domain.experiments.standing import Standing, overlap

log = logging.getLogger("interchange")

REFRESH_EVERY_S: Final = 0.5


def check_experiment_names(declared: Sequence[Standing], stored: Sequence[Standing]) -> None:
    """Raises Conflict for a name that the file and the API both have, and for two that want the same
    requests."""
    problems = [
        f"experiments: {mine.experiment.name!r} is declared in the file and also made through the API "
        f"({theirs.experiment.experiment_id}; `interchange experiment delete "
        f"{theirs.experiment.experiment_id}`); keep one of them"
        for mine in declared
        for theirs in stored
        if mine.experiment.name == theirs.experiment.name and mine.experiment.owner == theirs.experiment.owner
    ]
    if problems:
        raise Conflict("; ".join(problems), param="name")


class FollowExperiments:
    """Belongs to one event loop."""

    def __init__(self, store: ExperimentStore, book: ExperimentBook) -> None:
        self._store = store
        self._book = book
        self._generation: int | None = None
        self._rows: dict[str, StoredExperiment] = {}
        self._declared: tuple[Standing, ...] = ()
        self.declared: tuple[Standing, ...] = ()
        """Those of the file, with what guardrails did to them."""
        self.stored: tuple[Standing, ...] = ()
        self.problems: tuple[str, ...] = ()

    @property
    def standings(self) -> tuple[Standing, ...]:
        """All of them: those of the file first, then by when they began."""
        began = sorted(
            self.stored, key=lambda each: (each.started_at_us or 2**62, each.experiment.experiment_id)
        )
        return (*self.declared, *began)

    async def start(self, declared: Sequence[Standing]) -> None:
        """The first set. Raises Conflict for a name that both have, StoreUnavailable."""
        await self._read()
        check_experiment_names(declared, self.stored)
        self.declare(declared)

    def declare(self, declared: Sequence[Standing]) -> None:
        """Puts others of the file in force, at once."""
        self._declared = tuple(declared)
        self._put_in_force()

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; nothing changes then."""
        # Asked before they are read: a change in between is seen next time, never missed.
        if await self._store.generation() != self._generation:
            await self._read()
            self._put_in_force()

    async def _read(self) -> None:
        generation = await self._store.generation()
        rows = await self._store.all()
        found: list[Standing] = []
        problems: list[str] = []
        for row in rows:
            if row.body:
                try:
                    found.append(read_standing(row))
                except InvalidRequest as error:
                    problems.append(f"an experiment made through the API is not in force: {error.message}")
        for problem in problems:
            if problem not in self.problems:
                log.error("%s", problem)
        self._rows = {row.experiment_id: row for row in rows}
        self.stored, self.problems, self._generation = tuple(found), tuple(problems), generation

    def _put_in_force(self) -> None:
        self.declared = tuple(self._as_it_stands(each) for each in self._declared)
        running: list[Standing] = []
        on_route: dict[str, list[Standing]] = {}
        for standing in self.standings:
            if len(running) >= RUNNING_MAX:
                break  # however many there are, requests do not wait for these to be compared
            others = on_route.setdefault(standing.experiment.route, [])
            if standing.running and not any(overlap(standing, other) for other in others):
                others.append(standing)
                running.append(standing)
        self._book.replace(running)

    def _as_it_stands(self, declared: Standing) -> Standing:
        row = self._rows.get(declared.experiment.experiment_id)
        if row is None:
            return declared
        try:
            return with_state(declared, row)
        except (ValueError, TypeError, KeyError):
            return declared
