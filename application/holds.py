"""Money around an attempt: held at its worst cost before it is sent, settled with its row, once.

A hold is open from `begin` until `settle` (or `drop`, when nothing was sent). Its place on the board is freed
only when the attempt's row is in the journal (`recorded`), so that a death in between leaves either a row or
an open hold, and at worst both, which are one charge.
"""

import logging
from typing import Final

from application.budget_book import BudgetBook, Concerned
from application.hold import Hold
from application.job import Job
from application.lease_book import LeaseBook
from application.ports.hold_board import HoldBoard
from application.ports.llm import CALLER
from application.ports.system import Clock
from application.prefix_counts import PrefixCounts
from application.tenure import NoRoom, Tenure
from domain.budgets.alerts import reached
from domain.budgets.budget import Account
from domain.budgets.lease import Lease
from domain.budgets.output_limit import affordable_output_tokens, with_max_output
from domain.budgets.posting import HoldOutcome, Posting, posting_text
from domain.budgets.refusal import exceeded, unbounded
from domain.budgets.reserve import leaves_reserve
from domain.budgets.scope import Spender
from domain.budgets.token_bounds import KnownPrefix, Unbounded
from domain.budgets.usual_bound import UsualBounds
from domain.budgets.worst_case import Bound, worst_attempt_cost
from domain.errors import BudgetExceeded, CostUnbounded, InterchangeError
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Target

log = logging.getLogger("interchange")

SET_ASIDE_WITHIN_S: Final = 10.0
"""How long what nobody waits for may look for room."""
SHORT_OF_ROOM: Final = 64
"""Room for fewer requests than this: what providers counted of conversations is remembered then."""
_SOFT_HOLDER: Final = "-"


class BudgetHolds:
    """Belongs to one event loop. Costs nothing while there are no budgets."""

    def __init__(
        self,
        book: BudgetBook,
        leases: LeaseBook,
        board: HoldBoard,
        clock: Clock,
        *,
        prefixes: PrefixCounts | None = None,
    ) -> None:
        self.book = book
        self._prefixes = prefixes
        self.leases = leases
        self._board = board
        self._clock = clock
        self._bounds = UsualBounds()
        self.beyond_bound = 0
        """Bills that were higher than their bound: a wrong price or bound, worth an alarm."""
        self.refusals: dict[str, int] = {}
        """By budget: requests it had no room for."""

    def concerned(self, job: Job, target: Target | None, credential: str = "") -> Concerned | None:
        """The accounts of an attempt at this target; None: nobody counts it."""
        if self.book.empty or credential == CALLER or job.request.operation is Operation.COUNT_TOKENS:
            return None
        found = self._accounts(spender_of(job, target))
        return found if found.hard or found.soft else None

    def _accounts(self, spender: Spender) -> Concerned:
        now_us = self._clock.utc_us()
        known = self.book.known(spender, now_us)
        return self.book.concerning(spender, self._clock.utc_now(), now_us) if known is None else known

    async def begin(
        self, job: Job, target: Target, credential: str, request: LlmRequest, more_bytes: int = 0
    ) -> tuple[Hold | None, LlmRequest]:
        """Holds the worst cost of sending `request`; None: no budget counts it.

        The request that comes back is the one to send: with a shorter answer, where a budget may cut it.

        Raises:
            BudgetExceeded, CostUnbounded: nothing is held.
            StoreUnavailable: the ledger cannot be asked and slices are used up, or no place is left.
        """
        concerned = self.concerned(job, target, credential)
        if concerned is None:
            return None, request
        monotonic = self._clock.monotonic()
        if concerned.soft:
            self.leases.watch(concerned.soft, monotonic)
        hard = concerned.hard
        if not hard or job.paid_before:
            return self._uncounted(concerned), request
        bound = self._bounds.worst(request, target, more_bytes)
        if isinstance(bound, Unbounded):
            self._refused(job, hard[0])
            raise unbounded(hard[0], f"{bound.reason}; {bound.remedy}", scope=self._scope(hard[0]))
        amount: int = bound.nano_usd
        if job.shadow is not None:
            self._spare(job, hard, amount)
        taken = self.leases.try_take(hard, amount, monotonic)
        known: KnownPrefix | None = None
        if taken is None and self._prefixes is not None:
            # Looking is dearer than holding by bytes, and only pays where room is short.
            known = self._prefixes.known(job.principal.tenant_id, request, target)
            closer = worst_attempt_cost(request, target, known_prefix=known, more_bytes=more_bytes)
            if isinstance(closer, Bound) and closer.nano_usd < amount:
                amount = closer.nano_usd
                taken = self.leases.try_take(hard, amount, monotonic)
        if taken is None:
            try:
                taken = await self.leases.take(hard, amount, job.deadline.remaining_s(monotonic))
            except NoRoom as full:
                shorter = self._shorter(job, target, request, full, more_bytes, known)
                if shorter is None:
                    raise self._no_room(job, full, amount) from None
                # What was affordable a moment ago; somebody else may have been faster.
                return await self._cut(job, target, hard, concerned, shorter, more_bytes, known)
        return self._opened(job, concerned, amount, taken), request

    def counted(self, job: Job, target: Target, credential: str = "") -> Hold | None:
        """For a row whose bill hard budgets learn another way: only soft ones count it. None: none does."""
        concerned = self.concerned(job, target, credential)
        return None if concerned is None or not concerned.soft else self._uncounted(concerned)

    def _uncounted(self, concerned: Concerned) -> Hold:
        return Hold(self, concerned.only_soft, 0)

    async def set_aside(self, job: Job, target: Target, amount: int, attempt_id: str) -> Hold | None:
        """Holds an amount under an id of its own; None: no hard budget concerns the job.

        Whoever calls it posts the hold's charge, and then calls `posted`.

        Raises BudgetExceeded or StoreUnavailable: nothing is held.
        """
        concerned = self.concerned(job, target)
        if concerned is None or not concerned.hard:
            return None
        try:
            taken = await self.leases.take(concerned.hard, amount, SET_ASIDE_WITHIN_S)
        except NoRoom as full:
            raise self._no_room(job, full, amount) from None
        return self._opened(job, concerned.only_hard, amount, taken, attempt_id)

    def unbounded(self, job: Job, target: Target, reason: str) -> CostUnbounded | None:
        """The refusal of what has no highest cost; None: no hard budget concerns the job."""
        concerned = self.concerned(job, target)
        if concerned is None or not concerned.hard:
            return None
        self._refused(job, concerned.hard[0])
        return unbounded(concerned.hard[0], reason, scope=self._scope(concerned.hard[0]))

    def posted(self, hold: Hold) -> None:
        """The charge of what was set aside is in the ledger: nothing is left to do here. Idempotent."""
        self.settle(hold, HoldOutcome.UNRESOLVED, hold.amount, 0)
        for lease in hold.leases:
            lease.posted_total += hold.amount
        self._free(hold)

    @staticmethod
    def _shorter(
        job: Job,
        target: Target,
        request: LlmRequest,
        full: NoRoom,
        more_bytes: int,
        known: KnownPrefix | None,
    ) -> LlmRequest | None:
        """The request with the longest answer that the account without room still affords."""
        if not job.plan.route.clamp_to_budget:
            return None
        room = full.state.free_nano_usd + full.at_hand
        tokens = affordable_output_tokens(request, target, room, known_prefix=known, more_bytes=more_bytes)
        return None if tokens is None else with_max_output(request, tokens)

    async def _cut(
        self,
        job: Job,
        target: Target,
        hard: tuple[Account, ...],
        concerned: Concerned,
        request: LlmRequest,
        more_bytes: int,
        known: KnownPrefix | None,
    ) -> tuple[Hold, LlmRequest]:
        bound = worst_attempt_cost(request, target, known_prefix=known, more_bytes=more_bytes)
        assert isinstance(bound, Bound), "an affordable answer has a bound"
        try:
            taken = await self.leases.take(hard, bound.nano_usd, 0.0)
        except NoRoom as full:
            raise self._no_room(job, full, bound.nano_usd) from None
        return self._opened(job, concerned, bound.nano_usd, taken), request

    def _opened(
        self,
        job: Job,
        concerned: Concerned,
        amount: int,
        taken: tuple[Tenure, list[Lease]],
        attempt_id: str = "",
    ) -> Hold:
        hold = Hold(self, concerned, amount)
        hold.tenure, hold.leases = taken
        hold.attempt_id = attempt_id or f"{job.request_id}.{len(job.attempts)}"
        try:
            group = taken[0].group(concerned.hard_ids, concerned.soft_ids)
            hold.place = self._board.put(hold.attempt_id, amount, group)
        except InterchangeError:
            self.drop(hold)
            raise
        job.holds.append(hold)
        return hold

    def drop(self, hold: Hold) -> None:
        """Nothing was sent: as if it had never been held. Idempotent."""
        if not hold.open:
            return
        hold.open = False
        now = self._clock.monotonic()
        for lease in hold.leases:
            lease.settle(hold.amount, 0, now)
        self._free(hold)

    def settle(self, hold: Hold, outcome: HoldOutcome, charged: int, cost: int) -> str:
        """Called by `Hold.settle`."""
        if hold.open:
            hold.open = False
            now = self._clock.monotonic()
            for lease in hold.leases:
                lease.settle(hold.amount, charged, now)
            if charged > hold.amount and hold.leases:
                self.beyond_bound += 1
        tenure = hold.tenure
        return posting_text(
            outcome,
            charged,
            hold.amount,
            cost,
            _SOFT_HOLDER if tenure is None else tenure.holder,
            _SOFT_HOLDER if tenure is None else tenure.payer,
            hold.concerned.hard_ids,
            hold.concerned.soft_ids,
        )

    def recorded(self, job: Job) -> None:
        """The job's rows are in the journal: its places are free, and it knows what its budgets have left.

        A hold that nobody settled stays where it is: what it was for may have been billed, and has no row.
        """
        if job.budget_left_nano_usd is None:
            self.tell_left(job)
        last = job.holds[-1] if job.holds else None
        left = job.budget_left_nano_usd
        for hold in job.holds:
            if hold.open:
                log.error("an attempt of request %s ended without a row; its hold stays", job.request_id)
            else:
                self._free(hold)
        # A closer bound is worth its price only where room may become short.
        short = last is not None and last.amount and (left is None or left < SHORT_OF_ROOM * last.amount)
        if short and self._prefixes is not None:
            self._prefixes.answered(job)
        job.holds.clear()

    def abandoned(self, job: Job) -> None:
        """The job ends without a row: what it held for nothing that was sent is free at once.

        What was sent stays on the board, as charged as it was: the row of another request, or whoever
        recovers the board, tells what became of it.
        """
        for hold in job.holds:
            if hold.open:
                self.drop(hold)
        job.holds.clear()

    def _free(self, hold: Hold) -> None:
        if hold.place is not None:
            self._board.clear(hold.place)
            hold.place = None
        if hold.tenure is not None and hold.leases:
            self.leases.recorded(hold.tenure)
            hold.leases = []

    def _no_room(self, job: Job, full: NoRoom, needed_nano_usd: int) -> BudgetExceeded:
        self._refused(job, full.account)
        return exceeded(
            full.account,
            full.state,
            needed_nano_usd,
            scope=self._scope(full.account),
            figures=full.account.tenant_id == job.principal.tenant_id,
        )

    def _spare(self, job: Job, hard: tuple[Account, ...], needed_nano_usd: int) -> None:
        """Raises BudgetExceeded where a call that nobody asked for would take what is kept for callers, as
        far as the ledger told."""
        for account in hard:
            state = self.leases.state(account.account_id)
            if state is None:
                continue
            at_hand = self.leases.at_hand(account.account_id)
            if not leaves_reserve(account.limit_nano_usd, state.free_nano_usd + at_hand, needed_nano_usd):
                raise self._no_room(job, NoRoom(account, state, needed_nano_usd, at_hand), needed_nano_usd)

    def _scope(self, account: Account) -> str:
        """What the account's budget counts, for people."""
        budgets = (each for each in self.book.budgets if each.budget_id == account.budget_id)
        return next((budget.scope.describe() for budget in budgets), "")

    def _refused(self, job: Job, account: Account) -> None:
        if job.shadow is not None:
            return  # no caller was refused
        self.refusals[account.budget_id] = self.refusals.get(account.budget_id, 0) + 1

    # What requests are told

    def switch(self, job: Job) -> Account | None:
        """The budget near its end that wants this request on another route; None: as asked."""
        if not self.book.switches:
            return None
        found = self._accounts(spender_of(job, None))
        for account in found.accounts:
            if account.switch is None:
                continue
            state = self.leases.state(account.account_id)
            at = account.switch.at_basis_points
            if state is not None and reached(state.committed_nano_usd, account.limit_nano_usd, at):
                return account
        return None

    def tell_left(self, job: Job) -> None:
        """Notes in the job what is left of the tightest hard budget that its last attempt was held on, as far
        as this instance was told. Nothing was held: nothing is noted."""
        hold = job.holds[-1] if job.holds else None
        if hold is None or hold.tenure is None:
            return
        tenant = job.principal.tenant_id
        # What several tenants have left together is told to none of them.
        least: int | None = None
        for account, lease in zip(hold.concerned.hard, hold.leases, strict=False):
            if account.tenant_id == tenant:
                rest = lease.rest
                if least is None or (rest is not None and rest < least):
                    least = rest
        job.budget_left_nano_usd = least


def charge_in_background(job: Job) -> Posting | None:
    """What hard budgets are charged for the attempt whose answer is still made when its request ends; None:
    nothing. For a stream, that attempt runs yet and has no row."""
    rows = job.attempts
    answered = rows[-1].attempt_id if rows and rows[-1].outcome == "ok" else f"{job.request_id}.{len(rows)}"
    held = (hold for hold in job.holds if hold.attempt_id == answered and hold.concerned.hard)
    return next((hold.charge for hold in held), None)


def spender_of(job: Job, target: Target | None) -> Spender:
    """On whose behalf, and with whom, an attempt of this job spends."""
    principal, who = job.principal, job.attribution
    return Spender(
        principal.tenant_id,
        principal.team,
        principal.project,
        principal.key_id,
        who.user_id,
        who.agent_id,
        who.session_id,
        who.workflow_id,
        "" if target is None else target.model,
        "" if target is None else target.provider,
    )
