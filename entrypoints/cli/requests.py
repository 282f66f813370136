"""`interchange requests`: one request, with its attempts and, where it was recorded, its content."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/requests"
_SHOWN: Final = (
    "started_at", "tenant_id", "key_id", "agent_id", "user_id", "session_id", "route", "provider", "model",
    "outcome", "status", "error_code", "cost_usd", "cache", "strategy", "reason", "affinity", "task",
    "checks", "privacy", "guardrails", "breaker_skips", "budget_left_usd", "chunks", "trace_id",
)  # fmt: skip
_BAR_CHARS: Final = 40


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
        if found.get(name) not in (None, "", 0):
            click.echo(f"{name + ':':<15}{found[name]}")
    for attempt in found["attempts"]:
        cost = "unknown" if attempt["cost_usd"] is None else f"${attempt['cost_usd']}"
        said = f"  {attempt['message']}" if attempt["message"] else ""
        click.echo(
            f"{'attempt:':<15}{attempt['provider']}/{attempt['model']} {attempt['outcome']} {cost}{said}"
        )
    _print_decision(found.get("decision") or {})
    _print_timeline(found.get("timeline") or [])


def _print_decision(decision: Mapping[str, Any]) -> None:
    """Lists and what they count; lines that the request has anyway are not repeated."""
    for name in ("planned", "left_out", "demands"):
        said = decision.get(name)
        if said:
            pairs = said if isinstance(said, list) else [f"{key}={value}" for key, value in said.items()]
            click.echo(f"{name + ':':<15}{', '.join(pairs)}")


def _print_timeline(parts: Sequence[Mapping[str, Any]]) -> None:
    """A waterfall: start and length in milliseconds, and a bar."""
    whole = max((part["start_us"] + part["duration_us"] for part in parts), default=0)
    if not whole:
        return
    click.echo("\n     start ms      took ms")
    for part in parts:
        before = min(_BAR_CHARS - 1, part["start_us"] * _BAR_CHARS // whole)
        length = max(1, min(_BAR_CHARS - before, part["duration_us"] * _BAR_CHARS // whole))
        bar = (" " * before + ("|" if part["kind"] == "mark" else "=" * length)).ljust(_BAR_CHARS)
        outcome = f" {part['outcome']}" if part["outcome"] not in ("", "ok") else ""
        start, took = part["start_us"] / 1e3, part["duration_us"] / 1e3
        click.echo(f"{start:13.3f}{took:13.3f}  {bar}  {part['name']}{outcome}")


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
