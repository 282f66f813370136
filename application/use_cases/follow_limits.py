"""Keeps the rate limits that requests are held to as they are declared and stored.

Limits of the file come with the configuration, those of the API from the store, where any instance may change
them; `refresh` notices within its period. A limit that cannot be read is left out and told.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from application.limit_book import LimitBook
from application.limit_format import read_limit
from application.ports.limits import LimitStore, StoredLimit
from domain.errors import Conflict, InvalidRequest
from domain.limits.limit import RateLimit

log = logging.getLogger("interchange")

REFRESH_EVERY_S: Final = 0.5


def read_limits(stored: Iterable[StoredLimit]) -> tuple[tuple[RateLimit, ...], tuple[str, ...]]:
    """What can be read, and what to tell about the rest."""
    limits: list[RateLimit] = []
    problems: list[str] = []
    for each in stored:
        try:
            limits.append(read_limit(each))
        except InvalidRequest as error:
            problems.append(f"a rate limit made through the API is not in force: {error.message}")
    return tuple(limits), tuple(problems)


def same_name(one: RateLimit, other: RateLimit) -> bool:
    """Whether people who see both could not tell which is meant."""
    return one.name == other.name and (one.owner == other.owner or one.scope.tenant == other.scope.tenant)


def check_limit_names(declared: Sequence[RateLimit], stored: Sequence[RateLimit]) -> None:
    """Raises Conflict for a name that the file and the API both have."""
    twice = [
        f"rate_limits: {limit.name!r} is declared in the file and also made through the API "
        f"({other.limit_id}; `interchange limits delete {other.limit_id}`); keep one of them"
        for limit in declared
        for other in stored
        if same_name(limit, other)
    ]
    if twice:
        raise Conflict("; ".join(twice), param="name")


class FollowLimits:
    """Belongs to one event loop."""

    def __init__(self, store: LimitStore, book: LimitBook) -> None:
        self._store = store
        self._book = book
        self._generation: int | None = None
        self.declared: tuple[RateLimit, ...] = ()
        self.stored: tuple[RateLimit, ...] = ()
        self.problems: tuple[str, ...] = ()

    async def start(self, declared: Sequence[RateLimit]) -> None:
        """The first set. Raises Conflict for a name that both have, StoreUnavailable."""
        await self._read()
        check_limit_names(declared, self.stored)
        self.declare(declared)

    def declare(self, declared: Sequence[RateLimit]) -> None:
        """Puts other limits of the file in force, at once."""
        self.declared = tuple(declared)
        self._put_in_force()

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; nothing changes then."""
        # Asked before the limits are read: a change in between is seen next time, never missed.
        if await self._store.generation() != self._generation:
            await self._read()
            self._put_in_force()

    async def _read(self) -> None:
        generation = await self._store.generation()
        self.stored, problems = read_limits(await self._store.all())
        self._generation = generation
        for problem in problems:
            if problem not in self.problems:
                log.error("%s", problem)
        self.problems = problems

    def _put_in_force(self) -> None:
        self._book.replace((*self.declared, *self.stored))
