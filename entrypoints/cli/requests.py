"""`interchange requests`: one request, with its attempts and, where it was recorded, its content."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/requests"
_SHOWN: Final = (
    "started_at", "tenant_id", "key_id", "agent_id", "user_id", "session_id", "route", "provider", "model",
    "outcome", "status", "error_code", "cost_usd", "cache", "reason",
)  # fmt: skip


@click.group()
def requests() -> None:
    """Single requests of a running server."""


@requests.command("show")
@click.argument("request_id")
@click.option("--content", is_flag=True, help="What was recorded of it. Each view is in the audit trail.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answers as they are.")
@config_option
@server_options
def show(
    request_id: str,
    content: bool,
    as_json: bool,
    config_path: str | None,
    url: str | None,
    key: str | None,
) -> None:
    """Show REQUEST_ID, the `x-request-id` of its answer: who asked, who answered, what each attempt cost."""
    client = connect(config_path, url, key)
    path = f"{PATH}/{quote(request_id, safe='')}"
    # The content alone is there for those who may read prompts, and may see no usage.
    found = client.call("GET", f"{path}/content" if content else path)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif content:
        for part in found["parts"]:
            _print_part(part)
    else:
        _print_request(found)


def _print_request(found: Mapping[str, Any]) -> None:
    for name in _SHOWN:
        if found.get(name) not in (None, ""):
            click.echo(f"{name + ':':<13}{found[name]}")
    for attempt in found["attempts"]:
        cost = "unknown" if attempt["cost_usd"] is None else f"${attempt['cost_usd']}"
        said = f"  {attempt['message']}" if attempt["message"] else ""
        click.echo(f"attempt:     {attempt['provider']}/{attempt['model']} {attempt['outcome']} {cost}{said}")


def _print_part(part: Mapping[str, Any]) -> None:
    cut = ", only its beginning" if part["truncated"] else ""
    click.echo(
        f"--- {part['part']} ({part['dialect']}, {part['content_type']}{cut}), until {part['expires_at']}"
    )
    click.echo(
        "(it does not open: its key is gone, or it was changed)"
        if part["content"] is None
        else part["content"]
    )
