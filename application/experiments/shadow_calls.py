"""Copies of requests, sent to shadows beside them: the whole way of a request, and nobody waits.

A copy is asked when its request is over: it takes no connection or slot while a caller waits for the same
thing, and all that is compared is known. Bodies and answers stay in memory until then, bounded; what there is
no room, money or idleness for is left out and counted, never waited for.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from application.caching.pipeline import Pipeline
from application.copied_request import ShadowOf
from application.experiments.book import Copying
from application.experiments.copied import CopiedRequest
from application.experiments.shadow_spending import ShadowSpending
from application.job import Job
from application.ports.cache_reader import CacheReader
from application.ports.llm import UpstreamAnswer
from application.ports.shadows import ShadowLog, ShadowPair
from application.ports.system import Clock
from application.ports.unstreamed import Unstreamed
from domain.analytics.event import RequestEvent
from domain.caching.effect import HITS, SHADOW
from domain.errors import (
    BudgetExceeded,
    InterchangeError,
    NoProviderAvailable,
    StoreUnavailable,
)
from domain.experiments.experiment import Experiment, Shadow
from domain.experiments.likeness import Likeness, likeness
from domain.experiments.shadowing import unfit
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest
from domain.quality.checks import AnswerText
from domain.routing.filters import eligible
from domain.routing.table import RoutingTable

log = logging.getLogger("interchange")

WAITING_MAX: Final = 128
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
WAITED_MAX_S: Final = 30.0
"""What waited longer is left out: the world it was asked in is gone."""
AT_ONCE_MAX: Final = 8
PROBE_S: Final = 0.01
LATE_MAX_S: Final = 0.025
"""Where this process wakes up later than this, callers wait for its one thread already."""
UNWRITTEN_MAX: Final = 2_000
WRITE_EVERY_S: Final = 1.0
_ANSWERED: Final = frozenset({"ok", "error", "cut"})
_STRUCTURED: Final = int(Capability.STRUCTURED_OUTPUT)


class _Wanted(NamedTuple):
    copied: CopiedRequest
    shadow: Shadow
    event: RequestEvent
    since_s: float
    size_bytes: int

    @property
    def subject(self) -> tuple[str, str]:
        return self.copied.experiment.experiment_id, self.shadow.name


@dataclass(slots=True)
class _Answered:
    """What came of a copy so far. `job` None: it was not let in."""

    job: Job | None = None
    answer: UpstreamAnswer | None = None
    error: InterchangeError | None = None

    @property
    def sent(self) -> bool:
        """Whether a provider was asked."""
        return self.job is not None and bool(self.job.attempts)

    @property
    def cost_nano_usd(self) -> int | None:
        return 0 if self.job is None else self.job.cost_nano_usd

    @property
    def tells(self) -> bool:
        """Whether it says something about the shadow, rather than about budgets and policies."""
        if isinstance(self.error, BudgetExceeded):
            return False
        return self.answer is not None or self.sent or isinstance(self.error, NoProviderAvailable)


class ShadowCalls(Copying):
    """`run` and `write` work until cancelled; `flush` ends it. Belongs to one event loop."""

    def __init__(
        self,
        shadows: ShadowLog,
        answers: CacheReader,
        unstreamed: Unstreamed,
        clock: Clock,
        *,
        at_once: int = AT_ONCE_MAX,
    ) -> None:
        self._log = shadows
        self._answers = answers
        self._unstreamed = unstreamed
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._idle: Callable[[], bool] = lambda: False
        self._table: Callable[[], RoutingTable] | None = None
        self._asks: Callable[[str, str], bool] = lambda _experiment_id, _shadow: True
        self._waiting: deque[_Wanted] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(at_once)
        self._unwritten: deque[ShadowPair] = deque()
        self._writing = asyncio.Lock()
        self._draining = False
        self.running = 0
        self.spending = ShadowSpending(clock)
        self.counts: Counter[str] = Counter()
        """`compared`, and why copies were left out."""

    def attach(
        self,
        pipeline: Pipeline,
        idle: Callable[[], bool],
        table: Callable[[], RoutingTable],
        asks: Callable[[str, str], bool],
    ) -> None:
        """Where copies go, and whether they may go now; before it nothing is copied. `asks` tells whether a
        shadow (its experiment's id, its name) is still one."""
        self._pipeline, self._idle, self._table, self._asks = pipeline, idle, table, asks

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def drain(self) -> None:
        """Nothing is begun any more; what runs goes on as long as it may."""
        self._draining = True
        self._waiting.clear()
        self._waiting_bytes = 0

    # In the way of a request

    def copy(self, job: Job, experiment: Experiment, shadows: Sequence[Shadow]) -> None:
        why = self._not_now() or unfit(job.request)
        if not why and len(self._waiting) >= WAITING_MAX:
            why = "too many wait"
        if why:
            self._left_out(why)
            return
        paid = tuple(each for each in shadows if self.spending.affords(experiment.experiment_id, each, 0))
        if len(paid) < len(shadows):
            self._left_out("over its daily cap")
        if paid:
            copied = CopiedRequest(job, experiment, paid, self._over)
            job.copies = copied
            job.protections.insert(0, copied)

    def _not_now(self) -> str:
        if self._pipeline is None or self._draining:
            return "draining"
        return "" if self._idle() else "busy"

    def _over(self, copied: CopiedRequest, event: RequestEvent) -> None:
        nobody_could = event.outcome == "refused" and event.error_code == NoProviderAvailable.code
        if event.cache in HITS:
            self._left_out("answered from a cache")
        elif event.outcome not in _ANSWERED and not nobody_could:
            self._left_out("the request was not answered")
        else:
            for shadow in copied.shadows:
                self._want(copied, shadow, event)

    def _want(self, copied: CopiedRequest, shadow: Shadow, event: RequestEvent) -> None:
        size_bytes = copied.size_bytes
        if self._draining:
            self._left_out("draining")
        elif len(self._waiting) >= WAITING_MAX or self._waiting_bytes + size_bytes > WAITING_BYTES_MAX:
            self._left_out("too many wait")
        else:
            self._waiting.append(_Wanted(copied, shadow, event, self._clock.monotonic(), size_bytes))
            self._waiting_bytes += size_bytes
            self._news.set()

    def _left_out(self, why: str) -> None:
        self.counts[f"left out: {why}"] += 1

    # Beside requests

    async def run(self) -> None:
        """Asks what waits, until cancelled; what runs then is cancelled, and recorded as such."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                while not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                wanted = self._waiting.popleft()
                self._waiting_bytes -= wanted.size_bytes
                group.create_task(self._one(wanted))

    async def _one(self, wanted: _Wanted) -> None:
        self.running += 1
        try:
            await self._unhurried(wanted)
            why = self._not_wanted(wanted)
            if why:
                self._left_out(why)
            else:
                await self._ask(wanted)
        except Exception:
            # A defect in one of them must not end all others.
            log.exception("a copy for a shadow failed")
            self._left_out("failed")
        finally:
            self.running -= 1
            self._slots.release()

    async def _unhurried(self, wanted: _Wanted) -> None:
        """Waits until this process keeps up with what it has to do, or the copy has waited too long: slots
        may be free while its processor is not, and a copy is as much work as a request."""
        while self._clock.monotonic() - wanted.since_s <= WAITED_MAX_S:
            due_s = self._clock.monotonic() + PROBE_S
            await asyncio.sleep(PROBE_S)
            if self._clock.monotonic() - due_s <= LATE_MAX_S:
                return

    def _not_wanted(self, wanted: _Wanted) -> str:
        copied, table = wanted.copied, self._table
        if why := self._not_now():
            return why
        if not self._asks(*wanted.subject):
            return "it was stopped"
        if self._clock.monotonic() - wanted.since_s > WAITED_MAX_S:
            return "waited too long"
        experiment_id = copied.experiment.experiment_id
        if not self.spending.affords(experiment_id, wanted.shadow, wanted.event.cost_nano_usd or 0):
            return "over its daily cap"
        routes = table() if table is not None else None
        route = None if routes is None else routes.routes.get(wanted.shadow.route)
        if routes is None or route is None:
            return "its route is gone"
        # As the request itself was planned: what shows only then (its length, a policy's) is known by now.
        if not eligible(routes, routes.members(route), copied.job.requirements).count:
            return "its targets could never answer"
        return ""

    async def _ask(self, wanted: _Wanted) -> None:
        request = self._unstreamed.whole(wanted.copied.request)
        if request is None:
            self._left_out("its stream cannot be asked whole")
            return
        subject, like = wanted.subject, wanted.event.cost_nano_usd or 0
        self.spending.began(subject)
        answered = _Answered()
        kept = False
        try:
            await self._answer(wanted, request, answered)
            if answered.tells:
                self.counts["compared"] += 1
                counted = self.spending.counts(subject, answered.cost_nano_usd, like, sent=answered.sent)
                kept = self._keep(self._pair(wanted, answered, counted))
            else:
                self._left_out("refused" if answered.error is None else answered.error.code)
        finally:
            amount = self.spending.counts(subject, answered.cost_nano_usd, like, sent=answered.sent)
            self.spending.ended(subject, answered.cost_nano_usd, amount, written=kept)

    async def _answer(self, wanted: _Wanted, request: LlmRequest, answered: "_Answered") -> None:
        copied, pipeline, task = wanted.copied, self._pipeline, asyncio.current_task()
        assert pipeline is not None and task is not None, "looked at before; calls run in tasks"

        def end(_error: InterchangeError) -> None:
            task.cancel()

        try:
            job, live = await pipeline.begin(
                copied.job.principal,
                request,
                # Its own: what is demanded is completed in place, and there may be other shadows.
                replace(copied.requirements),
                replace(copied.attribution),
                beside=SHADOW,
                shadow=ShadowOf(*wanted.subject, wanted.shadow.route),
            )
        except InterchangeError as error:
            answered.error = error
            return
        answered.job, job.halt = job, end
        status, outcome, code = 0, "cancelled", ""
        try:
            answered.answer = await pipeline.complete(job, live)
            job.response_bytes = len(answered.answer.body)
            status, outcome = 200, "ok"
        except InterchangeError as error:
            answered.error, outcome, code = error, "error", error.code
        finally:
            pipeline.end(job, status=status, outcome=outcome, error_code=code)

    def _pair(self, wanted: _Wanted, answered: "_Answered", counted: int) -> ShadowPair:
        copied, event, job = wanted.copied, wanted.event, answered.job
        control_ok, shadow_ok = event.outcome == "ok", answered.answer is not None
        alike = self._likeness(wanted, answered) if control_ok else Likeness()
        return ShadowPair(
            tenant_id=event.tenant_id,
            experiment_id=copied.experiment.experiment_id,
            arm=wanted.shadow.name,
            request_id=event.request_id,
            shadow_id="" if job is None else job.request_id,
            at_us=self._clock.utc_us(),
            control_ok=control_ok,
            shadow_ok=shadow_ok,
            control_cost_nano_usd=event.cost_nano_usd,
            shadow_cost_nano_usd=answered.cost_nano_usd,
            counted_nano_usd=counted,
            control_us=event.upstream_us if control_ok else None,
            shadow_us=int(job.upstream_s * 1e6) if job is not None and shadow_ok else None,
            **alike._asdict(),
        )

    def _likeness(self, wanted: _Wanted, answered: "_Answered") -> Likeness:
        copied, dialect = wanted.copied, wanted.copied.request.dialect
        wants_json = bool(int(copied.request.needs) & _STRUCTURED)
        control = shadow = None
        if copied.caught:
            text, tools = copied.text, copied.calls_tools
            if copied.body is not None:
                text, tools = self._read(dialect, copied.body)
            finish = wanted.event.finish_reason or "stop"
            control = AnswerText(text, copied.whole, tools, wants_json, finish_reason=finish)
        if answered.answer is not None and answered.job is not None:
            text, tools = self._read(dialect, answered.answer.body)
            finish = answered.job.finish_reason or "stop"
            shadow = AnswerText(text, True, tools, wants_json, finish_reason=finish)
        return likeness(control, shadow)

    def _read(self, dialect: str, body: bytes) -> tuple[str, bool]:
        return self._answers.answer_text(dialect, body), self._answers.calls_tools(dialect, body)

    # What was seen

    def _keep(self, pair: ShadowPair) -> bool:
        if len(self._unwritten) >= UNWRITTEN_MAX:
            self._left_out("the store is away")
            return False
        self._unwritten.append(pair)
        return True

    async def write(self, running: Callable[[], Sequence[str]]) -> None:
        """Writes what was seen and asks what others spent, until cancelled. `running` tells the ids of
        experiments with shadows."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.look(running())
            except StoreUnavailable as error:
                log.warning("what was seen of shadows waits: %s", error.message)

    async def look(self, running: Sequence[str]) -> None:
        """Once. Raises StoreUnavailable; nothing is lost then."""
        mark, from_us = self.spending.asking(), self.spending.day_from_us
        await self.flush()
        if running:
            self.spending.told(from_us, await self._log.counted(running, from_us), mark)

    async def flush(self) -> None:
        """Everything seen so far is in the store. Raises StoreUnavailable; nothing is lost then."""
        async with self._writing:
            group = list(self._unwritten)
            if group:
                await self._log.note(group)
                for _ in group:
                    self._unwritten.popleft()
