"""`interchange tools pins` and `accept`: what upstream MCP servers say of their tools.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table

WAITING: Final = ("changed", "new")

_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
_tenant_option = click.option("--tenant", "tenant_id", help="Of this tenant. Default: the key's own.")
_integration = click.argument("integration_id", metavar="INTEGRATION")


@click.command("pins")
@_integration
@_tenant_option
@config_option
@server_options
@_json_option
def pins(integration_id: str, tenant_id: str | None, as_json: bool, **server: Any) -> None:
    """Show what the MCP server INTEGRATION says of its tools, and which of it was accepted."""
    found = _client(server).call("GET", _path(integration_id, tenant_id))
    if as_json:
        _print_json(found)
        return
    rows = [
        (each["tool_name"], each["state"], each["accepted_at"] or "-", _by(each)) for each in found["tools"]
    ]
    print_table(["TOOL", "STATE", "ACCEPTED AT", "BY"], rows, nothing="no tools")
    _show(found["tools"])


@click.command("accept")
@_integration
@click.argument("names", metavar="[TOOL]...", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_tenant_option
@config_option
@server_options
@_json_option
def accept(
    integration_id: str,
    names: Sequence[str],
    yes: bool,
    tenant_id: str | None,
    as_json: bool,
    **server: Any,
) -> None:
    """Let TOOLs (default: all) of the MCP server INTEGRATION be called as they are described now."""
    client = _client(server)
    found = client.call("GET", _path(integration_id, tenant_id))
    wanted = [each for each in found["tools"] if not names or each["tool_name"] in names]
    if unknown := sorted(set(names) - {each["tool_name"] for each in wanted}):
        raise click.UsageError(f"{integration_id} has no tool {', '.join(unknown)}")
    waiting = [each for each in wanted if each["state"] in (*WAITING, "gone")]
    if not waiting:
        click.echo("nothing waits to be accepted", err=as_json)
        if as_json:
            _print_json(found)
        return
    _show(waiting, err=as_json)
    if not yes:
        click.confirm(f"accept {', '.join(each['tool_name'] for each in waiting)}?", abort=True, err=True)
    body = {
        "tools": [each["tool_name"] for each in waiting],
        "digests": {each["tool_name"]: each["digest"] for each in waiting if each["digest"]},
    }
    done = client.call("POST", _path(integration_id, tenant_id, "/accept"), body)
    if as_json:
        _print_json(done)
    else:
        click.echo(f"accepted; {done['withheld']} tools of {integration_id} are withheld")


def _show(tools: Sequence[Mapping[str, Any]], *, err: bool = False) -> None:
    """What waits, in full: whoever accepts it should have read it."""
    for each in tools:
        if each["state"] in WAITING:
            # As JSON, so that nothing in it can move the cursor or look like a prompt.
            told = {"description": each["description"], "parameters": each["parameters"]}
            click.echo(f"\n{each['tool_name']} ({each['state']})", err=err)
            click.echo(json.dumps(told, indent=2), err=err)


def _by(tool: Mapping[str, Any]) -> str:
    if tool["accepted_at"] is None:
        return "-"
    return str(tool["accepted_by"] or "seen first")


def _path(integration_id: str, tenant_id: str | None, act: str = "") -> str:
    path = f"/api/v1/integrations/{quote(integration_id, safe='')}/tools{act}"
    return path if tenant_id is None else f"{path}?{urlencode({'tenant_id': tenant_id})}"


def _client(server: Mapping[str, Any]) -> ApiClient:
    return connect(server["config_path"], server["url"], server["key"])


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
