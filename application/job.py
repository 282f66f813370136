"""One request on its way: what was asked, what was decided, what has happened so far."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from application.cache_course import CacheCourse
from application.copied_request import Copies, ShadowOf
from application.hold import Hold
from application.limit_charge import LimitCharge
from application.protection import Protection
from domain.analytics.event import AttemptEvent
from domain.errors import InterchangeError
from domain.llm.request import LlmRequest
from domain.residency.place import ANYWHERE, Residency
from domain.routing.conversation import Conversation
from domain.routing.live import LiveState
from domain.routing.plan import Plan
from domain.routing.requirements import Requirements
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline
from domain.tracing.active import ActiveTrace, TraceContext


@dataclass(slots=True)
class Attribution:
    """Who and what the caller says this call is for. Bounded texts; they may only narrow a key's rights."""

    agent_id: str = ""
    user_id: str = ""
    session_id: str = ""
    workflow_id: str = ""
    client_request_id: str = ""
    metadata: str = ""
    trace: TraceContext | None = None
    """The trace the caller says this belongs to."""


@dataclass(
    slots=True
)  # not `kw_only`: looking up so many defaults by name would take longer than all the rest
class Job:
    """Mutable state of one request; owned by one task, thrown away after it was recorded.

    Times are monotonic seconds, `started_at_us` is UTC epoch microseconds.
    """

    request_id: str
    principal: Principal
    request: LlmRequest
    requirements: Requirements
    plan: Plan
    attribution: Attribution
    started: float
    started_at_us: int
    deadline: Deadline
    entry_s: float = 0.0
    """From its head to `started`."""
    admit_s: float = 0.0
    """Limits and inspectors, `queue_s` included."""
    queue_s: float = 0.0
    """Waiting for units of a rate limit."""
    cache_s: float = 0.0
    """Looking for its answer in caches."""
    plan_s: float = 0.0
    hold_s: float = 0.0
    """Holding money, for all attempts."""
    upstream_s: float = 0.0
    attempts: list[AttemptEvent] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    """Money held for its attempts whose rows are not recorded yet."""
    paid_before: bool = False
    """Whether the charge of an earlier request stands for its attempts too, because the provider bills both
    once: hard budgets hold nothing for it."""
    budget_left_nano_usd: int | None = None
    """What is left of the tightest hard budget it concerns, as far as this instance knows."""
    max_tokens_set: int | None = None
    """The limit on the answer that a route or a budget put in, where the caller had none or a larger one."""
    cut_to_budget: bool = False
    """Whether that limit is lower than the caller and the route set it, because a budget affords no more."""
    switched_by: str = ""
    """The budget that put it on another route than was asked for."""
    skipped: int = 0
    """Targets passed over without a call, because a breaker closed them meanwhile."""
    breaker_skips: int = 0
    """Those of them whose own breaker was open."""
    left_out: str = ""
    """Why no target was planned, `reason=count` comma separated, where its refusal says so."""
    dropped: tuple[str, ...] = ()
    answered_by: Target | None = None
    via: str = ""
    credential: str = ""
    """Which of the provider's keys answered, by its id; empty: the only one."""
    callers_provider: str = ""
    """The one provider that gets the caller's own credential; empty: none does."""
    own_only: bool = False
    """Whether only that provider, with that credential, may answer."""
    first_token_s: float | None = None
    continued: bool = False
    response_bytes: int = 0
    chunks: int = 0
    """Blocks of its stream that were delivered."""
    gap_max_s: float = -1.0
    """The longest pause between two blocks as they came; below 0: there were not two."""
    texts: list[str] = field(default_factory=list)
    """Delivered text, kept only by faces whose closing event repeats the whole answer."""
    finish_reason: str = ""
    affinity: str = ""
    """What the warm prompt cache of this conversation did to the choice (see `RequestEvent`)."""
    reason: str = ""
    conversation: Conversation | None = None
    """Which conversation this continues, where that was asked: only when there was a choice of targets."""
    live: LiveState | None = None
    """The live state the plan was made with."""
    route: Route | None = None
    """Where it goes, as soon as that is known."""
    residency: Residency = ANYWHERE
    """Where its content may be."""
    may_store: bool = True
    """Whether Interchange's own store may keep its content."""
    protections: list[Protection] = field(default_factory=list)
    """What is still to be done with its answer by those who looked at the request, in their order."""
    guardrail_warnings: tuple[str, ...] = ()
    """Names of guardrails that object to it without stopping it."""
    objections: tuple[str, ...] = ()
    """Names of all guardrails that object to it or to its answer, each once."""
    privacy: dict[str, int] | None = None
    """What privacy policies did to it: `action:KIND`, how often. None: none of them reads it."""
    course: CacheCourse | None = None
    """What the cache knows of it; None: it takes no part."""
    cache: str = "off"
    """What the cache did: off, bypass, miss, observe, or hit-…; or refresh, audit, shadow: beside callers."""
    saved_nano_usd: int | None = 0
    """What an earlier or shared answer saved; None: nobody knows what it cost."""
    reused_tokens: tuple[int, int] = (0, 0)
    """Read and written for the earlier or shared answer, by whoever paid for it."""
    similarity: float | None = None
    """Of the question that was answered before, where it was not the same."""
    limited: LimitCharge | None = None
    """What it took from rate limits; None: none concerns it, or it was not let through."""
    recording: bool = False
    """Whether its prompt or answer is kept, because its route or key asks for that."""
    recorded: bool = False
    halt: Callable[[InterchangeError], None] | None = None
    """Ends the answer with that error, now; None: it cannot be ended from outside at the moment."""
    ended: InterchangeError | None = None
    """Why it is not to begin after all: told while it could not be ended from outside."""
    trace: bool = False
    """Whether the caller asked to see the decision in a header."""
    tracing: ActiveTrace | None = None
    """The trace it belongs to; None: nobody traces."""
    cache_further: tuple[float, float] | None = None
    """From when to when its answer was looked for beyond this process's memory; None: it was not."""
    experiment: str = ""
    """Id of the experiment it takes part in; empty: none."""
    arm: str = ""
    """The experiment's arm it is answered in."""
    arm_memory: str = ""
    """Whose memory of conversations it has: that of an arm, also where it does not count; empty: the
    route's."""
    cache_write: tuple[float, float] | None = None
    """From when to when its answer was put into the cache; None: it was not."""
    copies: Copies | None = None
    """Who sends it to shadows when it is over; None: nobody does."""
    shadow: ShadowOf | None = None
    """The shadow that this is the copy for; None: somebody waits for the answer."""

    @property
    def cost_nano_usd(self) -> int | None:
        """The bill of all attempts; None when any of them has an unknown cost."""
        attempts = self.attempts
        if len(attempts) == 1:
            return attempts[0].cost_nano_usd
        total = 0
        for attempt in attempts:
            if attempt.cost_nano_usd is None:
                return None
            total += attempt.cost_nano_usd
        return total

    def objected(self, guardrails: Iterable[str]) -> None:
        """Takes the names of guardrails that object, whatever follows from that."""
        self.objections = tuple(dict.fromkeys((*self.objections, *guardrails)))

    @property
    def cost_estimated(self) -> bool:
        attempts = self.attempts
        if len(attempts) == 1:
            return attempts[0].estimated
        return any(attempt.estimated for attempt in attempts)

    @property
    def fallbacks(self) -> int:
        """How many other targets were tried or passed over before the one that answered."""
        first = self.plan.targets[0] if self.plan.targets else None
        if len(self.attempts) <= 1 and self.answered_by is first:
            return 0
        tried = {(attempt.provider, attempt.model) for attempt in self.attempts}
        if self.answered_by is not None:
            # A stream's attempt has its row only when it ends.
            tried.add((self.answered_by.provider, self.answered_by.model))
        return max(0, len(tried) - 1) + (self.skipped if first is not self.answered_by else 0)
