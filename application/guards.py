"""Watching over agents: who is stopped is refused, and who runs away is stopped.

Without stops and without guards a request pays for two entries of a dictionary. Guards judge what a request
shows before it is sent, and what it cost when it has ended.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from application.job import Job
from application.ports.conversation_tails import ConversationTails
from application.ports.system import Clock, IdFactory
from application.stops import StopBoard
from application.tenant_book import TenantBook
from domain.analytics.event import RequestEvent
from domain.errors import AgentStopped, InterchangeError, TenantSuspended, Unauthenticated
from domain.guards.conversation_tail import ConversationTail
from domain.guards.forgiven import evidence_of
from domain.guards.policy import NO_GUARDS, GuardPolicy
from domain.guards.repeated_calls import Repeated, RepeatedCallRule, mark_of, repeated_call
from domain.guards.spend_rate import SpendRate, SpendRateRule, SpendScope
from domain.guards.steps import STEPS_MARK, alone_too_long
from domain.guards.stop import Stop, StopCause, StopSubject, end_of, refusal_text
from domain.money import format_usd
from domain.routing.target import Route
from domain.tenancy.principal import Principal

METERS_MAX: Final = 20_000
"""Agents whose spending is counted at once; whoever asked least recently is forgotten first."""
ENDED_KEYS_MAX: Final = 10_000
"""Revoked keys that are remembered for whoever was let in before and asks later."""
TOOL_NAME_CHARS_MAX: Final = 64
UNNAMED: Final = (
    "nobody is stopped, because the request names neither agent nor session (x-interchange-agent-id, "
    "x-interchange-session-id); only this request is refused"
)

_REVOKED: Final = "this API key was revoked while its request was running"

_FIELDS: Final[dict[SpendScope, str]] = {scope: f"{scope.value}_id" for scope in SpendScope}


class AgentGuards:
    """Call `admit` when a request begins and `ended` or `left` when it is over. Belongs to one event loop."""

    def __init__(
        self,
        board: StopBoard,
        tails: ConversationTails,
        clock: Clock,
        ids: IdFactory,
        general: GuardPolicy = NO_GUARDS,
    ) -> None:
        self._board = board
        self._tails = tails
        self._clock = clock
        self._ids = ids
        self._general = general
        self._running: dict[int, Job] = {}
        self._meters: OrderedDict[tuple[SpendRateRule, str, str], SpendRate] = OrderedDict()
        self._ended_keys: OrderedDict[str, None] = OrderedDict()
        self._suspended: frozenset[str] = frozenset()
        self.lets_in: Callable[[str], bool] = _nobody
        """Whether a key that was revoked lets in again: the store may have been put back."""
        board.on_stopped = self._end_running

    def use(self, general: GuardPolicy) -> None:
        """What watches over routes without guards of their own, from the next request on."""
        self._general = general

    def admit(self, job: Job, route: Route) -> None:
        """Raises AgentStopped for whoever is stopped, or has to be from now on; Unauthenticated and
        TenantSuspended for whoever was let in and shut out since, while its body came or its work waited."""
        if self._ended_keys or self._suspended:
            self._refuse_ended(job.principal)
        self._running[id(job)] = job
        if self._board.anybody:
            stop = self._board.stop_for(job.principal.tenant_id, _asking(job, route.name))
            if stop is not None:
                raise _refusal(stop)
        policy = self._general if route.guards is None else route.guards
        if policy.reads_bodies and job.shadow is None:  # the request itself was judged
            self._judge(job, policy)

    def ended(self, job: Job, event: RequestEvent) -> None:
        """Counts what a request cost. Never raises for its contents."""
        self._running.pop(id(job), None)
        if not event.cost_nano_usd or job.shadow is not None:
            return  # no agent is stopped for what its operator tries
        policy = self._general if job.plan.route.guards is None else job.plan.route.guards
        rule = policy.spend_rate
        if rule is None:
            return
        field = _FIELDS[rule.scope]
        value: str = getattr(event, field)
        if value:
            self._spent(rule, policy, event, StopSubject(**{field: value}))

    def left(self, job: Job) -> None:
        """The request is over without a record of it."""
        self._running.pop(id(job), None)

    def _judge(self, job: Job, policy: GuardPolicy) -> None:
        rule, steps = policy.repeated_tool_call, policy.steps_without_user
        tail = self._tails.tail(
            job.request,
            calls_max=0 if rule is None else rule.window,
            turns_max=steps or 0,
            skipped=frozenset() if rule is None else rule.exempt,
        )
        if tail is None:
            return
        who = job.attribution
        subject = StopSubject(agent_id=who.agent_id, session_id=who.session_id)
        tenant_id = job.principal.tenant_id
        if rule is not None:
            forgiven = self._board.forgiven(tenant_id, StopCause.REPEATED_TOOL_CALL, subject)
            repeated = repeated_call(rule, tail, forgiven)
            if repeated is not None:
                self._stop(job, policy, subject, _looped(rule, repeated, tail))
        if steps is not None:
            forgiven = self._board.forgiven(tenant_id, StopCause.STEPS_WITHOUT_USER, subject)
            if alone_too_long(steps, tail, forgiven):
                reason = f"the model took {steps} turns in a row without a word of its user"
                evidence = evidence_of(STEPS_MARK, tail.messages)
                self._stop(job, policy, subject, (StopCause.STEPS_WITHOUT_USER, reason, evidence))

    def _stop(
        self, job: Job, policy: GuardPolicy, subject: StopSubject, why: tuple[StopCause, str, str]
    ) -> None:
        """Raises AgentStopped in any case."""
        cause, reason, evidence = why
        if not subject.named():
            raise AgentStopped(f"{reason}; {UNNAMED}", details={"cause": cause.value})
        stop = self._made(job.principal.tenant_id, subject, policy, cause, reason, evidence)
        self._board.make(stop)
        raise _refusal(stop)

    def _spent(
        self, rule: SpendRateRule, policy: GuardPolicy, event: RequestEvent, subject: StopSubject
    ) -> None:
        assert event.cost_nano_usd is not None, "asked by the caller"
        key = (rule, event.tenant_id, getattr(subject, _FIELDS[rule.scope]))
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = SpendRate(rule.per_s)
            if len(self._meters) > METERS_MAX:
                self._meters.popitem(last=False)
        else:
            self._meters.move_to_end(key)
        spent = meter.add(event.cost_nano_usd, self._clock.monotonic())
        if spent <= rule.limit_nano_usd:
            return
        # Counting begins anew, or lifting the stop would help for one request only.
        del self._meters[key]
        if self._board.stop_for(event.tenant_id, subject) is None:
            where = f" on route {rule.route!r}" if rule.route else ""
            reason = (
                f"it spent {format_usd(spent)} USD within {rule.per_s:g} s{where}; "
                f"{format_usd(rule.limit_nano_usd)} are allowed"
            )
            stop = self._made(event.tenant_id, subject, policy, StopCause.SPEND_RATE, reason)
            self._board.make(stop)

    def _made(
        self,
        tenant_id: str,
        subject: StopSubject,
        policy: GuardPolicy,
        cause: StopCause,
        reason: str,
        evidence: str = "",
    ) -> Stop:
        now = self._clock.utc_now()
        return Stop(
            stop_id=self._ids.next("stop"),
            tenant_id=tenant_id,
            subject=subject,
            cause=cause,
            reason=reason,
            by=f"guard:{cause.value}",
            created_at=now,
            expires_at=end_of(now, policy.stop_for_s),
            evidence=evidence,
        )

    def end_keys(self, key_ids: frozenset[str]) -> None:
        """Ends what runs for keys that let nobody in any more."""
        for key_id in key_ids:
            self._ended_keys[key_id] = None
        while len(self._ended_keys) > ENDED_KEYS_MAX:
            self._ended_keys.popitem(last=False)
        for job in list(self._running.values()):
            if job.principal.key_id in key_ids:
                _end(job, Unauthenticated(_REVOKED))

    def end_suspended(self, tenants: TenantBook) -> None:
        """Ends what runs for tenants that were suspended; lets those begin again that are so no more."""
        self._suspended = frozenset(tenant.tenant_id for tenant in tenants.all() if not tenant.active)
        for job in list(self._running.values()):
            tenant_id = job.principal.tenant_id
            if tenant_id in self._suspended:
                _end(job, TenantSuspended(tenant_id))

    def _refuse_ended(self, by: Principal) -> None:
        if by.tenant_id in self._suspended:
            raise TenantSuspended(by.tenant_id)
        if by.key_id in self._ended_keys:
            if not self.lets_in(by.key_id):
                raise Unauthenticated(_REVOKED)
            del self._ended_keys[by.key_id]

    def _end_running(self, stop: Stop) -> None:
        for job in list(self._running.values()):
            covered = stop.subject.covers(_asking(job, job.plan.route.name))
            if covered and job.principal.tenant_id == stop.tenant_id:
                _end(job, _refusal(stop))


def _end(job: Job, error: InterchangeError) -> None:
    if job.halt is None:
        job.ended = error  # it waits before its first attempt
    else:
        job.halt(error)


def _nobody(_: str) -> bool:
    return False


def _asking(job: Job, route: str) -> StopSubject:
    who = job.attribution
    return StopSubject(
        agent_id=who.agent_id,
        session_id=who.session_id,
        user_id=who.user_id,
        key_id=job.principal.key_id,
        workflow_id=who.workflow_id,
        route=route,
    )


def _looped(rule: RepeatedCallRule, repeated: Repeated, tail: ConversationTail) -> tuple[StopCause, str, str]:
    same = "the same arguments and the same result" if rule.same_result else "the same arguments"
    name = repeated.call.name[:TOOL_NAME_CHARS_MAX]
    reason = (
        f"the tool {name!r} was called {repeated.times} times with {same}, "
        f"within the last {rule.window} calls"
    )
    evidence = evidence_of(mark_of(repeated.call), tail.messages)
    return StopCause.REPEATED_TOOL_CALL, reason, evidence


def _refusal(stop: Stop) -> AgentStopped:
    expires_at = None if stop.expires_at is None else stop.expires_at.isoformat()
    return AgentStopped(
        refusal_text(stop),
        details={"stop_id": stop.stop_id, "cause": stop.cause.value, "expires_at": expires_at},
    )
