"""One batch while this process runs it: what it has, what it may still do, and why it stops."""

import asyncio
from collections import Counter
from collections.abc import Callable

from application.ports.batch_store import BatchJournal
from domain.batch.batch import Batch, BatchProblem, LineCounts, StopReason
from domain.batch.pace import Pace
from domain.batch.progress import Progress, Record, TryEnded
from domain.batch.spending import Purse, Verdict
from domain.budgets.posting import Posting
from domain.errors import StoreUnavailable
from domain.money import format_usd

JOURNAL_RETRY_S = 1.0
ASKED_ONE_BY_ONE_S = 2.0
"""How long one line has for finding out whether a budget has room again."""


class BatchCounters:
    """Lines of all batches of this process by what became of them; for the metrics page."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        """`completed`, `failed`, `retried`, `unresolved`, `not_run`."""


class BatchRun:
    """Mutable; owned by one task and its children."""

    def __init__(self, batch: Batch, journal: BatchJournal, *, concurrency: int) -> None:
        self.batch = batch
        self.journal = journal
        self.progress = Progress()
        self.purse = Purse(batch.settings.budget_nano_usd)
        self.pace = Pace(concurrency)
        self.stop: StopReason | None = batch.stop
        self.stopped = asyncio.Event()
        self.nudged = asyncio.Event()
        """Somebody changed the batch in the store."""
        self.fresh = False
        """Whether this process itself began the batch, so that nothing can have been handed over before."""
        self.replayed = False
        """Whether `progress` holds what earlier processes wrote."""
        self.elsewhere = (0, 0)
        """Lines a provider's batch says it has answered and failed; their answers come when it ends."""
        self.recovered: dict[str, Posting] | None = None
        """What its tries are charged that died with earlier processes, by attempt; None: not looked up."""
        self.waiting_for = ""
        """Name of the budget without room that lines wait for; empty: none."""
        self.park: Callable[[int], None] = _nobody_waits
        """Told how many more lines only wait, so that other batches may use their places."""
        self.budget_pauses = 0
        """How often in a row it had none."""
        self._pause_ends = 0.0
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()

    def end(self, reason: StopReason, problem: BatchProblem | None = None) -> None:
        """No further line is begun; the first reason counts."""
        if self.stop is not None:
            return
        self.stop = reason
        if problem is not None:
            self.batch = self.batch.with_problem(problem)
        self.stopped.set()
        self._settled.set()

    async def sleep(self, seconds: float) -> None:
        """Waits, but not beyond the end of the batch."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            return

    def budget_is_full(self, name: str, until: float) -> None:
        """A budget of that name has no room; nothing is asked of it until then (monotonic seconds)."""
        self.waiting_for = name
        self.budget_pauses += 1
        self._pause_ends = until

    def budget_has_room(self) -> None:
        """A line was held and sent."""
        self.waiting_for = ""
        self.budget_pauses = 0
        self._pause_ends = 0.0

    async def past_budget(self, monotonic: Callable[[], float]) -> None:
        """Returns when a line may be tried: at once, or after the pause, one line after another."""
        while self.waiting_for and self.stop is None:
            left_s = self._pause_ends - monotonic()
            if left_s <= 0:
                # The others wait for what comes of this one.
                self._pause_ends = monotonic() + ASKED_ONE_BY_ONE_S
                return
            self.park(1)
            try:
                await self.sleep(left_s)
            finally:
                self.park(-1)

    def write(self, record: Record) -> None:
        """Puts a record into the journal and folds it. Raises StoreUnavailable; then neither."""
        self.journal.append(record)
        self.progress.take(record)

    async def write_in_the_end(self, record: Record) -> None:
        """As `write`, but keeps trying: an answer that was paid for is not given up for a full disk."""
        while True:
            try:
                self.write(record)
                return
            except StoreUnavailable:
                await asyncio.sleep(JOURNAL_RETRY_S)

    async def reserve(self, line: int, bound_nano_usd: int | None) -> bool:
        """Whether the budget bears a line of this bound; it is held then. Lines get their turn in order.

        False: the batch has stopped, or this line stops it.
        """
        async with self._turn:
            while self.stop is None:
                verdict = self.purse.judge(bound_nano_usd)
                if verdict is Verdict.YES:
                    self.purse.hold(bound_nano_usd)
                    return True
                if verdict is Verdict.NEVER:
                    self.end(StopReason.BUDGET, self._over_budget(line, bound_nano_usd))
                    return False
                self._settled.clear()
                await self._settled.wait()
            return False

    def settle(self, bound_nano_usd: int | None, cost_nano_usd: int | None) -> None:
        """A try has ended at this cost; None: unknown. 0 for one that was never sent."""
        self.purse.settle(bound_nano_usd, cost_nano_usd)
        self._settled.set()

    def _over_budget(self, line: int, bound_nano_usd: int | None) -> BatchProblem:
        spent, limit = self.purse.spent_nano_usd, self.purse.limit_nano_usd or 0
        could = "cannot be bounded" if bound_nano_usd is None else f"could be ${format_usd(bound_nano_usd)}"
        return BatchProblem(
            StopReason.BUDGET.value,
            f"stopped before line {line}, whose cost {could}: ${format_usd(spent)} of "
            f"${format_usd(limit)} is spent",
            line,
        )

    def counts(self) -> LineCounts:
        """Of the lines as they are now."""
        completed, failed = self.elsewhere
        return LineCounts(
            self.batch.counts.total,
            max(self.progress.completed, completed),
            max(self.progress.failed, failed),
        )


def _nobody_waits(lines: int) -> None:
    """Stands in until somebody counts lines that wait."""


def tries_cost(record: TryEnded) -> int | None:
    """What a try that was sent cost; None is unknown."""
    return None if record.event is None else record.event.cost_nano_usd
