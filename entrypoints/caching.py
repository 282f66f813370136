"""Puts together what answers again, from ports alone, and runs what belongs to it."""

import asyncio
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
    _tasks: BackgroundTasks = field(default_factory=BackgroundTasks)

    async def start(self, tasks: BackgroundTasks, wanted: Callable[[], bool]) -> None:
        """Opens everything now if something is to be kept, or as soon as it is."""
        if wanted():
            await self.open()
        tasks.start("cache", lambda: self.run(wanted))

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Waits until something is to be kept, then opens everything for as long as the process lives."""
        while not wanted():  # noqa: ASYNC110 - nobody tells when a route changes
            await asyncio.sleep(LOOK_EVERY_S)
        if not self.opened:
            await self.open()
        await asyncio.Event().wait()

    async def open(self) -> None:
        """Hears what was said so far, and begins to listen. A log that is away is waited for beside."""
        self.opened = True
        if self.similar is not None:
            await self.similar.load()
        for problem in self.problems:
            log.warning("%s", problem)
        if self.warm is not None:
            await in_any_case(self.warm)
        try:
            await self.hearing.catch_up()
        except StoreUnavailable:
            pass  # whoever listens says so, and until then nothing is served that might not count
        self._tasks.start("cache log", self.hearing.run)
        if self.write_behind is not None:
            self._tasks.start("cache writes", self.write_behind.run)
        self._tasks.start("calls beside requests", self.beside.run)
        if self.similar is not None:
            self._tasks.start("similar questions", self.similar.run)
        for work in self.upkeep:
            self._tasks.start("cache upkeep", partial(every, UPKEEP_EVERY_S, work))

    async def aclose(self) -> None:
        """Ends what is shared, tells and writes what waits, then closes everything."""
        await self.cache.aclose()
        await self._tasks.aclose()
        if self.opened:
            await self.hearing.flush(FLUSH_WITHIN_S)
            if self.write_behind is not None:
                await self.write_behind.flush(FLUSH_WITHIN_S)
        if self.similar is not None:
            await self.similar.aclose()
        await self.tiers.aclose()
        if self.store is not None:
            await self.store.aclose()
