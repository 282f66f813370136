"""Instances with two tiers each over one store and one log, in virtual time."""

import asyncio
from typing import Any

from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.memory.fast_answers import InMemoryFastAnswers
from application.caching.hearing import Hearing
from application.caching.tiers import AnswerTiers
from application.caching.write_behind import WriteBehind
from contracts.ports.answer_store import kept_answer
from contracts.ports.fast_answers import named
from domain.caching.entry import CachedAnswer
from domain.caching.invalidation import InvalidationKind, InvalidationRule, RuleBook
from tests.simulation.virtual_time import VirtualClock

HEARD_BY_ALL_S = 0.5


class Instance:
    """One process over a store and a log that others share."""

    def __init__(self, store: InMemoryAnswerStore | None, log: InMemoryCacheLog) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.hearing = Hearing(log, self.clock)
        self.writing = None if store is None else WriteBehind(store, self.clock)
        self.fast = InMemoryFastAnswers(10_000_000, self.clock)
        self.tiers = AnswerTiers(self.fast, store, self.hearing, RuleBook(), self.writing, self.clock)
        self.running = [asyncio.create_task(self.hearing.run())]
        if self.writing is not None:
            self.running.append(asyncio.create_task(self.writing.run()))

    def asked_now(self, name: object = "a", **changed: object) -> CachedAnswer:
        """An answer to a request that begins now."""
        return kept_answer(self.clock, named(name), heard=self.tiers.heard, **changed)

    def at_hand(self, name: object = "a") -> CachedAnswer | None:
        return self.tiers.at_hand(named(name))

    async def fetch(self, name: object = "a") -> CachedAnswer | None:
        return await self.tiers.fetch(named(name))

    async def invalidate(self, kind: InvalidationKind, value: str = "", tenant_id: str = "acme") -> None:
        await self.tiers.invalidate(InvalidationRule(kind, tenant_id, value))


class World:
    def __init__(self, instances: int = 2) -> None:
        self.store = InMemoryAnswerStore(VirtualClock(asyncio.get_running_loop()))
        self.log = InMemoryCacheLog()
        self.instances = [Instance(self.store, self.log) for _ in range(instances)]

    async def __aenter__(self) -> "World":
        await asyncio.sleep(1)
        return self

    async def __aexit__(self, *_: Any) -> None:
        for instance in self.instances:
            for task in instance.running:
                task.cancel()
            await instance.tiers.aclose()
