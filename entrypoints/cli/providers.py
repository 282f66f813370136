"""`interchange providers`: what the running server knows about those who answer."""

import json
from typing import Any

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

STATUS_PATH = "/api/v1/providers/status"
_LIST_COLUMNS = ("provider", "kind", "via", "region", "models", "simulated", "state")
_STATUS_COLUMNS = (
    "provider",
    "state",
    "success_rate",
    "average_latency_ms",
    "consecutive_failures",
    "availability_percent",
    "breaker",
)


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


def _show(answer: Any, columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    rows = rows_of(answer)
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [column for column in columns if any(column in row for row in rows)] or list(columns)
    for column in shown:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in shown))
    Console().print(table)


def rows_of(answer: Any) -> list[dict[str, Any]]:
    """One row per provider, its name under `provider`, from a list or a mapping by name."""
    entries = answer.get("providers", answer.get("data", answer)) if isinstance(answer, dict) else answer
    if isinstance(entries, dict):
        entries = [{"provider": name, **entry} for name, entry in entries.items() if isinstance(entry, dict)]
    rows = [dict(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    for row in rows:
        row.setdefault("provider", row.get("name", row.get("id", row.get("provider_id"))))
    return rows


def cell(value: Any) -> str:
    """A value for a table: unknown is a hyphen, booleans are words."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case dict():
            return cell(value.get("state"))
        case list():
            return str(len(value)) if len(value) > 3 else ", ".join(map(str, value))
        case _:
            return str(value)
