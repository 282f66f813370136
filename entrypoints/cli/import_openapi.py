"""`interchange integrations import-openapi`: an integration of type `api` from an OpenAPI document."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.credentials import read_value
from entrypoints.cli.integration_body import authentication_options, said_authentication

PATH: Final = "/api/v1/integrations"
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a document; 4 Mi characters of text are read at most, whatever they take as bytes."""


@click.command("import-openapi")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--name", "integration_id", required=True, help="What the integration is called.")
@click.option("--endpoint", default="", help="Where the API is. Default: the document's first server.")
@click.option(
    "--include",
    multiple=True,
    metavar="WHAT",
    help="Only these: operationId, tag, tool, or path such as /a*.",
)
@click.option("--exclude", multiple=True, metavar="WHAT", help="All but these.")
@authentication_options
@click.option("--replace", is_flag=True, help="Change the integration of this name.")
@click.option(
    "--dry-run", is_flag=True, help="Print the body and ask no server; secrets are neither read nor shown."
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@click.option("--tenant", "tenant_id", help="Of this tenant. Default: the key's own.")
@config_option
@server_options
def import_openapi(
    file: Path, integration_id: str, tenant_id: str | None, replace: bool, dry_run: bool, as_json: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Make an integration of the operations in FILE: OpenAPI 3.0 or 3.1, JSON or YAML; - is standard input.

    What --dry-run prints can be changed by hand and sent with `integrations add NAME --file`.
    """
    from entrypoints.openapi_opening import openapi_configuration

    if str(file) == "-" and given["secrets"] and not dry_run:
        raise click.UsageError("the document comes from the standard input; use --secret-file for secrets")
    asked = {**given, "secrets": (), "secret_files": ()} if dry_run else given
    configuration, left_out = openapi_configuration(
        _text(file),
        endpoint=given["endpoint"],
        authentication=said_authentication(asked, read_value),
        include=given["include"],
        exclude=given["exclude"],
    )
    _tell(left_out)
    body = {"type": "api", "configuration": configuration}
    if dry_run:
        click.echo(json.dumps({"integration_id": integration_id, **body}, indent=2, ensure_ascii=False))
        return
    client = connect(given["config_path"], given["url"], given["key"])
    query = "" if tenant_id is None else f"?{urlencode({'tenant_id': tenant_id})}"
    if replace:
        made = client.call("PUT", f"{PATH}/{quote(integration_id, safe='')}{query}", body)
    else:
        made = client.call("POST", f"{PATH}{query}", {"integration_id": integration_id, **body})
    if as_json:
        click.echo(json.dumps(made, indent=2, ensure_ascii=False))
        return
    count = len(configuration["tools"])
    click.echo(f"{made['integration_id']} is {made['status']}, with {count} tool{'s' * (count != 1)}")


def _text(file: Path) -> str:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as opened:
            raw = opened.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise click.ClickException(f"{file} is larger than {FILE_BYTES_MAX} bytes")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8") from None


def _tell(left_out: Sequence[str]) -> None:
    for reason in left_out:
        click.echo(f"left out: {reason}", err=True)
