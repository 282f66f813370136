"""Which budgets there are now, compiled for requests to look at."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from domain.budgets.budget import Account, Budget, account_of
from domain.budgets.scope import Dimension, Spender
from domain.budgets.terms import names_one

REMEMBERED_MAX = 20_000
"""Spenders whose accounts are remembered; who comes after the oldest is looked up again."""

KEYS_MAX: Final = 5_000
"""Keys whose budgets are remembered."""


class Concerned(NamedTuple):
    """Which accounts an attempt concerns, in a fixed order, with their ids."""

    hard: tuple[Account, ...]
    soft: tuple[Account, ...]
    hard_ids: tuple[str, ...]
    soft_ids: tuple[str, ...]

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> "Concerned":
        """Told apart once: requests of the same spender share it."""
        ordered = sorted(accounts)
        hard = tuple(account for account in ordered if account.hard)
        soft = tuple(account for account in ordered if not account.hard)
        return cls(hard, soft, _ids(hard), _ids(soft))

    @property
    def accounts(self) -> tuple[Account, ...]:
        return self.hard + self.soft

    @property
    def only_soft(self) -> "Concerned":
        return self._replace(hard=(), hard_ids=())

    @property
    def only_hard(self) -> "Concerned":
        return self._replace(soft=(), soft_ids=())


class BudgetBook:
    """`replace` puts another set of budgets in place; requests see it from then on."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self.budgets: tuple[Budget, ...] = ()
        self.generation = 0
        self.empty = True
        """Whether there is none at all. An attribute, because every attempt asks."""
        self.switches = False
        """Whether any budget moves requests to another route."""
        self._by_key: dict[tuple[str, str], tuple[Budget, ...]] = {}
        self._known: OrderedDict[Spender, tuple[int, Concerned]] = OrderedDict()
        self.replace(budgets)

    def replace(self, budgets: Iterable[Budget]) -> bool:
        """Whether that changed anything."""
        wanted = tuple(budgets)
        if wanted == self.budgets:
            return False
        self.budgets = wanted
        self.empty = not wanted
        self.generation += 1
        self.switches = any(budget.switch is not None for budget in wanted)
        self._by_key = {}
        self._known = OrderedDict()
        return True

    def known(self, spender: Spender, now_us: int) -> Concerned | None:
        """What `concerning` would say, where that is remembered: no date is needed for it."""
        known = self._known.get(spender)
        return known[1] if known is not None and now_us < known[0] else None

    def concerning(self, spender: Spender, now: datetime, now_us: int) -> Concerned:
        """The accounts an attempt of this spender concerns at `now`."""
        known = self._known.get(spender)
        if known is not None and now_us < known[0]:
            return known[1]
        accounts = [
            account
            for budget in self._of(spender)
            if (account := account_of(budget, spender, now)) is not None
        ]
        ends = [account.period_end_us for account in accounts if account.period_end_us is not None]
        starts = [account.period_start_us for account in accounts]
        # Remembered until the first period ends; a clock that was put back finds nothing remembered wrongly
        # for longer than that, because each account is bounded for itself.
        until = min(ends, default=now_us + 3_600_000_000) if all(s <= now_us for s in starts) else now_us
        concerned = Concerned.of(accounts)
        self._known[spender] = (until, concerned)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return concerned

    def _of(self, spender: Spender) -> tuple[Budget, ...]:
        """Those that may count what this key spends: a tenant may have a budget for each of its keys, and
        callers make up a session for each request."""
        whose = (spender.tenant, spender.key)
        found = self._by_key.get(whose)
        if found is None:
            found = tuple(
                budget
                for budget in self.budgets
                if budget.scope.tenant in (None, spender.tenant)
                and names_one(budget.scope, Dimension.KEY) in (None, spender.key)
            )
            if len(self._by_key) >= KEYS_MAX:
                self._by_key.clear()
            self._by_key[whose] = found
        return found


def _ids(accounts: tuple[Account, ...]) -> tuple[str, ...]:
    return tuple(account.account_id for account in accounts)
