"""`interchange recommendations`: what would cost less or go better, and saying what becomes of it.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table
from entrypoints.words.plain import plain

PATH: Final = "/api/v1/analytics/recommendations"
STATUSES: Final = ("open", "accepted", "dismissed", "done", "expired")
NOTHING: Final = "nothing is advised; `interchange recommendations refresh` looks now"
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
_tenant_option = click.option("--tenant", help="Of this tenant. Default: the key's own.")


@click.group("recommendations", invoke_without_command=True)
@click.pass_context
def recommendations(context: click.Context) -> None:
    """See what is advised, and accept or dismiss it; without a command: those that are open."""
    if context.invoked_subcommand is None:
        context.invoke(show_list)


@recommendations.command("list")
@click.option("--status", type=click.Choice((*STATUSES, "all")), default="open", show_default=True)
@click.option("--kind", help="Only of this kind, such as move.")
@_tenant_option
@_json_option
@config_option
@server_options
def show_list(
    status: str = "open",
    kind: str | None = None,
    tenant: str | None = None,
    as_json: bool = False,
    config_path: str | None = None,
    url: str | None = None,
    key: str | None = None,
) -> None:
    """Show them, what saves most first."""
    query = _query(tenant_id=tenant, kind=kind, status=None if status == "all" else status)
    _show(connect(config_path, url, key).call("GET", f"{PATH}{query}"), as_json)


@recommendations.command("refresh")
@_tenant_option
@_json_option
@config_option
@server_options
def refresh(
    tenant: str | None, as_json: bool, config_path: str | None, url: str | None, key: str | None
) -> None:
    """Look at the use of the last 30 days now."""
    answer = connect(config_path, url, key).call("POST", f"{PATH}/refresh{_query(tenant_id=tenant)}")
    _show(answer, as_json, "looked at the last 30 days: nothing is advised")


def _deciding(name: str, status: str, text: str) -> None:
    @recommendations.command(name, help=text)
    @click.argument("optimization_id", metavar="ID")
    @_tenant_option
    @_json_option
    @config_option
    @server_options
    def decide(
        optimization_id: str,
        tenant: str | None,
        as_json: bool,
        config_path: str | None,
        url: str | None,
        key: str | None,
    ) -> None:
        body = {"status": status, **({} if tenant is None else {"tenant_id": tenant})}
        path = f"{PATH}/{quote(optimization_id, safe='')}"
        decided = connect(config_path, url, key).call("PUT", path, body)
        if as_json:
            click.echo(json.dumps(decided, indent=2))
        else:
            click.echo(f"{decided['optimization_id']} is {decided['status']}: {plain(decided['sentence'])}")


_deciding("accept", "accepted", "Say that it is followed; it is done when its reason is gone.")
_deciding("dismiss", "dismissed", "Say that it is not followed, so that it stays away.")
_deciding("reopen", "open", "Take a decision back.")


def _query(**asked: str | None) -> str:
    given = {name: value for name, value in asked.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _show(answer: dict[str, Any], as_json: bool, nothing: str = NOTHING) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    print_table(
        ("ID", "KIND", "STATUS", "SAVES USD/MONTH", "WHAT"),
        [
            (one["optimization_id"], one["kind"], one["status"], _saving(one), plain(one["sentence"]))
            for one in answer["recommendations"]
        ],
        nothing=nothing,
    )


def _saving(one: dict[str, Any]) -> str:
    saving = one["estimated_saving"]
    if saving is None:
        return "-"
    low, expected, high = (float(saving[name]) for name in ("low_usd", "expected_usd", "high_usd"))
    return f"{expected:,.2f} ({low:,.2f} to {high:,.2f})"
