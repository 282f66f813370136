"""`interchange report`: a month at a glance."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from entrypoints.cli.configured import config_option
from entrypoints.cli.usage import table_text
from entrypoints.cli.usage_source import OpenUsage, Query, UsageSource, limits, server_options, source

SECTIONS: Final = ("team", "project", "cost_center", "model", "provider", "key")
_MONTH: Final = re.compile(r"(20\d{2})-(0[1-9]|1[0-2])")


def make_command(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the store is really asked."""

    @click.command("report")
    @click.argument("month", required=False, metavar="[YYYY-MM]")
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
        """A month (UTC; this one by default): total, who paid, for which models, day by day.

        Reads the store of this machine; with --url or --key it asks a running server.
        """
        query = [*_month(month or this_month()), *limits(only)]
        if tenant is not None:
            query.append(("tenant_id", tenant))
        found = _sections(source(open_usage, config_path, url, key), query, top)
        found = {"month": month or this_month(), **found}
        click.echo(json.dumps(found, indent=2) if as_json else report_text(found))

    return report


def this_month() -> str:
    """Of the clock of this machine, UTC."""
    from entrypoints.main import now

    return f"{now():%Y-%m}"


def _month(text: str) -> Query:
    found = _MONTH.fullmatch(text)
    if found is None:
        raise click.UsageError(f"{text!r} is no month; write it as 2030-01")
    first = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    following = (first + timedelta(days=32)).replace(day=1)
    return [("from", first.isoformat()), ("to", following.isoformat())]


def _sections(asking: UsageSource, query: Query, top: int) -> dict[str, Any]:
    (total,) = asking.rows(query)
    return {
        "total": total,
        **{f"by_{name}": asking.rows([*query, ("by", name), ("limit", str(top))]) for name in SECTIONS},
        "by_day": asking.rows([*query, ("by", "day"), ("order", "key"), ("limit", "31")]),
    }


def report_text(found: dict[str, Any]) -> str:
    """All sections one below the other."""
    parts = [f"Usage of {found['month']} (UTC)", table_text([found["total"]], [])]
    for name in (*SECTIONS, "day"):
        rows = found[f"by_{name}"]
        if rows and not (len(rows) == 1 and rows[0][name] == ""):
            parts.append(table_text(rows, [name]))
    return "\n\n".join(parts)
