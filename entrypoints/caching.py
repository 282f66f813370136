"""Puts together what answers again, from ports alone, and runs what belongs to it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from application.caching.answer_cache import AnswerCache
from application.caching.beside import BesideCalls
from application.caching.hearing import Hearing
from application.caching.similar import SimilarAnswers
from application.caching.tiers import AnswerTiers
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import AnswerStore
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.errors import StoreUnavailable
from domain.routing.table import RoutingTable
from entrypoints.background import BackgroundTasks, every, in_any_case

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 1.0
UPKEEP_EVERY_S: Final = 300.0
FLUSH_WITHIN_S: Final = 3.0


@dataclass(slots=True, kw_only=True)
class Caching:
    """Nothing of it runs before some route caches: a server that keeps no answers opens no second tier."""

    cache: AnswerCache
    tiers: AnswerTiers
    hearing: Hearing
    """Of invalidations."""
    questions: Hearing
    """Of vectors and labels."""
    beside: BesideCalls
    similar: SimilarAnswers | None = None
    store: AnswerStore | None = None
    write_behind: WriteBehind | None = None
    warm: Callable[[], Awaitable[None]] | None = None
    attach: Callable[[AnswerLlmRequest], None]
    """Hands over the way of requests, once there is one."""
    problems: tuple[str, ...] = ()
    upkeep: tuple[Callable[[], Awaitable[object]], ...] = ()
    opened: bool = False
    compares: bool = False
    """Whether some route looks for similar questions."""
    _tasks: BackgroundTasks = field(default_factory=BackgroundTasks)
    _closed: bool = False

    async def start(self, tasks: BackgroundTasks, in_use: Callable[[], RoutingTable]) -> None:
        """Opens now what the routes in use need, and the rest as soon as they do."""
        await self.look(in_use())
        tasks.start("cache", lambda: every(LOOK_EVERY_S, lambda: self.look(in_use())))

    async def look(self, table: RoutingTable) -> None:
        """Opens what a route needs that was not needed before; nothing once it was closed."""
        if self._closed:
            return
        if table.keeps_answers and not self.opened:
            self.opened = True
            await self._open()
        if table.compares_questions and not self.compares:
            self.compares = True
            await self._compare()

    async def _open(self) -> None:
        """Hears what was said so far, and begins to listen. A log that is away is waited for beside."""
        try:
            await self.hearing.catch_up()
        except StoreUnavailable:
            pass  # whoever listens says so, and until then nothing is served that might not count
        self._tasks.start("cache log", self.hearing.run)
        if self.write_behind is not None:
            self._tasks.start("cache writes", self.write_behind.run)
        self._tasks.start("calls beside requests", self.beside.run)
        for work in self.upkeep:
            self._tasks.start("cache upkeep", partial(every, UPKEEP_EVERY_S, work))

    async def _compare(self) -> None:
        """Loads the model, beside requests: until it is there, similar questions are not found."""
        for problem in self.problems:
            log.warning("%s", problem)
        if self.warm is not None:
            await in_any_case(self.warm)
        if self.similar is not None:
            await self.similar.load()
            self._tasks.start("log of questions", self.questions.run)
            self._tasks.start("similar questions", self.similar.run)
            self._tasks.start("upkeep of questions", partial(every, UPKEEP_EVERY_S, self.similar.upkeep))

    async def aclose(self) -> None:
        """Ends what is shared, tells and writes what waits, then closes everything."""
        self._closed = True
        await self.cache.aclose()
        await self._tasks.aclose()
        await self.cache.aclose()  # calls beside requests left some behind as they ended
        if self.opened:
            await self.hearing.flush(FLUSH_WITHIN_S)
        if self.compares:
            await self.questions.flush(FLUSH_WITHIN_S)
        if self.opened and self.write_behind is not None:
            await self.write_behind.flush(FLUSH_WITHIN_S)
        if self.similar is not None:
            await self.similar.aclose()
        await self.tiers.aclose()
        if self.store is not None:
            await self.store.aclose()
