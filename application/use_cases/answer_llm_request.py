"""The one way every LLM request takes, whatever its dialect, unary or streamed.

admit → limit → inspect → cache → plan → attempt(s) → settle → record. (Authentication comes before, at the
entrance.) Each request that was authenticated leaves exactly one event, whatever happens to it.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial

from application.affinity import AffinityBook, explain_outcome
from application.answer_stream import AnswerStream
from application.attempts import AttemptLoop
from application.cache_course import CacheCourse
from application.caching.answer_cache import AnswerCache
from application.caching.replay import replayed_answer
from application.credentials import admit_own
from application.demands import complete_requirements
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
from application.rate_limits import RateLimits
from application.request_event import event_of
from application.runtime import Runtime
from domain.analytics.event import RequestEvent
from domain.caching.policy import CacheMode
from domain.errors import Forbidden, InterchangeError, NoProviderAvailable, Overloaded, StoreUnavailable
from domain.llm.request import LlmRequest
from domain.residency.place import ANYWHERE
from domain.routing.conversation import Conversation
from domain.routing.keeping import demand_keeper, plan_with_home
from domain.routing.live import LiveState
from domain.routing.plan import NO_PLAN, Plan, make_plan
from domain.routing.ranking import Recall
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Passthrough, Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline

RETRY_WHEN_FULL_S = 1.0
CALLER_LEFT_STATUS = 499


class AnswerLlmRequest:
    """Call `begin`, then `complete` or `open`, then `end` in a `finally`.

    `slots_max` bounds the requests in flight; the next one is refused at once rather than queued.
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
    ) -> None:
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
    ) -> tuple[Job, LiveState]:
        """Admits and plans, or finds it answered already; takes a slot that `end` gives back.

        Waits only for rate limits that are used up here and for whoever has to look at the request first.
        `beside` says why it runs beside callers' requests (`CacheCourse.beside`); empty: a caller asks.

        Raises:
            Forbidden, Overloaded, StoreUnavailable, UnknownModel, AgentStopped, InvalidRequirements,
            ResidencyViolation, RateLimited, NoProviderAvailable, and what inspectors refuse with: no slot is
            kept then, and the refusal is recorded.
        """
        clock = self._clock
        started = clock.monotonic()
        table, live = self._runtime.snapshot
        job = Job(
            request_id=request_id or self._ids.next("req"),
            principal=principal,
            request=request,
            requirements=requirements,
            plan=NO_PLAN,
            attribution=attribution,
            started=started,
            started_at_us=int(clock.utc_now().timestamp() * 1e6),
            deadline=Deadline(started),
        )
        self.in_flight += 1
        try:
            speak_for(principal, attribution)
            route = job.route = self._admitted(job, table)
            job.live = live
            await self._inspected(job, route)
            if job.ended is not None:
                raise job.ended
            if self._cache is not None and route.cache.mode is not CacheMode.OFF:
                self._cache.look(job, table.members(route), table, beside=beside)
            if job.course is not None:
                self._plan_unless_kept(job, job.course, table, route)
            else:
                job.plan = self._plan(job, table, route)
        except InterchangeError as refused:
            error = refused
            if self._offers is not None:
                error = self._offers.explained(refused, request, self._targets(job, table))
            self.end(job, status=0, outcome="refused", error_code=error.code)
            raise error from None
        except asyncio.CancelledError:
            self.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")
            raise
        except BaseException:
            self.abandon(job)  # a defect must not take a slot for ever
            raise
        timeouts = route.timeouts
        job.deadline = Deadline(started + (timeouts.stream_total_s if request.stream else timeouts.total_s))
        job.plan_s = clock.monotonic() - started
        return job, live

    async def _inspected(self, job: Job, route: Route) -> None:
        """Completes what is demanded, and lets limits and inspectors have their say."""
        if job.request.own_credential is not None or route.passthrough is not Passthrough.OFF:
            job.callers_provider = admit_own(job.request, route)
            job.own_only = route.passthrough is Passthrough.ONLY
        complete_requirements(job.requirements, job.request, job.principal, self._places)
        job.residency = self._places.residency(job.requirements)
        if job.residency is not ANYWHERE:
            self._keep_in_place(job, route)
        if self._limits is not None and (room := self._limits.admit(job, route)) is not None:
            await room
        for inspector in self._inspectors:
            if (seen := inspector.request(job, route)) is not None:
                await seen

    def _keep_in_place(self, job: Job, route: Route) -> None:
        """What is asked to be kept here is refused where it may not be; what need not be is not kept."""
        database = self._places.sinks.database
        job.may_store = database.allowed(job.residency)
        if job.request.store and route.answers_kept_s is not None:
            database.require(job.residency, "store")

    def _plan_unless_kept(self, job: Job, course: CacheCourse, table: RoutingTable, route: Route) -> None:
        """A request that is answered already needs no plan, and one that may be can wait to be refused."""
        if course.hit is None:
            try:
                job.plan = self._plan(job, table, route)
                return
            except NoProviderAvailable as error:
                if not course.reads:
                    raise
                course.unplanned = error.with_traceback(None)
                if self._offers is not None:
                    course.unplanned = self._offers.explained(error, job.request, self._targets(job, table))
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
                recall=self.recall_for(job, route),
            )

        if request.home is None:
            return plan(requirements)
        return plan_with_home(plan, requirements, request, table, route)

    def _admitted(self, job: Job, table: RoutingTable) -> Route:
        """Where it goes. Raises what keeps its caller from being answered at all."""
        self._admit(job.principal, "llm.call")
        route = self._route(job, table)
        if self._guards is not None:
            self._guards.admit(job, route)
        return route

    def _route(self, job: Job, table: RoutingTable) -> Route:
        """The route that was asked for, or the one that a budget near its end switches to."""
        asked = table.resolve(job.request.model, job.principal.tenant_id)
        account = None if self._holds is None else self._holds.switch(job)
        if account is None or account.switch is None:
            return asked
        instead = table.routes.get(account.switch.route)
        if instead is None or instead is asked:
            return asked
        job.switched_by = account.name
        return instead

    @staticmethod
    def _targets(job: Job, table: RoutingTable) -> tuple[Target, ...]:
        """Those of the asked route, for whoever explains a refusal; none where there is no route."""
        if job.live is None:
            return ()
        members = table.members(table.resolve(job.request.model, job.principal.tenant_id))
        return tuple(table.targets[index] for index in members.indices)

    def recall_for(self, job: Job, route: Route) -> Recall | None:
        """How to find the conversation that a job continues; None where affinity has no say."""
        book = self._affinity
        if book is None or not route.affinity.enabled or not job.requirements.affinity:
            return None

        def recall() -> Conversation | None:
            job.conversation = book.recall(
                job.principal.tenant_id,
                route.name,
                job.attribution.session_id,
                job.request,
                marked=route.prompt_caching.marks,
            )
            return job.conversation

        return recall

    def take_slot(self, job: Job, permission: str) -> None:
        """For calls of tools, ended as those of models: `end` has to follow, also when this raises."""
        self.in_flight += 1
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
    def kept(job: Job) -> UpstreamAnswer | None:
        """The whole answer of a request that was answered already when it began."""
        hit = None if job.course is None else job.course.hit
        return None if hit is None else delivered(job.protections, replayed_answer(hit))

    async def complete(self, job: Job, live: LiveState) -> UpstreamAnswer:
        """A whole answer. Raises UpstreamError, NoProviderAvailable, DeadlineExceeded, or what those who
        looked at the request make of the answer."""
        if job.course is None or self._cache is None:
            answer = await self._complete(job, live)
        else:
            answer = await self._cache.complete(job, partial(self._complete, job, live))
        return delivered(job.protections, answer)

    async def open(self, job: Job, live: LiveState) -> AnswerStream:
        """A committed stream; close it before `end`. Raises as `complete`."""
        if job.course is None or self._cache is None:
            stream = await self._open(job, live)
        else:
            stream = await self._cache.open(job, partial(self._open, job, live))
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
