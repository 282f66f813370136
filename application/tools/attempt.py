"""One call of a connector: its place, its breaker, its money, its row, whatever becomes of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from application.accounting import note_attempt
from application.hold import Hold
from application.holds import BudgetHolds
from application.job import Job
from application.ports.connector import Connector, ToolOutcome
from application.ports.system import Clock
from application.tools.book import BreakerTold, Open
from application.tools.ways import ToolWay
from domain.connectors.integration import Integration
from domain.errors import (
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
    ToolTimeout,
)
from domain.llm.failures import Failure, FailureKind
from domain.llm.usage import NO_USAGE
from domain.resilience.breaker import BreakerState, Permit, Refused

log = logging.getLogger("interchange")

Result = TypeVar("Result")
VIA: Final = "direct"
CHANGED_RETRY_S: Final = 0.5
NOTHING_SENT: Final[dict[str, object]] = {"repeatable": True}
"""Of a timeout before anything went out: trying again does nothing twice, whatever the tool."""
_NOTHING_SENT: Final = (InvalidParameters, ToolRefused, EgressRefused)
"""What says nothing about the health of the other side."""


class ToolAttempt:
    """`begin`, then `whole` or `run` and later `over`. Everything it took is given back exactly once."""

    def __init__(
        self,
        job: Job,
        entry: Open,
        way: ToolWay,
        connector: Connector,
        clock: Clock,
        on_breaker: BreakerTold,
    ) -> None:
        self.connector = connector
        self._job = job
        self._entry = entry
        self._way = way
        self._clock = clock
        self._on_breaker = on_breaker
        self._permit: Permit | None = None
        self._hold: Hold | None = None
        self._started = 0.0
        self._open = False

    async def begin(self, holds: BudgetHolds | None) -> None:
        """Takes a place, asks the breaker, holds the money. Raises IntegrationUnavailable, ToolTimeout,
        BudgetExceeded, StoreUnavailable; nothing is taken then."""
        entry, job = self._entry, self._job
        left_s = job.deadline.remaining_s(self._clock.monotonic())
        try:
            async with asyncio.timeout(left_s):
                await entry.bulkhead.enter(f"integration {entry.name!r}")
        except TimeoutError:
            raise ToolTimeout(
                f"no place at integration {entry.name!r} became free in time (max_concurrency)",
                details=NOTHING_SENT,
            ) from None
        try:
            if entry.over:
                raise IntegrationUnavailable(
                    f"integration {entry.name!r} was changed or taken away while the call waited",
                    retry_after_s=CHANGED_RETRY_S,
                )
            now = self._clock.monotonic()
            permit = entry.breaker.try_acquire(now=now)
            if isinstance(permit, Refused):
                job.breaker_skips += 1
                raise IntegrationUnavailable(
                    f"integration {entry.name!r} failed too often lately and is left alone for a while",
                    retry_after_s=permit.retry_after_s,
                )
            self._permit = permit
            try:
                if holds is not None:
                    self._hold, _ = await holds.begin(job, self._way.target, "", job.request)
                    job.hold_s += self._clock.monotonic() - now
            except BaseException:
                entry.breaker.forget(permit)
                raise
        except BaseException:
            entry.bulkhead.leave()
            raise
        entry.begin()
        self._open = True
        self._started = self._clock.monotonic()

    async def whole(self, call: Callable[[], Awaitable[ToolOutcome]]) -> ToolOutcome:
        """The call from its beginning to its end. Raises as `Connector.execute`, and ToolTimeout."""
        try:
            outcome = await self.run(call)
        except BaseException as error:
            self.over(error)
            raise
        self.over(None)
        return outcome

    async def run(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Awaits the call within what is left of the job's time; `over` has to follow."""
        left_s = self._job.deadline.remaining_s(self._clock.monotonic())
        try:
            async with asyncio.timeout(left_s):
                return await call()
        except TimeoutError:
            raise ToolTimeout(
                f"{self._way.target.id} took longer than {left_s:.3g} s and was cancelled",
                details={"repeatable": self._way.tool.repeatable},
            ) from None
        except InterchangeError:
            raise
        except Exception as error:
            # Whatever it says may hold what only its connector should know.
            log.exception("a connector of kind %s failed", self._entry.integration.kind.value)
            raise ToolFailed(f"{self._way.target.id} failed: {type(error).__name__}") from None

    def over(self, error: BaseException | None) -> None:
        """Settles everything. Idempotent."""
        if not self._open:
            return
        self._open = False
        entry, job = self._entry, self._job
        now = self._clock.monotonic()
        job.upstream_s += now - self._started
        try:
            self._note(error, now)
        finally:
            self._tell_breaker(error, now)
            entry.end()
            entry.bulkhead.leave()

    def _note(self, error: BaseException | None, now: float) -> None:
        job, target = self._job, self._way.target
        unknown = isinstance(error, ToolTimeout | asyncio.CancelledError)
        outcome, failure = "ok", None
        if isinstance(error, asyncio.CancelledError):
            outcome = "cancelled"
        elif error is not None:
            failure = failure_of(error)
            outcome = failure.kind.value
        else:
            job.finish_reason = "stop"
        job.answered_by, job.via = target, VIA
        note_attempt(
            job,
            target,
            via=VIA,
            outcome=outcome,
            started=self._started,
            ended=now,
            # A tool counts no tokens: its price, where it has one, is that of a call.
            usage=NO_USAGE if error is None or unknown else None,
            failure=failure,
            may_be_billed=unknown,
            hold=self._hold,
        )

    def _tell_breaker(self, error: BaseException | None, now: float) -> None:
        breaker, permit = self._entry.breaker, self._permit
        if permit is None:
            return
        before = breaker.state(now)
        if isinstance(error, (asyncio.CancelledError, *_NOTHING_SENT)):
            breaker.forget(permit)
        else:
            ok = error is None or (isinstance(error, ToolFailed) and not _is_ill(error))
            breaker.record(permit, ok=ok, now=now, slow=breaker.policy.is_slow(now - self._started))
        after = breaker.state(now)
        if (before is BreakerState.OPEN) != (after is BreakerState.OPEN) or (
            before is not BreakerState.CLOSED and after is BreakerState.CLOSED
        ):
            integration: Integration = self._entry.integration
            self._on_breaker(integration, after)


def _is_ill(error: ToolFailed) -> bool:
    """Whether a failure says that the other side is not well, not that it did not like the question."""
    status = error.details.get("status")
    return isinstance(status, int) and status >= 500


def failure_of(error: BaseException) -> Failure:
    """A call's error as its row tells it."""
    if not isinstance(error, InterchangeError):
        return Failure(kind=FailureKind.SERVER_ERROR, message=type(error).__name__)
    status = error.details.get("status")
    status = status if isinstance(status, int) else None
    if isinstance(error, ToolTimeout):
        kind = FailureKind.TIMEOUT
    elif isinstance(error, EgressRefused):
        kind = FailureKind.EGRESS_REFUSED
    elif isinstance(error, InvalidParameters | ToolRefused):
        kind = FailureKind.CALLER_FAULT
    elif isinstance(error, IntegrationUnavailable):
        kind = FailureKind.RATE_LIMIT if status == 429 else FailureKind.NETWORK
    else:
        kind = FailureKind.SERVER_ERROR if status is None or status >= 500 else FailureKind.CALLER_FAULT
    return Failure(
        kind=kind,
        message=error.message,
        status=status,
        retry_after_s=error.retry_after_s,
        sent=not isinstance(error, _NOTHING_SENT),
    )
