"""Bills of answers that are made in the background: open until somebody sees what they cost.

Each is closed once, by whoever sees the finished answer first: the caller who fetches it, or a round of our
own over those that nobody fetched. The row has an id that follows from the request's, so that a bill closed
twice (a crash in between, two processes) is one row.
"""

import asyncio
import logging
from urllib.parse import quote

from application.accounting import note_attempt
from application.answer_memory import AnswerMemory
from application.job import Attribution, Job
from application.late_money import LateMoney
from application.ports.answer_reading import AnswerReading, SeenAnswer
from application.ports.llm import UpstreamFailed
from application.ports.resources import ProviderResources, ResourceRequest
from application.ports.stored_answers import OpenBill, StoredAnswer
from application.ports.system import Clock
from application.ports.wire import OPENAI_RESPONSES
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.budgets.posting import read_posting
from domain.errors import StoreUnavailable
from domain.llm.request import LlmRequest, Operation
from domain.llm.usage import Usage
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline

log = logging.getLogger("interchange")

LOOK_EVERY_S = 30.0
LOOKED_AT_AFTER_S = 60.0
"""How old an unfetched answer is before we look ourselves."""
LOOKED_AT_MAX = 200
UNRESOLVED = "unresolved"
"""Outcome of an answer whose cost will never be known."""


class LateBills:
    """`run` looks after what nobody fetches; `close` is called by whoever sees an answer."""

    def __init__(
        self,
        *,
        memory: AnswerMemory,
        reading: AnswerReading,
        resources: ProviderResources,
        runtime: Runtime,
        pipeline: AnswerLlmRequest,
        clock: Clock,
        money: LateMoney | None = None,
    ) -> None:
        self._memory = memory
        self._reading = reading
        self._resources = resources
        self._runtime = runtime
        self._pipeline = pipeline
        self._clock = clock
        self._money = money
        self._closing: set[tuple[str, str]] = set()

    async def close(self, entry: StoredAnswer, seen: SeenAnswer) -> None:
        """Records what the answer cost, if it is finished and nobody has. Raises StoreUnavailable."""
        if not seen.finished:
            return
        # A cancelled or failed answer may have used nothing, which its silence then says.
        usage = seen.usage or Usage()
        await self._close(entry, usage, "ok" if seen.status != "failed" else "server_error")

    async def _close(self, entry: StoredAnswer, usage: Usage, outcome: str) -> None:
        bill, key = entry.open_bill, (entry.tenant_id, entry.id)
        if bill is None or key in self._closing:
            return
        self._closing.add(key)
        try:
            current = (await self._memory.find(entry.tenant_id, [entry.id])).get(entry.id, entry)
            if current.open_bill is not None:
                # First the row, which survives a kill, then the charge, then the mark that both are there.
                cost = self._record(entry, bill, usage, outcome)
                if self._money is not None and bill.charge and cost is not None and outcome != UNRESOLVED:
                    await self._money.billed(read_posting(bill.attempt_id, bill.charge), cost)
                await self._memory.settle(entry)
        finally:
            self._closing.discard(key)

    def _record(self, entry: StoredAnswer, bill: OpenBill, usage: Usage, outcome: str) -> int | None:
        """What it cost, nano-dollars; None: nobody knows, and what is held for it stays."""
        target = self._target(entry)
        if target is None:
            log.error(
                "the answer %s of request %s cannot be billed: %s is no longer configured",
                entry.id, bill.request_id, entry.target_id,
            )  # fmt: skip
            return None
        now = self._clock.monotonic()
        job = Job(
            request_id=f"{bill.request_id}.done",
            principal=Principal(
                tenant_id=entry.tenant_id,
                key_id=entry.key_id,
                key_name="",
                role="",
                permissions=frozenset(),
                team=bill.team,
                project=bill.project,
                cost_center=bill.cost_center,
            ),
            request=LlmRequest(
                operation=Operation.CHAT,
                dialect=OPENAI_RESPONSES,
                model=bill.model_asked,
                body=b"",
                background=True,
                service_tier=bill.service_tier,
            ),
            requirements=Requirements(),
            plan=NO_PLAN._replace(route=Route(name=bill.route, targets=())),
            attribution=Attribution(
                agent_id=bill.agent_id,
                user_id=bill.user_id,
                session_id=bill.session_id,
                workflow_id=bill.workflow_id,
                client_request_id=bill.client_request_id,
                metadata=bill.metadata,
            ),
            started=now,
            started_at_us=self._memory.now_us(),
            deadline=Deadline(now),
            live=self._runtime.snapshot[1],
            answered_by=target,
            via="direct",
            credential=entry.credential,
            reason="made in the background; billed when it was done",
        )
        hold = None if self._money is None else self._money.counted(job, target, entry.credential)
        row = note_attempt(
            job, target, via="direct", outcome=outcome, started=now, ended=now, usage=usage,
            credential=entry.credential, hold=hold,
        )  # fmt: skip
        self._pipeline.record(job, status=200, outcome="ok" if outcome == "ok" else "error")
        return row.cost_nano_usd

    def _target(self, entry: StoredAnswer) -> Target | None:
        return self._runtime.snapshot[0].by_id.get(entry.target_id)

    async def run(self) -> None:
        """Looks after open bills until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look_after(LOOKED_AT_AFTER_S)
            except StoreUnavailable as error:
                log.warning("open bills of background answers wait: %s", error.message)

    async def look_after(self, older_than_s: float) -> int:
        """Asks for every answer with an open bill of that age; returns how many were closed.

        One that its account no longer has, or that outlived its retention, is closed as unresolved.
        """
        closed = 0
        for entry in await self._memory.unsettled(older_than_s, LOOKED_AT_MAX):
            gone = entry.expires_at_us <= self._memory.now_us()
            try:
                answer = await self._resources.fetch(
                    ResourceRequest(
                        entry.provider, "GET", f"/responses/{quote(entry.id, safe='')}", entry.credential
                    )
                )
            except UpstreamFailed:
                seen = None
            else:
                seen = self._reading.seen(answer.body) if answer.failure is None else None
                gone = gone or answer.status == 404
            if seen is not None and seen.finished:
                await self.close(entry, seen)
                closed += 1
            elif gone:
                await self._close(entry, Usage(estimated=True), UNRESOLVED)
                closed += 1
        return closed
