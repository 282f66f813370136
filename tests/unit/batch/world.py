"""Batches over memory adapters and scripted providers, in virtual time."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.batches import InMemoryBatchJournals, InMemoryBatchStore
from adapters.memory.files import InMemoryFileContents, InMemoryFileRecords
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.memory.system import CountingIds
from adapters.memory.usage import InMemoryUsageLog
from adapters.providers.batches import DirectBatches
from adapters.wire.batch_lines import JsonLines
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from adapters.wire.kept_responses import ResponsesReading
from application.answer_memory import AnswerMemory
from application.batch_money import BatchMoney
from application.key_ring import KeyRing
from application.late_money import LateMoney
from application.places import NO_PLACES
from application.ports.provider_batches import ProviderBatches
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.keep_answers import KeepAnswers
from contracts.ports.keys import record as key_record
from domain.analytics.event import RequestEvent
from domain.batch.batch import Batch
from domain.budgets.posting import read_posting
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of
from entrypoints.batching import Batching, BatchParts, make_batching
from entrypoints.settings import Settings
from tests.unit.application.upstreams import Bench

URL = "/v1/chat/completions"
NO_RESOURCES: Any = None
"""For batches that never reach a provider's batch API."""


class BatchWorld:
    """One process after another over the same stores: `restart` is what a crash leaves."""

    def __init__(
        self,
        bench: Bench,
        *,
        slots_max: int = 100,
        ledger: InMemoryLedger | None = None,
        providers: ProviderBatches | None = None,
    ) -> None:
        self.bench = bench
        self.ledger = ledger
        self.providers = providers or DirectBatches(NO_RESOURCES)
        self.records, self.contents = InMemoryFileRecords(), InMemoryFileContents()
        self.store, self.journals = InMemoryBatchStore(), InMemoryBatchJournals()
        self.keys = InMemoryKeyStore()
        self.usage = InMemoryUsageLog(buffer_rows_max=10_000)
        self.events: list[RequestEvent] = []
        self.ids = CountingIds()
        self.pipeline = AnswerLlmRequest(
            runtime=Runtime(bench._table, bench.live),
            attempts=bench.loop,
            usage_log=self.usage,
            clock=bench.clock,
            ids=self.ids,
            chance=random.Random(1),
            slots_max=slots_max,
            observe=self._observed,
            holds=bench.holds,
        )
        self.key_ring = KeyRing(self.keys, PepperedKeyHasher({1: b"p" * 32}), bench.clock, max_stale_s=1e9)
        self.by = Principal(
            tenant_id="acme",
            key_id="Key000000001",
            key_name="b",
            role="agent",
            permissions=permissions_of("agent", "acme"),
        )
        self.batching = self._batching()

    def _observed(self, event: RequestEvent) -> None:
        """A row, and what it does to budgets, in the database."""
        self.events.append(event)
        for row in event.attempts:
            if row.ledger and self.ledger is not None:
                self.ledger.ledger.post(read_posting(row.attempt_id, row.ledger), 0)

    def _batching(self) -> Batching:
        holds, ledger, clock = self.bench.holds, self.ledger, self.bench.clock
        money = None if holds is None or ledger is None else BatchMoney(holds, ledger, ledger, clock)
        late = None if holds is None or ledger is None else LateMoney(holds, ledger, ledger, clock)
        reader = DialectReader()
        return make_batching(
            BatchParts(
                settings=Settings(),
                records=self.records,
                contents=self.contents,
                store=self.store,
                journals=self.journals,
                wire=JsonLines(),
                providers=self.providers,
                money=money,
                late_money=late,
                pipeline=self.pipeline,
                runtime=Runtime(self.bench._table, self.bench.live),
                key_ring=self.key_ring,
                places=NO_PLACES,
                keep=KeepAnswers(
                    AnswerMemory(InMemoryStoredAnswers(), self.bench.clock, per_tenant_max=100),
                    ResponsesReading(),
                    retention_s=60.0,
                ),
                reader=reader,
                frames=DialectFrames(),
                clock=self.bench.clock,
                ids=self.ids,
            )
        )

    async def begin(self, lines: Sequence[dict[str, Any]], **metadata: str) -> Batch:
        """A batch over these bodies, not running yet."""
        import dataclasses

        if not await self.keys.all():
            plain = dataclasses.replace(key_record(), expires_at=None, allowed_models=None, permissions=None)
            await self.keys.add(plain)
            await self.key_ring.refresh()
        data = "\n".join(
            json.dumps({"custom_id": f"c-{n}", "method": "POST", "url": URL, "body": body})
            for n, body in enumerate(lines)
        ).encode()

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        received = await self.batching.files.receive(self.by, chunks())
        file = await self.batching.files.keep(
            self.by, received, filename="in.jsonl", purpose="batch", fields={}
        )
        return await self.batching.batches.create(
            self.by,
            input_file_id=file.file_id,
            endpoint=URL,
            completion_window="1h",
            metadata={f"interchange_{name}": value for name, value in metadata.items()},
        )

    async def now(self, batch: Batch) -> Batch:
        found = await self.store.get("acme", batch.batch_id)
        assert found is not None
        return found

    async def rows(self, file_id: str | None) -> dict[str, Any]:
        """The lines of a result file by their custom ids."""
        if file_id is None:
            return {}
        data = b"".join([chunk async for chunk in self.contents.read("acme", file_id)])
        rows = [json.loads(line) for line in data.splitlines()]
        assert len({row["custom_id"] for row in rows}) == len(rows)
        return {row["custom_id"]: row for row in rows}


def ask(text: str = "hi", **more: Any) -> dict[str, Any]:
    """The body of one line."""
    return {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": text}], **more}
