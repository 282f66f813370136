"""Any interleaving of holds, answers that get lost, kills, recoveries and changing budgets keeps the ledger's
promises.

What must hold after every step, for every account:

- bounded: true bills never add up to more than the highest limit the account ever had;
- covered: whatever may have been spent or may still be spent without asking is counted in the ledger;
- granted within the limit: checked at every exchange (`ledger_model.Link`).

And at the end, once everything has ended and was recovered: nothing is leased, what was charged is what was
billed, and all that is left of the limit can be spent.
"""

import os
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.memory.ledger import InMemoryLedger
from application.ports.hold_board import AbandonedHolds
from application.tenure import NoRoom
from application.use_cases.recover_holds import RecoverHolds
from domain.budgets.budget import Account, Budget, account_of
from domain.budgets.period import make_period
from domain.budgets.posting import HoldOutcome
from domain.budgets.scope import Spender, make_scope
from domain.errors import StoreUnavailable
from tests.unit.budgets.ledger_model import Attempt, Charges, Computer, Link, WanderingClock, drive

LIMIT = 10_000
COMPUTERS_MAX = 4
DEEP = os.environ.get("INTERCHANGE_LEDGER_DEPTH") == "deep"
SPENDER = Spender("acme", agent="planner")


def budget(name: str, period: str, *, rolling: bool = False) -> Budget:
    return Budget(
        budget_id=f"bud_{name}",
        owner="acme",
        name=name,
        scope=make_scope({"tenant": "acme"} if name != "agent" else {"agent": "*"}),
        period=make_period(period, rolling=rolling),
        limit_nano_usd=LIMIT,
        hard=True,
    )


class LedgerHistories(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.ledger = InMemoryLedger()
        self.clock = WanderingClock()
        self.posted = Charges()
        self.budgets = [budget("all", "total"), budget("agent", "day"), budget("slide", "hour", rolling=True)]
        self.computers: list[Computer] = []
        self.graves: list[Computer] = []
        self.links: list[Link] = []
        self.made = 0
        self.sent = 0
        self.highest: dict[str, int] = {}
        self.accounts: dict[str, Account] = {}
        self.attempts: list[Attempt] = []
        self.lossy = False
        self.put_back_s = 0.0
        self.start()

    # Processes

    @precondition(lambda self: len(self.computers) < COMPUTERS_MAX)
    @rule()
    def start(self) -> None:
        self.made += 1
        self.links.append(Link(self.ledger, self.clock))
        self.computers.append(Computer(f"p{self.made}", self.clock, self.links[-1], self.posted))

    @precondition(lambda self: self.computers)
    @rule(data=st.data(), while_recording=st.booleans())
    def die(self, data: st.DataObject, while_recording: bool) -> None:
        computer = self._any(data)
        computer.die(while_recording=while_recording)
        self.computers.remove(computer)
        self.graves.append(computer)

    @precondition(lambda self: self.graves)
    @rule(data=st.data(), again=st.booleans(), lose=st.booleans())
    def recover(self, data: st.DataObject, again: bool, lose: bool) -> None:
        """Rows first, then holds; perhaps done twice, perhaps with a part of the journal lost."""
        grave = data.draw(st.sampled_from(self.graves), "grave")
        if lose and grave.journal:
            grave.lost.append(grave.journal.pop())
            self.lossy = True
        for _ in range(1 + again):
            self._bury(grave)
        self.graves.remove(grave)

    @precondition(lambda self: self.graves)
    @rule(data=st.data())
    def begin_to_recover(self, data: st.DataObject) -> None:
        """The heir dies after the rows, or after the holds."""
        grave = data.draw(st.sampled_from(self.graves), "grave")
        self._bury(grave, closes=False)

    # Attempts

    @precondition(lambda self: self.computers)
    @rule(
        data=st.data(),
        amount=st.one_of(st.integers(1, 60), st.integers(1, LIMIT // 2)),
        share=st.sampled_from([0, 1, 50, 99, 100]),
        which=st.sampled_from([(0,), (1,), (2,), (0, 1), (0, 2), (0, 1, 2)]),
    )
    def send(self, data: st.DataObject, amount: int, share: int, which: tuple[int, ...]) -> None:
        self.sent += 1
        accounts = self._accounts(which)
        try:
            sender = self._any(data)
            self.attempts.append(sender.send(f"a{self.sent}", accounts, amount, amount * share // 100))
        except (NoRoom, StoreUnavailable):
            return

    @precondition(lambda self: self.computers)
    @rule(data=st.data(), amount=st.integers(1, 500))
    def hold_without_sending(self, data: st.DataObject, amount: int) -> None:
        try:
            self._any(data).never_send(self._accounts((0, 2)), amount)
        except (NoRoom, StoreUnavailable):
            return

    @precondition(lambda self: any(c.open for c in self.computers))
    @rule(data=st.data(), known=st.booleans(), recorded=st.booleans())
    def settle(self, data: st.DataObject, known: bool, recorded: bool) -> None:
        computer = data.draw(st.sampled_from([c for c in self.computers if c.open]), "computer")
        attempt = data.draw(st.sampled_from(computer.open), "attempt")
        if attempt.outcome is None:
            computer.settle(attempt, known=known)
        if recorded:
            computer.record(attempt)

    @precondition(lambda self: self.computers)
    @rule(data=st.data())
    def flush(self, data: st.DataObject) -> None:
        try:
            drive(self._any(data).flush())
        except StoreUnavailable:
            return

    @precondition(lambda self: self.computers)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        drive(self._any(data).book.look())

    # The ledger

    @precondition(lambda self: self.computers)
    @rule(data=st.data(), mode=st.sampled_from(["up", "up", "down", "mute", "late"]))
    def connect(self, data: st.DataObject, mode: str) -> None:
        self._any(data).link.mode = mode

    @precondition(lambda self: any(link.late for link in self.links))
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Perhaps long after its sender died and was recovered."""
        late = [link for link in self.links if link.late]
        drive(data.draw(st.sampled_from(late), "link").deliver())

    @rule()
    def give_up_lost(self) -> None:
        now_us = self.clock.now_us
        drive(self.ledger.give_up_lost(now_us - 30_000_000, now_us - 600_000_000, now_us))

    @precondition(lambda self: self.posted.unresolved)
    @rule(data=st.data(), by_deadline=st.booleans())
    def resolve(self, data: st.DataObject, by_deadline: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.posted.unresolved)), "attempt")
        self._resolve(name, None if by_deadline else self.posted.unresolved[name].bill)

    @rule(which=st.integers(0, 2), limit=st.sampled_from([0, 50, LIMIT // 2, LIMIT, 2 * LIMIT]))
    def change_limit(self, which: int, limit: int) -> None:
        self.budgets[which] = replace(self.budgets[which], limit_nano_usd=limit)
        for account_id, account in self.accounts.items():
            if account.budget_id == self.budgets[which].budget_id:
                self.highest[account_id] = max(self.highest[account_id], limit)

    @precondition(lambda self: self.computers)
    @rule(data=st.data())
    def reload(self, data: st.DataObject) -> None:
        self._any(data).book.recall(self.budgets)

    @rule()
    def fall_silent(self) -> None:
        """Everybody seems lost for a moment."""
        self.wait(45.0)
        self.give_up_lost()

    # Time

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 20.0, 40.0, 700.0, 2000.0, 3700.0, 90_000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.posted.latest_us = max(self.posted.latest_us, self.clock.now_us)

    @rule(seconds=st.sampled_from([1.0, 45.0, 4000.0]))
    def put_clock_back(self, seconds: float) -> None:
        self.clock.put_back(seconds)
        self.put_back_s += seconds

    # What must hold

    @invariant()
    def bills_are_bounded(self) -> None:
        for account_id, account in self.accounts.items():
            billed = sum(
                attempt.bill
                for attempt in self._sent_on(account_id)
                if not self.posted.has(attempt) or self.posted.still_counting(account, attempt.attempt_id)
            )
            assert billed <= self.highest[account_id], f"{account_id} overspent: {billed}"

    @invariant()
    def whatever_may_be_spent_is_counted(self) -> None:
        for account_id in self.accounts:
            if account_id not in self.ledger.ledger.books:
                continue
            state = self.ledger.ledger.books[account_id].state(account_id)
            counted = state.committed_nano_usd + state.leased_nano_usd
            assert counted >= self._possible(account_id), (account_id, state, self._possible(account_id))

    def teardown(self) -> None:
        if not hasattr(self, "computers"):
            return
        for grave in self.graves:
            self._bury(grave)
        for link in self.links:
            while link.late:
                drive(link.deliver())
        for computer in self.computers:
            computer.link.mode = "up"
            for attempt in list(computer.open):
                if attempt.outcome is None:
                    computer.settle(attempt, known=True)
                computer.record(attempt)
        for _ in range(8):
            self.clock.advance(5.0)
            for computer in self.computers:
                drive(computer.flush())
                drive(computer.book.look())
        self._everybody_can_go_on()
        if self.lossy:
            self.clock.advance(1000.0 + self.put_back_s)
            for computer in self.computers:
                drive(computer.book.look())
            self.give_up_lost()
        self._nothing_is_leased("while processes are idle")
        for computer in self.computers:
            drive(computer.book.aclose())
            assert computer.board.abandoned() == AbandonedHolds((), [])
        self._nothing_is_leased("after all have ended")
        self._charged_is_billed()
        self._the_rest_can_be_spent()

    def _everybody_can_go_on(self) -> None:
        untouched = account_of(budget("fresh", "total"), SPENDER, self.clock.utc_now())
        assert untouched is not None
        self.accounts[untouched.account_id] = untouched
        for computer in self.computers:
            computer.never_send((untouched,), 1)
        for _ in range(4):
            self.clock.advance(5.0)
            for computer in self.computers:
                drive(computer.book.look())

    def _nothing_is_leased(self, when: str) -> None:
        for account_id, books in self.ledger.ledger.books.items():
            assert books.leased == 0, f"{books.leased} of {account_id} are leased {when}"

    def _charged_is_billed(self) -> None:
        for name in sorted(self.posted.unresolved):
            self._resolve(name, self.posted.unresolved[name].bill)
        for account_id, account in self.accounts.items():
            if account.rolling_us or account_id not in self.ledger.ledger.books:
                continue
            state = self.ledger.ledger.books[account_id].state(account_id)
            charged = sum(self.posted.of.get(account_id, {}).values())
            if self.lossy:
                assert state.committed_nano_usd >= charged
            else:
                assert (state.spent_nano_usd, state.unresolved_nano_usd) == (charged, 0), account_id

    def _the_rest_can_be_spent(self) -> None:
        for which in range(3):
            (account,) = self._accounts((which,))
            fresh = Computer(f"fresh{which}", self.clock, Link(self.ledger, self.clock), self.posted)
            books = self.ledger.ledger.books.get(account.account_id)
            committed = 0 if books is None else books.state(account.account_id).committed_nano_usd
            if account.limit_nano_usd > committed and not (account.rolling_us and committed):
                fresh.send(f"rest{which}", (account,), account.limit_nano_usd - committed, 0)

    # Parts

    def _any(self, data: st.DataObject) -> Computer:
        return data.draw(st.sampled_from(self.computers), "computer")

    def _accounts(self, which: tuple[int, ...]) -> tuple[Account, ...]:
        accounts = []
        for number in which:
            account = account_of(self.budgets[number], SPENDER, self.clock.utc_now())
            assert account is not None
            limit = self.highest.get(account.account_id, 0)
            self.highest[account.account_id] = max(limit, account.limit_nano_usd)
            self.accounts[account.account_id] = account
            accounts.append(account)
        return tuple(accounts)

    def _sent_on(self, account_id: str) -> list[Attempt]:
        return [each for each in self.attempts if any(a.account_id == account_id for a in each.accounts)]

    def _possible(self, account_id: str) -> int:
        """What was or may have been spent, and what may still be without asking."""
        possible = sum(computer.at_hand(account_id) for computer in self.computers)
        for attempt in self._sent_on(account_id):
            if not self.posted.has(attempt):
                possible += attempt.counts_for
            elif self.posted.still_counting(self.accounts[account_id], attempt.attempt_id):
                possible += self.posted.of[account_id][attempt.attempt_id]
        return possible

    def _bury(self, grave: Computer, *, closes: bool = True) -> None:
        now_us = self.clock.now_us
        drive(self.posted.post(self.ledger, grave.journal, now_us))
        found = grave.board.abandoned()
        if not closes:
            found = found._replace(holders=())
        drive(RecoverHolds([self.ledger], self.clock)(found._replace(damaged=bool(grave.lost))))
        for attempt in [] if grave.lost else grave.open:
            self.posted.note(attempt, HoldOutcome.UNRESOLVED, attempt.amount, now_us)

    def _resolve(self, name: str, bill: int | None) -> None:
        attempt = self.posted.unresolved[name]
        now_us = self.clock.now_us
        assert drive(self.ledger.resolve(name, bill, now_us)) == len(attempt.accounts)
        self.posted.note(attempt, HoldOutcome.SETTLED, attempt.amount if bill is None else bill, now_us)


TestLedgerHistories = LedgerHistories.TestCase
TestLedgerHistories.settings = settings(
    max_examples=20_000 if DEEP else 500,
    stateful_step_count=80 if DEEP else 50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
