"""`interchange report`: a month at a glance."""

import json
from typing import Any, Final

import click

from domain.analytics.report_period import period_named
from entrypoints.cli.configured import config_option
from entrypoints.cli.usage_source import OpenUsage, Query, UsageSource, limits, server_options, source
from entrypoints.words.report import SECTIONS, report_text

_NOT_BY_HOUR: Final = (
    "agent", "user", "session", "workflow", "credential", "cache", "experiment", "arm",
)  # fmt: skip
"""Savings are not told of these alone."""


def make_command(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the store is really asked."""

    @click.command("report")
    @click.argument("month", required=False, metavar="[YYYY-MM | YYYY-Www]")
    @click.option("--tenant", help="Only this tenant.")
    @click.option(
        "--only", multiple=True, metavar="NAME=VALUE", help="Only this, such as team=search; repeatable."
    )
    @click.option(
        "--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="Lines of each section."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
    @config_option
    @server_options
    def report(
        month: str | None,
        tenant: str | None,
        only: tuple[str, ...],
        top: int,
        as_json: bool,
        config_path: str | None,
        url: str | None,
        key: str | None,
    ) -> None:
        """A month or ISO week (UTC; this month by default): total, savings, who paid, for what, day by day.

        Reads the store of this machine; with --url or --key it asks a running server.
        """
        label = month or this_month()
        query = [*_period(label), *limits(only)]
        if tenant is not None:
            query.append(("tenant_id", tenant))
        found = _sections(source(open_usage, config_path, url, key), query, top)
        found = {"month": label, **found}
        click.echo(json.dumps(found, indent=2) if as_json else report_text(found))

    return report


def this_month() -> str:
    """Of the clock of this machine, UTC."""
    from entrypoints.local_stores import now

    return f"{now():%Y-%m}"


def _period(text: str) -> Query:
    found = period_named(text)
    if found is None:
        raise click.UsageError(f"{text!r} is no month and no week; write it as 2030-01 or 2030-W05")
    return [("from", found.start.isoformat()), ("to", found.end.isoformat())]


def _sections(asking: UsageSource, query: Query, top: int) -> dict[str, Any]:
    (total,) = asking.rows(query)
    return {
        "total": total,
        **{f"by_{name}": asking.rows([*query, ("by", name), ("limit", str(top))]) for name in SECTIONS},
        "by_day": asking.rows([*query, ("by", "day"), ("order", "key"), ("limit", "31")]),
        "savings": asking.savings(query) if _told_by_hour(query) else None,
    }


def _told_by_hour(query: Query) -> bool:
    return not any(name.removesuffix("_id") in _NOT_BY_HOUR for name, _ in query)
