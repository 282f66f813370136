"""Everything that makes and reports budgets, on stores in memory."""

from dataclasses import replace

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.budgets import InMemoryBudgetStore
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.ledger import InMemoryLedger
from adapters.memory.system import CountingIds, SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.budget_book import BudgetBook
from application.budget_format import to_us
from application.budget_rates import RecentSpending
from application.ports.ledger import LeaseLine
from application.use_cases.create_budgeted_key import CreateBudgetedKey
from application.use_cases.follow_budgets import FollowBudgets
from application.use_cases.manage_budgets import BudgetKeeping, ManageBudgets
from application.use_cases.manage_keys import CreateKey
from application.use_cases.report_budgets import ReportBudgets
from domain.budgets.budget import Budget, account_of
from domain.budgets.posting import HoldOutcome, Posting
from domain.budgets.scope import Spender
from domain.budgets.terms import BudgetTerms, make_budget
from domain.money import NANO_PER_USD
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT, permissions_of


def principal(tenant: str = "acme", role: str = "admin") -> Principal:
    return Principal(
        tenant_id=tenant,
        key_id="Key000000001",
        key_name="test",
        role=role,
        permissions=permissions_of(role, tenant),
    )


OPERATOR = principal(OPERATOR_TENANT, "owner")
ADMIN = principal()


def terms(**more: object) -> BudgetTerms:
    usual = BudgetTerms(name="daily", scope={"tenant": "acme"}, period="day", limit_usd="10", hard=True)
    return replace(usual, **more)  # type: ignore[arg-type]


class BudgetWorld:
    def __init__(self) -> None:
        self.store = InMemoryBudgetStore()
        self.keys = InMemoryKeyStore()
        self.ledger = InMemoryLedger()
        self.usage = InMemoryUsageLog()
        self.clock = SteppingClock()
        self.book = BudgetBook()
        self.recalls = 0
        self.follow = FollowBudgets(self.store, self.book, self._recalled)
        self.routes = {"cheap"}
        keeping = BudgetKeeping(
            declared=lambda: self.follow.declared,
            declared_in=lambda name: f"interchange.yaml:{len(name)}",
            first_alert=lambda: 0.5,
            route_exists=lambda name: name in self.routes,
            changed=self.follow.refresh,
        )
        self.manage = ManageBudgets(self.store, self.keys, self.clock, CountingIds(), keeping)
        self.report = ReportBudgets(
            self.manage, self.ledger, RecentSpending(self.usage), self.book, self.keys, self.clock
        )
        hasher = PepperedKeyHasher({1: b"p" * 32})
        self.create_key = CreateKey(self.keys, hasher, self.clock)
        self.create_budgeted_key = CreateBudgetedKey(self.create_key, self.manage)

    def _recalled(self) -> None:
        self.recalls += 1

    def declared(self, **more: object) -> Budget:
        made = make_budget(terms(**more), budget_id="file:daily", owner="", declared=True)
        return replace(made, owner=made.scope.tenant or OPERATOR_TENANT)

    async def spend(self, budget: Budget, spender: Spender, usd: float, *, attempt: str = "a") -> None:
        """As if an attempt had been held and billed."""
        account = account_of(budget, spender, self.clock.utc_now())
        assert account is not None
        now_us, amount = to_us(self.clock.utc_now()), int(usd * NANO_PER_USD)
        await self.ledger.open("h", now_us)
        await self.ledger.exchange("h", [LeaseLine(account, need=amount)], now_us)
        await self.ledger.post(
            [Posting(attempt, HoldOutcome.SETTLED, amount, amount, amount, "h", "h", (account.account_id,))],
            now_us,
        )
