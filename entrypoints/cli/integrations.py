"""`interchange integrations`: databases, APIs, storage and MCP servers of a running server.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.credentials import read_value
from entrypoints.cli.import_openapi import import_openapi
from entrypoints.cli.integration_body import authentication_options, body_of

PATH: Final = "/api/v1/integrations"
PAGE: Final = 500

_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
_tenant_option = click.option("--tenant", "tenant_id", help="Of this tenant. Default: the key's own.")
_name_argument = click.argument("integration_id", metavar="INTEGRATION")


@click.group(name="integrations")
def integrations() -> None:
    """What agents reach besides models: databases, APIs, storage, MCP servers."""


def _server(command: Any) -> Any:
    return _json_option(_tenant_option(config_option(server_options(command))))


@integrations.command("list")
@click.option("--type", "kind", help="Only of this type: database, api, storage, mcp, llm_provider.")
@_server
def list_integrations(
    kind: str | None,
    tenant_id: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Show integrations and how they are doing."""
    client = connect(config_path, url, key)
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = client.call("GET", _path("", tenant_id, type=kind, limit=PAGE, after=after or None))
        found += page["integrations"]
        after = page["next"]
    if as_json:
        _print_json({"integrations": found})
        return
    if not found:
        click.echo("no integrations")
        return
    rows = [
        (each["integration_id"], each["type"], each["status"], each["health"], _place(each)) for each in found
    ]
    _print_table([("NAME", "TYPE", "STATUS", "HEALTH", "ENDPOINT"), *rows])


@integrations.command("show")
@_name_argument
@_server
def show(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
    """Show INTEGRATION: its configuration, without secrets."""
    found = _client(server).call("GET", _path(integration_id, tenant_id))
    if as_json:
        _print_json(found)
        return
    for name in ("integration_id", "tenant_id", "type", "status", "health", "owner", "version", "updated_at"):
        click.echo(f"{name:<14} {'-' if found[name] is None else found[name]}")
    click.echo(json.dumps(found["configuration"], indent=2, ensure_ascii=False))


@integrations.command("add")
@_name_argument
@click.option("--type", "kind", help="database, api, storage, mcp or llm_provider.")
@click.option("--endpoint", help="Such as postgresql://db.example:5432/shop. Never with a password.")
@authentication_options
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of configuration; may be JSON.")
@click.option("--interval", "interval_s", type=float, help="Seconds between two looks at its health.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A JSON body; options are put on top of it.",
)
@click.option("--replace", is_flag=True, help="Change one there is; what is not given falls away.")
@_server
def add(integration_id: str, tenant_id: str | None, as_json: bool, replace: bool, **given: Any) -> None:
    """Make INTEGRATION. The server reaches it once before it keeps it."""
    body = body_of(given, read_value)
    client = _client(given)
    if replace:
        made = client.call("PUT", _path(integration_id, tenant_id), body)
    else:
        made = client.call("POST", _path("", tenant_id), {"integration_id": integration_id, **body})
    if as_json:
        _print_json(made)
        return
    click.echo(f"{made['integration_id']} is {made['status']}; its health: {made['health_check_url']}")


@integrations.command("test")
@_name_argument
@_server
def test(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
    """Reach INTEGRATION now. Status 1 when it cannot be reached."""
    found = _client(server).call("POST", _path(integration_id, tenant_id, act="test"))
    if as_json:
        _print_json(found)
        return
    facts = ", ".join(f"{name}: {value}" for name, value in found["facts"].items())
    click.echo(f"{integration_id} answered in {found['latency_ms']:.1f} ms{f' ({facts})' if facts else ''}")


def _state_command(word: str, summary: str) -> click.Command:
    @click.command(word, help=summary)
    @_name_argument
    @_server
    def put_state(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
        found = _client(server).call("POST", _path(integration_id, tenant_id, act=word))
        if as_json:
            _print_json(found)
        else:
            click.echo(f"{integration_id} is {found['status']}")

    return put_state


for _word, _summary in (
    ("enable", "Let INTEGRATION be called again."),
    ("disable", "Refuse calls of INTEGRATION."),
    ("maintenance", "Refuse calls of INTEGRATION for a while; nobody looks at its health."),
):
    integrations.add_command(_state_command(_word, _summary))
integrations.add_command(import_openapi)


@integrations.command("remove")
@_name_argument
@_server
def remove(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
    """Remove INTEGRATION and the secrets that came with it."""
    gone = _client(server).call("DELETE", _path(integration_id, tenant_id))
    if as_json:
        _print_json(gone)
    else:
        click.echo(f"{integration_id} is gone")


@integrations.command("health")
@_name_argument
@_server
def health(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
    """Show how INTEGRATION is doing and was. Status 1 when it is unhealthy."""
    found = _client(server).call("GET", _path(integration_id, tenant_id, act="health"))
    if as_json:
        _print_json(found)
    else:
        share = found["availability"]
        told = "" if share is None else f", up in {share:.1%} of the last {len(found['checks'])} looks"
        click.echo(f"{integration_id}: {found['health']}{told}")
        rows = [
            (each["checked_at"], each["state"], _ms(each["latency_ms"]), each["error"] or "")
            for each in found["checks"][:10]
        ]
        if rows:
            _print_table([("CHECKED AT", "STATE", "LATENCY", "ERROR"), *rows])
    if found["health"] == "unhealthy":
        raise click.exceptions.Exit(1)


def _client(server: dict[str, Any]) -> ApiClient:
    return connect(server["config_path"], server["url"], server["key"])


def _path(integration_id: str, tenant_id: str | None, *, act: str = "", **query: object) -> str:
    path = (
        PATH + (f"/{quote(integration_id, safe='')}" if integration_id else "") + (f"/{act}" if act else "")
    )
    said = {"tenant_id": tenant_id, **query}
    given = {name: value for name, value in said.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _place(integration: dict[str, Any]) -> str:
    return str(integration["configuration"].get("endpoint", "-"))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
