"""`interchange privacy export-user` and `erase-user`: a user's data, to have and to be forgotten."""

import json
import sys
import time
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option

SUBJECTS: Final = "/api/v1/privacy/subjects"
ERASURES: Final = "/api/v1/privacy/erasures"
EXPORT_TIMEOUT_S: Final = 300.0
LOOK_EVERY_S: Final = 0.2
BLOCK_BYTES: Final = 64 * 1024


@click.command("export-user")
@click.argument("user_id")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    default=Path("-"),
    help="A file. Default: standard output.",
)
@config_option
@server_options
def export_user(
    user_id: str, output: Path, config_path: str | None, url: str | None, key: str | None
) -> None:
    """Write everything that is stored about USER_ID of the key's tenant, one JSON object per line."""
    client = connect(config_path, url, key)
    with click.open_file(str(output), "wb") as file:
        if not _download(client, user_id, file):
            raise click.ClickException("the export ended early: it is not complete")


def _download(client: ApiClient, user_id: str, file: IO[Any]) -> bool:
    """Whether all of it came: the last line says so. Raises click.ClickException."""
    path = urlsplit(client.url).path + _path(user_id)
    connection = client.connection(EXPORT_TIMEOUT_S)
    last = b""
    try:
        connection.request("GET", path, headers={"authorization": client.authorization})
        response = connection.getresponse()
        if response.status != 200:
            told = response.read(BLOCK_BYTES).decode(errors="replace")
            raise click.ClickException(f"the server answered {response.status}: {_message(told)}")
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            last = (last + block)[-BLOCK_BYTES:]
    except (OSError, HTTPException) as error:
        raise click.ClickException(f"no export from {client.url}: {error}") from error
    finally:
        connection.close()
    return b'"record":"end"' in last.rstrip(b"\n").rpartition(b"\n")[2]


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200]


@click.command("erase-user")
@click.argument("user_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@config_option
@server_options
def erase_user(
    user_id: str, yes: bool, as_json: bool, config_path: str | None, url: str | None, key: str | None
) -> None:
    """Forget USER_ID of the key's tenant: content goes, and rows that stay for the accounts name nobody.

    The server carries it out, across restarts; ending this command does not end it.
    """
    if not yes:
        click.confirm(f"Forget {user_id!r} for good?", abort=True)
    client = connect(config_path, url, key)
    begun = client.call("DELETE", _path(user_id))
    with click.progressbar(length=begun["steps"] + 1, label="forgetting", file=sys.stderr) as bar:
        report = _wait(client, begun, bar)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    counts = ", ".join(f"{name} {count}" for name, count in sorted(report["counts"].items()))
    click.echo(f"{report['erasure_id']}: {counts or 'nothing named this user'}")
    click.echo(f"Rows that stay for the accounts say {report['pseudonym']}.")


def _wait(client: ApiClient, report: dict[str, Any], bar: Any) -> dict[str, Any]:
    shown = 0
    while report["state"] != "done":
        time.sleep(LOOK_EVERY_S)
        report = client.call("GET", f"{ERASURES}/{report['erasure_id']}")
        bar.update(max(0, report["steps_done"] - shown))
        shown = max(shown, report["steps_done"])
    bar.update(report["steps"] + 1 - shown)
    return report


def _path(user_id: str) -> str:
    return f"{SUBJECTS}/{quote(user_id, safe='')}"
