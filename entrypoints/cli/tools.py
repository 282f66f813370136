"""`interchange tools`: what integrations of a running server can do, and having it done.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.tool_pins import accept, pins

PATH: Final = "/api/v1/tools"
TIMEOUT_S: Final = 30
PATIENCE_S: Final = 5.0
"""Beyond the tool's own time, for the answer to come."""

_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")


@click.group(name="tools")
def tools() -> None:
    """Tools of integrations: which there are, and calling one."""


tools.add_command(pins)
tools.add_command(accept)


@tools.command("list")
@click.option("--integration", "integration_id", help="Only of this integration.")
@config_option
@server_options
@_json_option
def list_tools(integration_id: str | None, as_json: bool, **server: Any) -> None:
    """Show tools."""
    query = "" if integration_id is None else f"?{urlencode({'integration_id': integration_id})}"
    found = _client(server).call("GET", PATH + query)
    if as_json:
        _print_json(found)
        return
    rows = [
        (each["integration_id"], each["tool_name"], "read" if each["read_only"] else "write", _line(each))
        for each in found["tools"]
    ]
    if rows:
        _print_table([("INTEGRATION", "TOOL", "KIND", "DESCRIPTION"), *rows])
    else:
        click.echo("no tools")
    for each in found["unavailable"]:
        click.echo(f"{each['integration_id']}: {each['reason']}", err=True)


@tools.command("show")
@click.argument("integration_id", metavar="INTEGRATION")
@click.argument("tool_name", metavar="TOOL")
@config_option
@server_options
@_json_option
def show(integration_id: str, tool_name: str, as_json: bool, **server: Any) -> None:
    """Show TOOL of INTEGRATION: what it takes, what it gives."""
    path = f"{PATH}/{quote(integration_id, safe='')}/{quote(tool_name, safe='')}"
    found = _client(server).call("GET", path)
    if as_json:
        _print_json(found)
        return
    click.echo(f"{found['integration_id']} {found['tool_name']}: {found['description']}")
    click.echo(json.dumps(found["parameters"], indent=2, ensure_ascii=False))
    for example in found["examples"]:
        click.echo(f"example: {json.dumps(example, ensure_ascii=False)}")


@tools.command("call")
@click.argument("integration_id", metavar="INTEGRATION")
@click.argument("tool_name", metavar="TOOL")
@click.argument("said", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--parameters", help="All of them, as a JSON object.")
@click.option("--timeout", "timeout_s", type=float, default=TIMEOUT_S, show_default=True, help="Seconds.")
@click.option("--idempotency-key", help="The same key does it once.")
@config_option
@server_options
@_json_option
def call(integration_id: str, tool_name: str, as_json: bool, **given: Any) -> None:
    """Have TOOL of INTEGRATION done. A VALUE may be JSON; else it is text."""
    client = _client(given)
    client.timeout_s = given["timeout_s"] + PATIENCE_S
    body = {
        "integration_id": integration_id,
        "tool_name": tool_name,
        "parameters": _parameters(given["said"], given["parameters"]),
        "timeout_seconds": given["timeout_s"],
    }
    headers = {} if given["idempotency_key"] is None else {"idempotency-key": given["idempotency_key"]}
    answer = client.call("POST", f"{PATH}/execute", body, headers)
    if as_json:
        _print_json(answer)
        return
    click.echo(json.dumps(answer["result"], indent=2, ensure_ascii=False))
    cost = "" if not answer["cost"] else f", {answer['cost']} USD"
    click.echo(f"{answer['execution_time_ms']} ms{cost}{', cached' if answer['cached'] else ''}", err=True)


def _parameters(said: Sequence[str], whole: str | None) -> dict[str, Any]:
    try:
        parameters = {} if whole is None else json.loads(whole)
    except ValueError as error:
        raise click.UsageError(f"--parameters is not valid JSON: {error}") from None
    if not isinstance(parameters, dict):
        raise click.UsageError("--parameters must be a JSON object")
    for text in said:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise click.UsageError(f"{text[:80]!r}: parameters are written as name=value")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _client(server: dict[str, Any]) -> ApiClient:
    return connect(server["config_path"], server["url"], server["key"])


def _line(tool: dict[str, Any]) -> str:
    first = str(tool["description"]).partition("\n")[0]
    return first if len(first) <= 80 else f"{first[:79]}…"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
