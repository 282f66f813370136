"""What the ledger suites act with: accounts, and a process that keeps its totals straight."""

from dataclasses import dataclass, field

from application.ports.ledger import Exchange, LeaseAnswer, LeaseLine, LedgerStore
from domain.budgets.budget import Account
from domain.budgets.posting import HoldOutcome, Posting

NOW_US = 1_772_368_215_123_456
"""2026-03-01 12:30:15 UTC."""
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
USD = 1_000_000_000


def account(
    name: str = "acc_one",
    limit: int = 100 * USD,
    *,
    tenant: str = "acme",
    subject: str = "",
    budget: str = "bud_one",
    rolling_us: int = 0,
    start_us: int = NOW_US - HOUR_US,
    end_us: int | None = NOW_US + DAY_US,
    hard: bool = True,
) -> Account:
    """An account of a day's budget, or of a sliding window."""
    return Account(
        account_id=name,
        budget_id=budget,
        tenant_id=tenant,
        name="Per agent",
        subject=subject,
        limit_nano_usd=limit,
        hard=hard,
        period="day",
        period_start_us=0 if rolling_us else start_us,
        period_end_us=None if rolling_us else end_us,
        rolling_us=rolling_us,
        alert_at=(),
    )


@dataclass
class Held:
    """A holder's totals of one account."""

    account: Account
    granted: int = 0
    returned: int = 0
    posted: int = 0

    @property
    def outstanding(self) -> int:
        return max(0, self.granted - self.returned - self.posted)


@dataclass
class Process:
    """A process with leases: as honest as a real one, it says what it returned and what it posted."""

    store: LedgerStore
    holder: str
    payer: str = ""
    leases: dict[str, Held] = field(default_factory=dict)

    async def open(self, now_us: int = NOW_US) -> "Process":
        self.payer = await self.store.open(self.holder, now_us)
        return self

    async def say(self, *lines: tuple[Account, int, int], now_us: int = NOW_US) -> Exchange:
        """One exchange about several accounts, each with its need and want; takes the answers."""
        exchange = await self.store.exchange(self.holder, [self.line(*each) for each in lines], now_us)
        for (about, _, _), answer in zip(lines, exchange.answers, strict=True):
            self.take(about, answer)
        return exchange

    async def get(self, about: Account, need: int, want: int = 0, now_us: int = NOW_US) -> bool:
        """Whether the need was granted."""
        return (await self.say((about, need, want), now_us=now_us)).refused is None

    async def look(self, about: Account, now_us: int = NOW_US) -> LeaseAnswer:
        """How the account stands; gives back what was marked, asks for nothing."""
        return (await self.say((about, 0, 0), now_us=now_us)).answers[0]

    async def give_back(self, about: Account, amount: int, now_us: int = NOW_US) -> LeaseAnswer:
        self.of(about).returned += amount
        return await self.look(about, now_us)

    async def bill(
        self,
        attempt_id: str,
        charged: int,
        *accounts: Account,
        outcome: HoldOutcome = HoldOutcome.SETTLED,
        now_us: int = NOW_US,
    ) -> None:
        """Posts an attempt's charge on accounts; of the hard ones it had leases."""
        await self.store.post([self.posting(attempt_id, charged, *accounts, outcome=outcome)], now_us)
        for each in accounts:
            self.of(each).posted += charged

    def posting(
        self,
        attempt_id: str,
        charged: int,
        *accounts: Account,
        outcome: HoldOutcome = HoldOutcome.SETTLED,
        cost: int | None = None,
    ) -> Posting:
        return Posting(
            attempt_id=attempt_id,
            outcome=outcome,
            charged_nano_usd=charged,
            held_nano_usd=charged,
            cost_nano_usd=charged if cost is None else cost,
            holder=self.holder,
            payer=self.payer,
            leased=tuple(each.account_id for each in accounts if each.hard),
            soft=tuple(each.account_id for each in accounts if not each.hard),
        )

    def line(self, about: Account, need: int, want: int) -> LeaseLine:
        lease = self.of(about)
        return LeaseLine(about, lease.returned, lease.posted, need, want)

    def take(self, about: Account, answer: LeaseAnswer) -> None:
        lease = self.of(about)
        lease.granted = max(lease.granted, answer.granted_total)

    def of(self, about: Account) -> Held:
        return self.leases.setdefault(about.account_id, Held(about))
