"""`interchange usage`: what was used and what it cost, by whatever one asks for, as a table or a file."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from application.ports.usage_query import UsageDimension, UsageOrder
from application.use_cases.export_usage import UsageLevel
from entrypoints.cli.configured import config_option
from entrypoints.cli.usage_source import OpenUsage, Query, limits, opened, server_options, source
from entrypoints.words.usage_table import table_text

FORMATS: Final = ("table", "json", "csv", "jsonl", "parquet", "focus")
GROUPS_DEFAULT: Final = 100
_DIMENSIONS: Final = ", ".join(dimension.value for dimension in UsageDimension)


def make_command(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the store is really asked."""

    @click.command("usage")
    @click.option(
        "--by", default="provider,model", show_default=True, help=f"Groups, comma-separated: {_DIMENSIONS}."
    )
    @click.option(
        "--only", multiple=True, metavar="NAME=VALUE", help="Only this, such as team=search; repeatable."
    )
    @click.option(
        "--from", "from_", metavar="TIME", help="Started then or later: 2030-01-31, or a time (UTC)."
    )
    @click.option("--to", metavar="TIME", help="Started before.")
    @click.option("--order", type=click.Choice([order.value for order in UsageOrder]), default="cost")
    @click.option(
        "--limit", type=click.IntRange(1, 10_000), default=GROUPS_DEFAULT, show_default=True, help="Groups."
    )
    @click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
    @click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
    @click.option(
        "--level",
        type=click.Choice([level.value for level in UsageLevel]),
        default="summary",
        help="Of csv, jsonl and parquet: groups, or every single request or attempt.",
    )
    @click.option(
        "--bucket", type=click.Choice(["hour", "day", "month"]), default="day", help="Of focus: its periods."
    )
    @click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
    @config_option
    @server_options
    def usage(config_path: str | None, url: str | None, key: str | None, **asked: Any) -> None:
        """Show what was used and what it cost.

        Reads the store of this machine; with --url or --key it asks a running server.
        """
        form = "json" if asked["as_json"] else asked["form"]
        query = _query(asked)
        asking = source(open_usage, config_path, url, key)
        if form in ("table", "json"):
            if asked["level"] != "summary":
                raise click.UsageError("--level is for --format csv, jsonl and parquet")
            rows = asking.rows(query)
            text = json.dumps(rows, indent=2) if form == "json" else table_text(rows, asked["by"].split(","))
            with opened(asked["out"]) as file:
                file.write((text + "\n").encode(errors="replace"))
            return
        if form == "parquet" and asked["out"] is None and sys.stdout.isatty():
            raise click.UsageError("parquet is not for the screen; give --out FILE")
        with opened(asked["out"]) as file:
            asking.write(
                [*query, ("format", form), ("level", asked["level"]), ("bucket", asked["bucket"])], file
            )

    return usage


def _query(asked: dict[str, Any]) -> Query:
    query: Query = [("by", asked["by"].replace("-", "_")), ("order", asked["order"])]
    query += [("limit", str(asked["limit"])), *limits(asked["only"])]
    query += [(name, asked[place]) for name, place in (("from", "from_"), ("to", "to")) if asked[place]]
    return query
