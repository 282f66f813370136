"""The whole way of a request with an answer cache in it, over scripted providers in virtual time."""

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.caching.answer_cache import AnswerCache
from application.caching.beside import BesideCalls
from application.job import Attribution, Job
from application.ports.wire import OPENAI_CHAT
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.analytics.event import RequestEvent
from domain.caching.entry import CachedAnswer, Position
from domain.caching.policy import CacheMode, CachePolicy, CacheWish
from domain.errors import InterchangeError
from domain.llm.request import LlmRequest
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from tests.unit.application.at_once import at_once
from tests.unit.application.upstreams import Bench, Scripts, texts_in

EXACT = CachePolicy(mode=CacheMode.EXACT)


class OneTier:
    """A first tier without bounds over a second one that may be slow or away."""

    def __init__(self, store: InMemoryAnswerStore | None = None) -> None:
        self.entries: dict[bytes, CachedAnswer] = {}
        self.store = store
        self.heard = Position("here", 0)

    def at_hand(self, key: bytes) -> CachedAnswer | None:
        return self.entries.get(key)

    def quiet_since(self, _tenant_id: str, heard: Position) -> bool:
        return heard == self.heard

    def still_counts(self, answer: CachedAnswer) -> bool:
        return answer.heard == self.heard

    async def fetch(self, key: bytes) -> CachedAnswer | None:
        return None if self.store is None else await self.store.read(key)

    def keep(self, answer: CachedAnswer) -> None:
        self.entries[answer.key] = answer


@dataclass
class Heard:
    """What one caller got."""

    text: str = ""
    raw: bytes = b""
    error: InterchangeError | None = None
    job: Job | None = None


class CachingBench:
    """A pipeline with a cache over a bench; `ask` is a caller from its first to its last byte."""

    def __init__(
        self, direct: Scripts, policy: CachePolicy = EXACT, *, tiers: Any = None, **more: Any
    ) -> None:
        self.bench = Bench(direct, cache=policy, **more)
        one: Any = OneTier()
        self.tiers: Any = one if tiers is None else tiers
        self.log = InMemoryUsageLog(buffer_rows_max=1000)
        self.events: list[RequestEvent] = []
        self.frames = DialectFrames()
        self.reader = DialectCacheReader()
        self.cache = AnswerCache(
            tiers=self.tiers, reader=self.reader, frames=self.frames, clock=self.bench.clock
        )
        self.beside = BesideCalls(self.bench.clock)
        self.cache.beside = self.beside
        self.pipeline = AnswerLlmRequest(
            runtime=Runtime(self.bench._table, self.bench.live),
            attempts=self.bench.loop,
            usage_log=self.log,
            clock=self.bench.clock,
            ids=CountingIds(),
            chance=random.Random(1),
            slots_max=1000,
            observe=self.events.append,
            holds=self.bench.holds,
            cache=self.cache,
        )
        self.beside.attach(self.pipeline)

    def request(self, prompt: str = "hi", **fields: Any) -> LlmRequest:
        body = {"model": "auto", "messages": [{"role": "user", "content": prompt}], **fields}
        return DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())

    def begin(
        self,
        prompt: str = "hi",
        *,
        wish: CacheWish | None = None,
        principal: Principal | None = None,
        demands: Requirements | None = None,
        who: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> tuple[Job, LiveState]:
        request = self.request(prompt, **fields)
        request.cache_wish = wish or CacheWish()
        return at_once(
            self.pipeline.begin(
                principal or local_operator(),
                request,
                demands or Requirements(),
                Attribution(**dict[str, Any](who or {})),
            )
        )

    async def ask(self, prompt: str = "hi", heard: Heard | None = None, **more: Any) -> Heard:
        """What a caller hears; errors are told in `Heard.error`, as an endpoint tells them."""
        heard = heard or Heard()
        try:
            job, live = self.begin(prompt, **more)
        except InterchangeError as error:
            heard.error = error
            return heard
        heard.job = job
        stream = None
        try:
            if job.request.stream:
                stream = await self.pipeline.open(job, live)
                while (block := await stream.next_block()) is not None:
                    heard.raw += block.raw
                    heard.text += "".join(texts_in(block.raw))
                stream.close()
            else:
                answer = await self.pipeline.complete(job, live)
                heard.raw = answer.body
                heard.text = json.loads(answer.body)["choices"][0]["message"]["content"]
            self.pipeline.end(job, status=200, outcome="ok")
        except InterchangeError as error:
            heard.error = error
            self.pipeline.end(job, status=502, outcome="error", error_code=error.code)
        finally:
            if stream is not None:
                stream.close()
            self.pipeline.end(job, status=499, outcome="cancelled")
        return heard

    async def settled(self) -> None:
        """Lets everything that runs come to its end."""
        await asyncio.sleep(60)
        assert self.pipeline.in_flight == 0 and not self.cache.shared.running and not self.cache.shared.calls
        self.bench.assert_nothing_left()
