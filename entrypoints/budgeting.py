"""Puts together what people do with budgets: making, seeing and watching them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from application.budget_book import BudgetBook
from application.budget_rates import RecentSpending
from application.ports.budgets import BudgetStore
from application.ports.keys import KeyStore
from application.ports.ledger import LedgerBooks
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.ports.usage_query import UsageQuery
from application.use_cases.create_budgeted_key import CreateBudgetedKey
from application.use_cases.manage_budgets import BudgetKeeping, ManageBudgets
from application.use_cases.manage_keys import CreateKey
from application.use_cases.report_budgets import ReportBudgets
from application.use_cases.resolve_charges import ResolveCharges
from application.use_cases.watch_budgets import WatchBudgets
from domain.budgets.budget import Budget
from domain.money import NANO_PER_USD
from entrypoints.settings import LoadedSettings

AUTO_ROUTE: Final = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStores:
    """What budgets are kept in and read from. `books` may be slow, `ledger` is for changing something."""

    budgets: BudgetStore
    keys: KeyStore
    ledger: LedgerBooks
    books: LedgerBooks
    usage: UsageQuery
    clock: Clock
    ids: IdFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeting:
    """What routes and commands call."""

    manage: ManageBudgets
    report: ReportBudgets
    charges: ResolveCharges
    create_key: CreateBudgetedKey


def make_budgeting(
    stores: BudgetStores, keeping: BudgetKeeping, book: BudgetBook, create_key: CreateKey
) -> Budgeting:
    """Everything people do with budgets."""
    manage = ManageBudgets(stores.budgets, stores.keys, stores.clock, stores.ids, keeping)
    recent = RecentSpending(stores.usage)
    return Budgeting(
        manage=manage,
        report=ReportBudgets(manage, stores.books, recent, book, stores.keys, stores.clock),
        charges=ResolveCharges(stores.ledger, stores.clock, book),
        create_key=CreateBudgetedKey(create_key, manage),
    )


def keeping_of(
    loaded: Callable[[], LoadedSettings],
    declared: Callable[[], Sequence[Budget]],
    route_exists: Callable[[str], bool],
    changed: Callable[[], Awaitable[None]],
) -> BudgetKeeping:
    """What a configuration says of budgets, as it is at the moment it is asked."""
    return BudgetKeeping(
        declared=declared,
        declared_in=lambda name: budget_declared_in(loaded(), name),
        first_alert=lambda: loaded().settings.budget_alert_threshold,
        route_exists=route_exists,
        changed=changed,
    )


def budget_declared_in(loaded: LoadedSettings, name: str) -> str | None:
    """Where the file declares the budget of this name; None: it does not."""
    for index, section in enumerate(loaded.settings.budgets):
        if section.name == name:
            where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
            line = loaded.lines.get(("budgets", index, "name"))
            return where if line is None else f"{where}:{line}"
    return None


def budget_gauges(watch: WatchBudgets, refusals: Mapping[str, int]) -> Iterable[Gauge]:
    """Figures per configured budget, for the metrics page; never per subject."""
    figures = watch.figures
    labels = {f.budget.budget_id: (("budget", f.budget.name), ("tenant", f.budget.owner)) for f in figures}
    for name, text, values in (
        (
            "interchange_budget_utilization_ratio",
            "Spent or possibly spent as a share of the limit, of the most used subject.",
            [figure.utilization for figure in figures],
        ),
        (
            "interchange_budget_remaining_usd",
            "What the most used subject has left.",
            [figure.remaining_nano_usd / NANO_PER_USD for figure in figures],
        ),
        (
            "interchange_budget_unresolved_usd",
            "Charges whose bill nobody knows; they count in full.",
            [figure.unresolved_nano_usd / NANO_PER_USD for figure in figures],
        ),
        (
            "interchange_budget_spend_rate_usd_per_hour",
            "Spending of the last ten minutes, all subjects together.",
            [figure.spend_nano_usd_per_hour / NANO_PER_USD for figure in figures],
        ),
        (
            "interchange_budget_accounts",
            "Subjects that spent something in the present period.",
            [figure.accounts for figure in figures],
        ),
    ):
        yield Gauge(
            name,
            text,
            tuple(
                (labels[figure.budget.budget_id], value)
                for figure, value in zip(figures, values, strict=True)
            ),
        )
    for name, text, counts in (
        ("interchange_budget_refusals_total", "Requests this process refused for a budget.", refusals),
        ("interchange_budget_alerts_total", "Alerts this process wrote.", watch.alerts),
    ):
        samples = tuple((labels[each], count) for each, count in counts.items() if each in labels)
        yield Gauge(name, text, samples, "counter")
    yield Gauge(
        "interchange_ledger_reachable",
        "0 while the budget ledger does not answer.",
        (((), int(watch.reachable)),),
    )


def ledger_health(watch: WatchBudgets, book: BudgetBook) -> dict[str, Any]:
    """One line of the health page."""
    hard = sum(1 for budget in book.budgets if budget.hard)
    if not book.budgets:
        return {"status": "unused", "budgets": 0, "hard": 0}
    return {"status": "ok" if watch.reachable else "down", "budgets": len(book.budgets), "hard": hard}
