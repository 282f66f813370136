"""What operators do about the cache, over a whole pipeline with two tiers and a log, in virtual time."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.wire.heads import DialectReader
from adapters.wire.warm_lines import JsonWarmLines
from application.job import Attribution
from application.runtime import Runtime
from application.use_cases.explain_cache import CacheExplanation, ExplainCache
from application.use_cases.explain_route import ExplainRoute
from application.use_cases.manage_cache import Counted, ManageCache, WantedInvalidation
from application.use_cases.warm_cache import WarmCache, Warmed
from domain.caching.policy import CachePolicy, CacheWish
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator, permissions_of
from tests.unit.application.upstreams import Scripts
from tests.unit.caching.caching_world import EXACT, CachingBench
from tests.unit.caching.tiers_world import Instance

USD = 1_000_000_000


def principal(role: str = "owner", tenant_id: str = "default") -> Principal:
    """A key of this role."""
    return replace(
        local_operator(), role=role, tenant_id=tenant_id, permissions=permissions_of(role, tenant_id)
    )


class Operations:
    """`async with` it: what listens ends with it."""

    def __init__(self, direct: Scripts, policy: CachePolicy = EXACT, **more: Any) -> None:
        self.world = CachingBench(direct, policy, **more)
        self.clock = self.world.bench.clock
        self.store = InMemoryAnswerStore(self.clock)
        self.log = InMemoryCacheLog()
        self.instance = Instance(self.store, self.log)
        tiers = self.world.tiers = self.world.cache.tiers = self.instance.tiers
        runtime = Runtime(self.world.bench._table, self.world.bench.live)
        self.opened = True
        self.manage = ManageCache(
            runtime, tiers, None, self.clock, lambda: Counted({"miss": 1}, {}, self.opened)
        )
        self.explaining = ExplainCache(runtime, self.world.reader, tiers, None, self.clock)
        self.warming = WarmCache(
            runtime=runtime,
            pipeline=self.world.pipeline,
            explain=ExplainRoute(runtime, self.world.bench.loop, self.clock),
            reader=DialectReader(),
            cache_reader=self.world.reader,
            lines=JsonWarmLines(),
            tiers=tiers,
            similar=None,
            clock=self.clock,
        )

    async def __aenter__(self) -> "Operations":
        await asyncio.sleep(1)
        return self

    async def __aexit__(self, *_: Any) -> None:
        for task in self.instance.running:
            task.cancel()
        await self.instance.tiers.aclose()

    async def explain(
        self, prompt: str = "hi", wish: CacheWish | None = None, by: Principal | None = None, **fields: Any
    ) -> CacheExplanation:
        request = self.world.request(prompt, **fields)
        request.cache_wish = wish or CacheWish()
        return await self.explaining(by or principal(), request, Requirements(), Attribution())

    async def invalidate(self, by: Principal | None = None, **wanted: Any) -> Any:
        return await self.manage.invalidate(by or principal(), WantedInvalidation(**wanted))

    async def warm(self, *lines: Any, usd: float = 10.0, by: Principal | None = None) -> list[Warmed]:
        raw = [json.dumps(line).encode() for line in lines]
        report = await self.warming(
            by or principal(), raw, Attribution(), max_cost_nano_usd=int(usd * USD), concurrency=4
        )
        self.spent_nano_usd = report.cost_nano_usd
        return list(report.lines)


def chat(prompt: str, **fields: Any) -> dict[str, Any]:
    """A body of `openai.chat`."""
    return {"model": "auto", "messages": [{"role": "user", "content": prompt}], **fields}


def answer(text: str, finish: str | None = "stop") -> dict[str, Any]:
    """A whole answer of `openai.chat`, as somebody logged it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
