"""`interchange budget`: what may be spent, and how that stands.

Without `--url` and `--key` it works on the stores of this machine; running servers follow within a second.
Exit status: 0 done, 1 failed, 2 not understood, 3 (`check`) a hard budget has nothing left.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click

from domain.budgets.period import PeriodUnit
from domain.budgets.scope import Dimension
from domain.tenancy.role import OPERATOR_TENANT
from entrypoints.budget_objects import body_of
from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.budget_source import BudgetSource, OpenBudgeting, ServerBudgets, Shown, stored_budgets
from entrypoints.cli.budget_tables import (
    describe,
    print_accounts,
    print_budgets,
    print_concerned,
    print_unresolved,
)
from entrypoints.cli.configured import config_option, load_or_exit

FIGURES_MAX: Final = 50
"""Budgets of a list that are shown with figures."""
SPENT: Final = 3
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def make_group(open_budgeting: OpenBudgeting) -> click.Group:
    """The group `budget`. Stores are opened when a command runs, and closed after it."""

    @click.group(name="budget")
    def budget() -> None:
        """Set limits on spending, and see how they stand."""

    @contextmanager
    def source(config_path: str | None, url: str | None, key: str | None) -> Iterator[BudgetSource]:
        if url is not None or key is not None:
            yield ServerBudgets(connect(config_path, url, key))
            return
        with stored_budgets(open_budgeting, load_or_exit(config_path)) as stored:
            yield stored

    for make in (_list, _show, _set, _delete, _check, _unresolved, _resolve):
        budget.add_command(make(source))
    return budget


def _list(source: Any) -> click.Command:
    @click.command("list")
    @click.option("--tenant", help="Only budgets of this tenant.")
    @config_option
    @server_options
    @_json_option
    def list_budgets(
        tenant: str | None, config_path: str | None, url: str | None, key: str | None, as_json: bool
    ) -> None:
        """Show budgets, each with its most used subject."""
        with source(config_path, url, key) as budgets:
            found = budgets.all(tenant)
            if as_json:
                _print_json(found)
                return
            rows = []
            for number, one in enumerate(found):
                first = budgets.accounts(one["budget_id"], None, 1) if number < FIGURES_MAX else []
                rows.append((one, first[0] if first else None))
        print_budgets(rows)

    return list_budgets


def _show(source: Any) -> click.Command:
    @click.command("show")
    @click.argument("budget")
    @click.option("--subject", help="Only this subject, such as agent=planner.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
    @config_option
    @server_options
    @_json_option
    def show(
        budget: str,
        subject: str | None,
        limit: int,
        config_path: str | None,
        url: str | None,
        key: str | None,
        as_json: bool,
    ) -> None:
        """Show BUDGET (an id, or a name only one has) and how its subjects stand."""
        with source(config_path, url, key) as budgets:
            found = _named(budgets, budget)
            accounts = budgets.accounts(found["budget_id"], subject, limit)
        if as_json:
            _print_json({**found, "accounts": accounts})
            return
        click.echo("\n".join(describe(found)))
        print_accounts(accounts)

    return show


def _set(source: Any) -> click.Command:
    @click.command("set")
    @click.argument("budget")
    @click.option("--limit", "limit_usd", metavar="USD", help="Such as 100 or 0.05.")
    @click.option("--period", type=click.Choice([unit.value for unit in PeriodUnit]))
    @click.option("--rolling/--calendar", default=None, help="A sliding window, or a calendar period.")
    @click.option("--time-zone", help="IANA name; says when a calendar period begins.")
    @click.option("--hard/--soft", default=None, help="Refuse what would pass the limit, or only alert.")
    @click.option(
        "--scope",
        "scopes",
        multiple=True,
        metavar="DIMENSION=VALUE",
        help="Whose spending counts; * for each. May be repeated. Default: tenant=default.",
    )
    @click.option("--alert", "alerts", multiple=True, type=float, help="Share of the limit; may be repeated.")
    @click.option("--on-threshold", metavar="SHARE=ROUTE", help="From there on, use this route; '' for none.")
    @click.option("--contact", help="Told to whoever is refused.")
    @config_option
    @server_options
    @_json_option
    def set_budget(
        budget: str, config_path: str | None, url: str | None, key: str | None, as_json: bool, **given: Any
    ) -> None:
        """Make the budget called BUDGET, or change what is given of it (by id or name)."""
        changes = _changes(given)
        with source(config_path, url, key) as budgets:
            known = [one for one in budgets.all(None) if budget in (one["budget_id"], one["name"])]
            if known:
                old = _one_of(known, budget)
                changed = {**body_of(old), **changes}
                made, word = budgets.replace(old["budget_id"], changed), "changed"
            else:
                missing = [
                    f"--{n}" for n, k in (("limit", "limit_usd"), ("period", "period")) if k not in changes
                ]
                if missing:
                    raise click.UsageError(
                        f"there is no budget {budget!r}; a new one needs {' and '.join(missing)}"
                    )
                new = {"name": budget, "scope": {"tenant": OPERATOR_TENANT}, **changes}
                made, word = budgets.create(new), "made"
        if as_json:
            _print_json(made)
        else:
            click.echo(f"{word}:\n" + "\n".join(describe(made)))

    return set_budget


def _delete(source: Any) -> click.Command:
    @click.command("delete")
    @click.argument("budget")
    @config_option
    @server_options
    @_json_option
    def delete(budget: str, config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
        """Remove BUDGET (an id, or a name only one has). It holds nobody any more."""
        with source(config_path, url, key) as budgets:
            found = _named(budgets, budget)
            budgets.remove(found["budget_id"])
        if as_json:
            _print_json({"budget_id": found["budget_id"], "removed": True})
        else:
            click.echo(f"{found['name']} ({found['budget_id']}) is removed.")

    return delete


def _check(source: Any) -> click.Command:
    def check(
        config_path: str | None, url: str | None, key: str | None, as_json: bool, **who: str | None
    ) -> None:
        """Show which budgets a request would concern, and what is left of them.

        What is not said concerns no budget of it. Exit status 3 when a hard one has nothing left.
        """
        spender = {name.removesuffix("_"): value for name, value in who.items() if value}
        with source(config_path, url, key) as budgets:
            found = budgets.check(spender)
        if as_json:
            _print_json(found)
        else:
            print_concerned(found)
        if any(one["budget"]["hard"] and float(one["account"]["remaining_usd"]) == 0 for one in found):
            raise click.exceptions.Exit(SPENT)

    command = config_option(server_options(_json_option(check)))
    for dimension in reversed(Dimension):
        # `--key` is the API key that asks a server.
        name = "key-id" if dimension is Dimension.KEY else dimension.value
        command = click.option(f"--{name}", f"{dimension.value}_", help=_HELP.get(dimension))(command)
    return click.command("check")(command)


_HELP: Final = {
    Dimension.TENANT: f"Default: {OPERATOR_TENANT}, or the key's own.",
    Dimension.KEY: "An API key, by its id or name; its team and project count as well.",
    Dimension.MODEL: "The model that would answer.",
    Dimension.PROVIDER: "Who would answer.",
}


def _unresolved(source: Any) -> click.Command:
    @click.command("unresolved")
    @click.option("--tenant", help="Only charges of this tenant.")
    @config_option
    @server_options
    @_json_option
    def unresolved(
        tenant: str | None, config_path: str | None, url: str | None, key: str | None, as_json: bool
    ) -> None:
        """Show charges whose bill nobody knows; they count at the held amount."""
        with source(config_path, url, key) as budgets:
            found = budgets.unresolved(tenant)
        if as_json:
            _print_json(found)
        else:
            print_unresolved(found)

    return unresolved


def _resolve(source: Any) -> click.Command:
    @click.command("resolve")
    @click.argument("attempt_id")
    @click.option("--cost", "cost_usd", metavar="USD", help="What the provider billed; 0 when it did not.")
    @click.option("--as-held", is_flag=True, help="Take all that was held as its bill.")
    @config_option
    @server_options
    @_json_option
    def resolve(
        attempt_id: str,
        cost_usd: str | None,
        as_held: bool,
        config_path: str | None,
        url: str | None,
        key: str | None,
        as_json: bool,
    ) -> None:
        """State the bill of the unresolved ATTEMPT_ID."""
        if (cost_usd is None) != as_held:
            raise click.UsageError("give either --cost or --as-held")
        with source(config_path, url, key) as budgets:
            accounts = budgets.resolve(attempt_id, cost_usd)
        if as_json:
            _print_json({"attempt_id": attempt_id, "accounts": accounts})
        else:
            click.echo(f"{attempt_id} is resolved on {accounts} account{'s' if accounts != 1 else ''}.")

    return resolve


def _changes(given: Mapping[str, Any]) -> Shown:
    """What the options say, in the API's words. Raises click.UsageError."""
    plain = ("limit_usd", "period", "rolling", "time_zone", "hard", "contact")
    changes = {name: given[name] for name in plain if given[name] is not None}
    if given["scopes"]:
        changes["scope"] = dict(_pair(text, "--scope") for text in given["scopes"])
    if given["alerts"]:
        changes["alert_at"] = list(given["alerts"])
    if given["on_threshold"] == "":
        changes["on_threshold"] = None
    elif given["on_threshold"] is not None:
        share, route = _pair(given["on_threshold"], "--on-threshold")
        try:
            changes["on_threshold"] = {"at": float(share), "route": route}
        except ValueError:
            raise click.UsageError(f"--on-threshold {share!r} is no share, such as 0.8=cheap") from None
    return changes


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise click.UsageError(f"{option} {text!r} must be two words with = between them")
    return name, value


def _named(budgets: BudgetSource, wanted: str) -> Shown:
    found = [one for one in budgets.all(None) if wanted in (one["budget_id"], one["name"])]
    if not found:
        raise click.ClickException(f"no budget {wanted!r}; `interchange budget list` shows them")
    return _one_of(found, wanted)


def _one_of(found: list[Shown], wanted: str) -> Shown:
    by_id = [one for one in found if one["budget_id"] == wanted]
    if len(by_id or found) > 1:
        ids = ", ".join(one["budget_id"] for one in found)
        raise click.ClickException(f"several budgets are called {wanted!r}; name one by its id: {ids}")
    return (by_id or found)[0]


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
