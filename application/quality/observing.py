"""Looking at a sample of answers after they were given: checks of their text, and a judge where wanted.

No request waits for it, and none fails because of it: what there is no room for is left out and counted. What
is kept is what was found, never the answer.
"""

import asyncio
import logging
import random
from collections import Counter, deque
from typing import Final

from application.inspection import Inspector
from application.job import Job
from application.ports.asked_schemas import AskedSchemas
from application.ports.cache_reader import CacheReader
from application.ports.guardrail import GuardrailFailed, SchemaReader
from application.ports.quality import CHECKS, JUDGE, Observation, QualityStore
from application.ports.system import Clock
from application.quality.judging import JUDGING, AnswerScorer
from application.quality.seen import SeenAnswer, SeenOnItsWay
from domain.caching.effect import HITS
from domain.errors import StoreUnavailable
from domain.llm.capabilities import Capability
from domain.quality.checks import (
    INVALID_JSON,
    REFUSAL,
    SCHEMA_MISMATCH,
    AnswerText,
    found_in_text,
    is_json,
)
from domain.quality.tasks import SPOKEN, task_of
from domain.routing.target import Route

log = logging.getLogger("interchange")

WAITING_MAX: Final = 512
WAITING_BYTES_MAX: Final = 16 * 1024 * 1024
"""Requests and answers that wait to be looked at; they outlive their requests."""
UNWRITTEN_MAX: Final = 2_000
WRITE_EVERY_S: Final = 1.0
JUDGE_WAITING_MAX: Final = 64
JUDGE_TIMEOUT_S: Final = 60.0
_STRUCTURED: Final = int(Capability.STRUCTURED_OUTPUT)


class AnswerObserver:
    """Belongs to one event loop. `run`, `judge` and `write` work until cancelled; `flush` ends it."""

    def __init__(
        self,
        store: QualityStore,
        answers: CacheReader,
        asked: AskedSchemas,
        schemas: SchemaReader,
        scorer: AnswerScorer,
        clock: Clock,
    ) -> None:
        self._store = store
        self._answers = answers
        self._asked = asked
        self._schemas = schemas
        self._clock = clock
        self.scorer = scorer
        self._waiting: deque[SeenAnswer] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._to_judge: asyncio.Queue[tuple[SeenAnswer, str]] = asyncio.Queue(JUDGE_WAITING_MAX)
        self._unwritten: deque[Observation] = deque()
        self._writing = asyncio.Lock()
        self.counts: Counter[str] = Counter()
        """`looked_at`, and why answers were left out."""

    @property
    def waiting(self) -> int:
        """Answers that are not looked at yet."""
        return len(self._waiting)

    def note(self, seen: SeenAnswer) -> None:
        """Takes an answer over, or leaves it out. Never waits."""
        if seen.job.cache in HITS:
            return  # it was made for another request, and looked at then
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + seen.size_bytes > WAITING_BYTES_MAX:
            self.counts["left out: too many wait"] += 1
            return
        self._waiting.append(seen)
        self._waiting_bytes += seen.size_bytes
        self._news.set()

    async def run(self) -> None:
        """Looks at what waits, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.work_off()

    async def work_off(self) -> None:
        """Looks at everything that waits now, one at a time and with room for others in between."""
        while self._waiting:
            # What ended at once is not recorded yet; its job says who answered only then.
            await asyncio.sleep(0)
            seen = self._waiting.popleft()
            self._waiting_bytes -= seen.size_bytes
            try:
                self._look(seen)
            except Exception:
                # A defect in one check must not end all others.
                log.exception("an answer could not be looked at")
                self.counts["left out: failed"] += 1

    async def judge(self) -> None:
        """Has a sample of answers scored, one after the other, until cancelled."""
        while True:
            seen, text = await self._to_judge.get()
            score = None
            try:
                async with asyncio.timeout(JUDGE_TIMEOUT_S):
                    score = await self.scorer.score(seen, text)
            except TimeoutError:
                self.scorer.counts["not answered: too slow"] += 1
            except Exception:
                log.exception("an answer could not be judged")
                self.scorer.counts["failed"] += 1
            if score is not None and seen.policy.judge is not None:
                self._keep(
                    self._observation(seen, JUDGE)._replace(score=score, judge=seen.policy.judge.model)
                )

    async def write(self) -> None:
        """Writes what was found, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning("what was found of answers waits: %s", error.message)

    async def flush(self) -> None:
        """Everything found so far is in the store. Raises StoreUnavailable; nothing is lost then."""
        async with self._writing:
            group = list(self._unwritten)
            if group:
                await self._store.note(group)
                for _ in group:
                    self._unwritten.popleft()

    def _look(self, seen: SeenAnswer) -> None:
        task = task_of(seen.request)
        if seen.job.answered_by is None or task not in SPOKEN:
            return
        answer = self._read(seen)
        self.counts["looked_at"] += 1
        if seen.checked:
            found = found_in_text(answer, seen.policy.checks, seen.policy.limits)
            self._keep(
                self._observation(seen, CHECKS)._replace(
                    findings=",".join(found),
                    failed=bool(found),
                    refused=REFUSAL in found,
                    json_broken=INVALID_JSON in found or SCHEMA_MISMATCH in found,
                )
            )
        if seen.judged and not answer.calls_tools and answer.whole:
            try:
                self._to_judge.put_nowait((seen, answer.text))
            except asyncio.QueueFull:
                self.scorer.counts["left out: too many wait"] += 1

    def _read(self, seen: SeenAnswer) -> AnswerText:
        """The words of an answer, and whether they are what was asked for."""
        text, calls_tools, dialect = seen.text, seen.calls_tools, seen.request.dialect
        if seen.body is not None:
            text = self._answers.answer_text(dialect, seen.body)
            calls_tools = self._answers.calls_tools(dialect, seen.body)
        wants_json = bool(int(seen.request.needs) & _STRUCTURED)
        kept: bool | None = None
        if wants_json and "schema_mismatch" in seen.policy.checks and seen.whole and is_json(text):
            schema = self._asked.schema(seen.request)
            try:
                kept = not self._schemas.problem(schema, text) if schema else None
            except GuardrailFailed:
                kept = None  # nobody can say
        return AnswerText(
            text,
            whole=seen.whole,
            calls_tools=calls_tools,
            wants_json=wants_json,
            schema_kept=kept,
            finish_reason=seen.job.finish_reason or "stop",
        )

    def _observation(self, seen: SeenAnswer, source: str) -> Observation:
        job, target = seen.job, seen.job.answered_by
        return Observation(
            tenant_id=job.principal.tenant_id,
            request_id=job.request_id,
            source=source,
            provider=target.provider if target is not None else "",
            model=target.model if target is not None else "",
            task=task_of(seen.request),
            route=job.plan.route.name,
            observed_at_us=int(self._clock.utc_now().timestamp() * 1e6),
        )

    def _keep(self, observation: Observation) -> None:
        if len(self._unwritten) >= UNWRITTEN_MAX:
            self.counts["left out: the store is away"] += 1
            return
        self._unwritten.append(observation)


class QualityInspector(Inspector):
    """Draws which answers are looked at. It comes last: it sees what policies made of requests."""

    def __init__(self, observer: AnswerObserver, chance: random.Random) -> None:
        self.observer = observer
        self._chance = chance

    def request(self, job: Job, route: Route) -> None:
        policy = route.quality
        if not policy.looks or JUDGING.get():
            return
        checked = bool(policy.checks) and self._chance.random() < policy.sample
        judged = policy.judge is not None and self._chance.random() < policy.judge.sample
        if checked or judged:
            job.protections.append(SeenOnItsWay(self.observer.note, job, policy, checked, judged))
