"""`interchange usage`: what was used and what it cost, by whatever one asks for, as a table or a file."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from application.ports.usage_query import UsageDimension, UsageOrder
from application.use_cases.export_usage import UsageLevel
from entrypoints.cli.configured import config_option
from entrypoints.cli.tail import plain
from entrypoints.cli.usage_source import OpenUsage, Query, limits, opened, server_options, source

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


def table_text(rows: list[dict[str, Any]], by: list[str]) -> str:
    """Groups for people: their values, then what matters about money."""
    names = [name.strip().replace("-", "_") for name in by if name.strip()]
    saved = any(row.get("cache_lookups") or _saved_usd(row) for row in rows)
    lines = [[*(name.upper() for name in names), *_TITLES, *(_SAVED_TITLES if saved else ()), "REMARKS"]]
    for row in rows:
        numbers = [*_numbers(row), *(_savings(row) if saved else ()), remarks(row)]
        lines.append([*(plain(str(row[name])) or "-" for name in names), *numbers])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(
            cell.ljust(width) if column < len(names) or column == len(line) - 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if not rows:
        text.append("nothing was used")
    return "\n".join(text)


_TITLES: Final = ("REQUESTS", "OK %", "INPUT", "CACHED", "OUTPUT", "COST USD", "MEAN MS")
_SAVED_TITLES: Final = ("HIT %", "SAVED USD")
"""Shown where a cache had a part in anything."""


def _numbers(row: dict[str, Any]) -> list[str]:
    requests = row["requests"]
    return [
        f"{requests:,}",
        f"{100 * row['ok_requests'] / requests:.1f}" if requests else "-",
        f"{row['input_tokens']:,}",
        f"{row['cached_read_tokens']:,}",
        f"{row['output_tokens']:,}",
        "unknown"
        if requests and row["unpriced_requests"] == requests
        else f"{Decimal(row['cost_usd']):,.6f}",
        f"{row['duration_us'] / requests / 1000:,.0f}" if requests else "-",
    ]


def _savings(row: dict[str, Any]) -> list[str]:
    ratio = row.get("cache_hit_ratio")
    return ["-" if ratio is None else f"{100 * ratio:.1f}", f"{_saved_usd(row):,.6f}"]


def _saved_usd(row: dict[str, Any]) -> Decimal:
    """By answers used again and by providers' prompt caches. A server of an older version tells neither."""
    return Decimal(row.get("saved_usd", 0)) + Decimal(row.get("prompt_cache_saved_usd", 0))


def remarks(row: dict[str, Any]) -> str:
    """What keeps the cost from being the whole truth."""
    parts = []
    if row["unpriced_requests"]:
        parts.append(f"{row['unpriced_requests']:,} without a known price")
    if row["estimated_requests"]:
        parts.append(f"{row['estimated_requests']:,} estimated")
    if row.get("unpriced_hits"):
        parts.append(f"{row['unpriced_hits']:,} hits without a known saving")
    return ", ".join(parts)
