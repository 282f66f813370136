"""`interchange providers`: what the running server knows about those who answer."""

import json
from collections.abc import Mapping
from typing import Any

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

STATUS_PATH = "/api/v1/providers/status"
_LIST_COLUMNS = {
    "provider": "provider",
    "models": "models",
    "state": "state",
    "usable": "usable",
    "simulated": "simulated",
}
_STATUS_COLUMNS = {
    "provider": "provider",
    "state": "state",
    "success_rate": "success rate",
    "latency_ms": "latency ms",
    "availability": "availability %",
    "consecutive_failures": "failures in a row",
    "samples": "samples",
    "breaker": "breaker",
}


@click.group()
def providers() -> None:
    """Providers of the running server."""


@providers.command("list")
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
def list_providers(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Who may answer, and which way calls take."""
    _show(connect(config_path, url, key).call("GET", STATUS_PATH), _LIST_COLUMNS, as_json)


@providers.command()
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
def status(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Health over the last minutes: success, latency, availability, breaker."""
    _show(connect(config_path, url, key).call("GET", STATUS_PATH), _STATUS_COLUMNS, as_json)


def _show(answer: Any, columns: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns.values():
        table.add_column(title, no_wrap=title == "provider")
    for row in rows_of(answer):
        table.add_row(*(cell(row.get(key)) for key in columns))
    Console().print(table)


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """One row per provider; `models` counts its targets."""
    entries = answer.get("providers", []) if isinstance(answer, dict) else []
    return [{**entry, "models": len(entry.get("targets", []))} for entry in entries]


def cell(value: Any) -> str:
    """A value for a table: unknown is a hyphen, booleans are words."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)
