"""Budgets as tables for people: bars, what is left, when it is used up."""

import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import click

Shown = dict[str, Any]
BAR_WIDTH: Final = 12
PIPE_WIDTH: Final = 200
_AMOUNTS: Final = ("spent_usd", "unresolved_usd", "held_usd", "remaining_usd", "spend_rate_usd_per_day")


def print_budgets(budgets: Sequence[tuple[Shown, Shown | None]]) -> None:
    """One row per budget, each with its most used account where it has one."""
    if not budgets:
        click.echo("no budgets")
        return
    table, print_it = _table(
        "BUDGET", "TENANT", "COUNTS", "PER", "LIMIT", "", "MOST USED", "LEFT", "ENDS", "OWNER"
    )
    for budget, account in budgets:
        limit = Decimal(budget["limit_usd"])
        table.add_row(
            _escaped(budget["name"]),
            budget["tenant_id"],
            _escaped(scope_text(budget["scope"])),
            period_text(budget),
            money(limit),
            "hard" if budget["hard"] else "soft",
            bar(account),
            "" if account is None else money(Decimal(account["remaining_usd"])),
            "" if account is None else ends(account),
            budget["declared_in"] or "api",
        )
    print_it()


def print_accounts(accounts: Sequence[Shown]) -> None:
    """One row per subject."""
    if not accounts:
        click.echo("nobody spent anything in this period")
        return
    table, print_it = _table(
        "SUBJECT", "USED", "SPENT", "UNRESOLVED", "HELD", "LEFT", "PER DAY", "ENDS", "RESETS"
    )
    for account in accounts:
        table.add_row(
            _escaped(account["subject"] or "-"),
            bar(account),
            *(money(Decimal(account[name])) for name in _AMOUNTS),
            ends(account),
            short_time(account["resets_at"]) or "never",
        )
    print_it()


def print_concerned(concerned: Sequence[Shown]) -> None:
    """Which budgets must have room, the tightest first."""
    if not concerned:
        click.echo("no budget counts this")
        return
    table, print_it = _table("BUDGET", "SUBJECT", "PER", "LIMIT", "", "USED", "LEFT", "RESETS")
    for one in concerned:
        budget, account = one["budget"], one["account"]
        table.add_row(
            _escaped(budget["name"]),
            _escaped(account["subject"] or "-"),
            period_text(budget),
            money(Decimal(budget["limit_usd"])),
            "hard" if budget["hard"] else "soft",
            bar(account),
            money(Decimal(account["remaining_usd"])),
            short_time(account["resets_at"]) or "never",
        )
    print_it()


def print_unresolved(entries: Sequence[Shown]) -> None:
    """One row per charge and account."""
    if not entries:
        click.echo("no unresolved charges")
        return
    table, print_it = _table("ATTEMPT", "TENANT", "HELD", "SINCE", "BUDGET")
    for entry in entries:
        held = money(Decimal(entry["held_usd"]))
        table.add_row(
            entry["attempt_id"],
            entry["tenant_id"],
            held,
            entry["since"],
            entry["budget_id"] or entry["account_id"],
        )
    print_it()


def describe(budget: Shown) -> list[str]:
    """A budget in a few lines."""
    lines = [
        f"{budget['name']}  ({budget['budget_id']}, tenant {budget['tenant_id']}, "
        f"{budget['declared_in'] or 'made through the API'})",
        f"  counts    {scope_text(budget['scope'])}",
        f"  limit     {money(Decimal(budget['limit_usd']))} per {period_text(budget)}, "
        f"{'refuses' if budget['hard'] else 'only alerts'}",
        f"  alerts at {', '.join(f'{share:.4g}' for share in budget['alert_at']) or 'nothing'}",
    ]
    if budget["on_threshold"] is not None:
        lines.append(
            f"  from {budget['on_threshold']['at']:.4g} on, requests go to the route "
            f"{budget['on_threshold']['route']!r}"
        )
    if budget["contact"]:
        lines.append(f"  contact   {budget['contact']}")
    return lines


def bar(account: Shown | None) -> str:
    """`███████░░░░░  58 %`."""
    if account is None:
        return ""
    percent = float(account["utilization_percent"])
    full = min(BAR_WIDTH, int(percent * BAR_WIDTH / 100 + 0.5))
    colour = "red" if percent >= 100 else "yellow" if percent >= 80 else "green"
    drawn = f"{'█' * full}{'░' * (BAR_WIDTH - full)}"
    return f"[{colour}]{drawn}[/] {percent:4.0f} %"


def money(amount: Decimal) -> str:
    """Dollars for reading: two digits, or as many as small amounts need."""
    if amount == 0 or abs(amount) >= Decimal("0.1"):
        return f"${amount:,.2f}"
    return f"${amount:.3g}" if abs(amount) >= Decimal("0.000001") else f"${amount:f}"


def period_text(budget: Shown) -> str:
    text = f"rolling {budget['period']}" if budget["rolling"] else str(budget["period"])
    return text if budget["time_zone"] == "UTC" else f"{text} ({budget['time_zone']})"


def scope_text(scope: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in scope.items())


def ends(account: Shown) -> str:
    """When it is used up at the present rate."""
    if Decimal(account["remaining_usd"]) == 0:
        return "used up"
    return short_time(account["exhausted_at"]) or "-"


def short_time(text: str | None) -> str:
    """`2026-03-01 12:30`, UTC; empty for none."""
    return "" if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _table(*titles: str) -> tuple[Any, Any]:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    right = {"LIMIT", "LEFT", "SPENT", "UNRESOLVED", "HELD", "PER DAY"}
    for title in titles:
        table.add_column(title, overflow="fold", justify="right" if title in right else "left")
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    return table, lambda: console.print(table)
