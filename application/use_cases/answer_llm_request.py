"""The one way every LLM request takes, whatever its dialect, unary or streamed.

admit → limit → inspect → cache → plan → attempt(s) → settle → record. (Authentication comes before, at the
entrance.) Each request that was authenticated leaves exactly one event, whatever happens to it.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from application.affinity import AffinityBook, explain_outcome, recalling
from application.answer_stream import AnswerStream
from application.asked_route import asked_route
from application.attempts import AttemptLoop
from application.cache_course import CacheCourse
from application.caching.answer_cache import AnswerCache
from application.caching.replay import replayed_answer
from application.copied_request import ShadowOf
from application.credentials import admit_own
from application.demands import complete_requirements, keep_in_place
from application.experiments.book import ExperimentBook
from application.guardrails.streams import HeldStream
from application.guards import AgentGuards
from application.holds import BudgetHolds
from application.identities import speak_for
from application.inspection import Inspector
from application.job import Attribution, Job
from application.offers import Offers
from application.places import NO_PLACES, Places
from application.ports.llm import UpstreamAnswer
from application.ports.system import Clock, IdFactory
from application.ports.usage import UsageLog
from application.protection import delivered
from application.rate_limits import RateLimits, waited_for
from application.request_event import event_of, note_refusal
from application.runtime import Runtime
from application.tracing.tracer import NO_TRACING, Tracing
from domain.analytics.event import RequestEvent
from domain.caching.policy import CacheMode
from domain.errors import Forbidden, InterchangeError, NoProviderAvailable, Overloaded, StoreUnavailable
from domain.llm.request import LlmRequest
from domain.residency.place import ANYWHERE
from domain.routing.keeping import demand_keeper, plan_with_home
from domain.routing.live import LiveState
from domain.routing.plan import NO_PLAN, Plan, make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Passthrough, Route, Target
from domain.tenancy.principal import Principal
from domain.time import NO_DEADLINE, Deadline

RETRY_WHEN_FULL_S = 1.0
CALLER_LEFT_STATUS = 499


class AnswerLlmRequest:
    """Call `begin`, then `complete` or `open`, then `end` in a `finally`.

    `slots_max` bounds the requests in flight; the next one is refused at once rather than queued. `status_of`
    is what callers of a dialect are answered with an error, for the records of refusals.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        attempts: AttemptLoop,
        usage_log: UsageLog,
        clock: Clock,
        ids: IdFactory,
        chance: random.Random,
        slots_max: int,
        observe: Callable[[RequestEvent], None],
        affinity: AffinityBook | None = None,
        offers: Offers | None = None,
        holds: BudgetHolds | None = None,
        guards: AgentGuards | None = None,
        cache: AnswerCache | None = None,
        limits: RateLimits | None = None,
        inspectors: Sequence[Inspector] = (),
        places: Places = NO_PLACES,
        tracing: Tracing = NO_TRACING,
        experiments: ExperimentBook | None = None,
        status_of: Callable[[InterchangeError, str], int] = lambda _error, _dialect: 0,
    ) -> None:
        self._status_of = status_of
        self._runtime = runtime
        self._attempts = attempts
        self.usage_log = usage_log
        self._clock = clock
        self._ids = ids
        self._chance = chance
        self._observe = observe
        self._affinity = affinity
        self._offers = offers
        self._holds = holds
        self._guards = guards
        self._cache = cache
        self._limits = limits
        self._inspectors = tuple(inspectors)
        self._places = places
        self._tracing = tracing
        self._experiments = experiments
        self.slots_max = slots_max
        self.in_flight = 0

    async def begin(
        self,
        principal: Principal,
        request: LlmRequest,
        requirements: Requirements,
        attribution: Attribution,
        *,
        request_id: str | None = None,
        beside: str = "",
        entered: float | None = None,
        shadow: ShadowOf | None = None,
    ) -> tuple[Job, LiveState]:
        """Admits and plans, or finds it answered already; takes a slot that `end` gives back.

        Waits only for rate limits that are used up here and for whoever has to look at the request first.
        `beside` says why it runs beside callers' requests, empty: a caller asks; `shadow` whom it is a copy
        for. `entered` is when it came in at the API, in monotonic seconds; None: it did not come there.

        Raises Forbidden, Overloaded, StoreUnavailable, UnknownModel, AgentStopped, InvalidRequirements,
        ResidencyViolation, RateLimited, NoProviderAvailable, and what inspectors refuse with: no slot is kept
        then, and the refusal is recorded.
        """
        clock = self._clock
        started = clock.monotonic()
        table, live = self._runtime.snapshot
        job = Job(  # by place: so many names would take twice as long
            request_id or self._ids.next("req"),
            principal,
            request,
            requirements,
            NO_PLAN,
            attribution,
            started,
            clock.utc_us(),
            NO_DEADLINE,
            0.0 if entered is None else started - entered,
        )
        since, planning = started, False
        self.in_flight += 1
        self._tracing.begin(job)
        try:
            speak_for(principal, attribution)
            route = job.route = self._admitted(job, table, beside, shadow, copied=entered is not None)
            job.live = live
            route = await self._inspected(job, route, table)
            if job.ended is not None:
                raise job.ended
            since, planning = clock.monotonic(), True
            job.admit_s = since - started
            if self._cache is not None and route.cache.mode is not CacheMode.OFF and shadow is None:
                self._cache.look(job, table.members(route), table, beside=beside)
                looked = clock.monotonic()
                job.cache_s, since = looked - since, looked
            if job.course is not None:
                self._plan_unless_kept(job, job.course, table, route)
            else:
                job.plan = self._plan(job, table, route)
        except InterchangeError as refused:
            note_refusal(job, refused, clock.monotonic() - since, planning=planning)
            raise self._refused(job, refused, table) from None
        except asyncio.CancelledError:
            self.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")
            raise
        except BaseException:
            self.abandon(job)  # a defect must not take a slot for ever
            raise
        timeouts = route.timeouts
        job.deadline = Deadline(started + (timeouts.stream_total_s if request.stream else timeouts.total_s))
        job.plan_s = clock.monotonic() - since
        return job, live

    async def _inspected(self, job: Job, route: Route, table: RoutingTable) -> Route:
        """Completes what is demanded, and lets limits and inspectors have their say. Where it goes then."""
        if job.request.own_credential is not None or route.passthrough is not Passthrough.OFF:
            job.callers_provider = admit_own(job.request, route)
            job.own_only = route.passthrough is Passthrough.ONLY
        complete_requirements(job.requirements, job.request, job.principal, self._places)
        job.residency = self._places.residency(job.requirements)
        if job.residency is not ANYWHERE:
            keep_in_place(job, route, self._places)
        if self._limits is not None and (room := self._limits.admit(job, route)) is not None:
            await waited_for(job, room, self._clock)
        for inspector in self._inspectors:
            if (seen := inspector.request(job, route)) is not None:
                await seen
        if job.arm_memory and self._experiments is not None:
            job.route = route = self._experiments.fair_route(job, route, table)
        return route

    def _plan_unless_kept(self, job: Job, course: CacheCourse, table: RoutingTable, route: Route) -> None:
        """A request that is answered already needs no plan, and one that may be can wait to be refused."""
        if course.hit is None:
            try:
                job.plan = self._plan(job, table, route)
                return
            except NoProviderAvailable as error:
                if not course.reads:
                    raise
                course.unplanned = self._explained(job, error.with_traceback(None), table)
        job.plan = Plan(route, (), (), "", 0)

    def _plan(self, job: Job, table: RoutingTable, route: Route) -> Plan:
        request, requirements, live = job.request, job.requirements, job.live
        assert live is not None
        if request.store or request.background or request.home is not None:
            demand_keeper(requirements, request, table, route)
        draw = self._chance.random()

        def plan(wanted: Requirements) -> Plan:
            return make_plan(
                table,
                route,
                wanted,
                live,
                now=job.started,
                draw=draw,
                reachable=lambda target: self._attempts.reachable(target, request.dialect, job),
                recall=recalling(self._affinity, job, route),
            )

        if request.home is None:
            return plan(requirements)
        return plan_with_home(plan, requirements, request, table, route)

    def _admitted(
        self, job: Job, table: RoutingTable, beside: str, shadow: ShadowOf | None, *, copied: bool
    ) -> Route:
        """Where it goes. Raises what keeps its caller from being answered at all."""
        job.shadow = shadow
        self._admit(job.principal, "llm.call")
        route = asked_route(job, table, self._holds, self._experiments, beside=bool(beside), copied=copied)
        if self._guards is not None:
            self._guards.admit(job, route)
        return route

    def _refused(self, job: Job, refused: InterchangeError, table: RoutingTable) -> InterchangeError:
        error = self._explained(job, refused, table)
        status = self._status_of(error, job.request.dialect)
        self.end(job, status=status, outcome="refused", error_code=error.code)
        return error

    def _explained(self, job: Job, refused: InterchangeError, table: RoutingTable) -> InterchangeError:
        if self._offers is None:
            return refused
        return self._offers.explained(refused, job.request, self._targets(job, table))

    @staticmethod
    def _targets(job: Job, table: RoutingTable) -> tuple[Target, ...]:
        """Those of the asked route, for whoever explains a refusal; none where there is no route."""
        if job.live is None:
            return ()
        members = table.members(table.resolve(job.request.model, job.principal.tenant_id))
        return tuple(table.targets[index] for index in members.indices)

    def take_slot(self, job: Job, permission: str) -> None:
        """For calls of tools, ended as those of models: `end` has to follow, also when this raises."""
        self.in_flight += 1
        self._tracing.begin(job)
        speak_for(job.principal, job.attribution)
        self._admit(job.principal, permission)

    def stops(self, job: Job, route: Route) -> None:
        """Raises AgentStopped, Unauthenticated, TenantSuspended for whoever may not go on."""
        if self._guards is not None:
            self._guards.admit(job, route)

    def _admit(self, principal: Principal, permission: str) -> None:
        if not principal.may(permission):
            raise Forbidden(f"the role {principal.role!r} may not do this (needs {permission})")
        if self.in_flight > self.slots_max:
            raise Overloaded(
                f"{self.slots_max} requests are in flight, which is the limit (MAX_CONCURRENT_REQUESTS)",
                retry_after_s=RETRY_WHEN_FULL_S,
            )
        if not self.usage_log.accepting:
            raise StoreUnavailable(
                "usage can no longer be recorded (disk full or database down for too long)",
                retry_after_s=RETRY_WHEN_FULL_S,
            )

    @staticmethod
    def kept(job: Job) -> UpstreamAnswer:
        """The whole answer of a request that was answered already when it began (`course.hit`)."""
        assert job.course is not None and job.course.hit is not None, "it was answered before"
        return delivered(job.protections, replayed_answer(job.course.hit))

    def complete(self, job: Job, live: LiveState) -> Coroutine[Any, Any, UpstreamAnswer]:
        """A whole answer. Raises UpstreamError, NoProviderAvailable, DeadlineExceeded; as protections do."""
        if job.course is None and not job.protections:
            return self._attempts.complete(job, live)  # nobody stands between
        return self._protected(job, live)

    async def _protected(self, job: Job, live: LiveState) -> UpstreamAnswer:
        call, cache = partial(self._complete, job, live), self._cache
        answer = await (call() if cache is None or job.course is None else cache.complete(job, call))
        return delivered(job.protections, answer)

    async def open(self, job: Job, live: LiveState) -> AnswerStream:
        """A committed stream; close it before `end`. Raises as `complete`."""
        call, cache = partial(self._open, job, live), self._cache
        stream = await (call() if cache is None or job.course is None else cache.open(job, call))
        for protection in reversed(job.protections):
            stream = protection.deliver_stream(stream)
        return stream

    async def _complete(self, job: Job, live: LiveState) -> UpstreamAnswer:
        answer = await self._attempts.complete(job, live)
        for protection in job.protections:
            answer = await protection.answer(answer)
        return answer

    async def _open(self, job: Job, live: LiveState) -> AnswerStream:
        stream: AnswerStream = await self._attempts.open(job, live)
        if self._holds is not None and job.holds:
            self._holds.tell_left(job)
        for protection in job.protections:
            stream = protection.stream(stream)
            if isinstance(stream, HeldStream):
                await stream.fill()
        return stream

    def end(
        self,
        job: Job,
        *,
        status: int,
        outcome: str,
        error_code: str = "",
        first: Callable[[RequestEvent], None] | None = None,
    ) -> None:
        """Gives the slot back and records the request durably. Idempotent; call it before the last byte.

        `first` gets the event before it is recorded, for whoever must keep it together with the answer;
        what it raises comes through after the event was recorded.
        """
        if job.recorded:
            return
        shared = None if job.course is None else job.course.shared
        if shared is not None and shared.end_later(
            lambda: self.end(job, status=status, outcome=outcome, error_code=error_code, first=first)
        ):
            return  # others wait for the call it began, or it is just ending
        job.recorded = True
        self.in_flight -= 1
        explain_outcome(job)
        if self._affinity is not None and job.live is not None:
            self._affinity.answered(job, job.live)
        if self._holds is not None and job.holds:
            self._holds.tell_left(job)
        event = event_of(job, self._clock.monotonic(), status=status, outcome=outcome, error_code=error_code)
        try:
            if first is not None:
                first(event)
        finally:
            self.usage_log.record(event)
            if self._holds is not None and job.holds:
                self._holds.recorded(job)
            if self._guards is not None:
                self._guards.ended(job, event)
            if self._limits is not None:
                self._limits.ended(job, event)
            self._observe(event)
            self._tracing.ended(job, event)
            if job.copies is not None:
                job.copies.ended(event)

    def abandon(self, job: Job) -> None:
        """Gives the slot back without a record: for whoever keeps a durable note of what was begun, from
        which it is recorded later. Idempotent."""
        shared = None if job.course is None else job.course.shared
        if not job.recorded and not (shared is not None and shared.end_later(lambda: self.abandon(job))):
            job.recorded = True
            self.in_flight -= 1
            if self._holds is not None:
                self._holds.abandoned(job)
            if self._guards is not None:
                self._guards.left(job)
            if self._limits is not None:
                self._limits.left(job)

    def record(
        self,
        job: Job,
        *,
        status: int,
        outcome: str,
        error_code: str = "",
        first: Callable[[RequestEvent], None] | None = None,
    ) -> None:
        """Records what took no slot: something a request of long ago left to be settled. Idempotent."""
        self.in_flight += 1
        self.end(job, status=status, outcome=outcome, error_code=error_code, first=first)
