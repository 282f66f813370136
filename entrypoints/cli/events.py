"""`interchange events`: what happened, what happens, what events say, and webhooks of others.

Exit status: 0 done (`verify`: genuine), 1 failed (`verify`: not to be acted on), 2 not understood.
"""

import base64
import json
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, BinaryIO, Final
from urllib.parse import urlencode, urlsplit

import click

from domain.webhooks.inbound import TOLERANCE_S, Source
from entrypoints.cli.api_client import ApiClient, NotAnswering, connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/events"
STREAM_TIMEOUT_S: Final = 60.0
"""Signs of life come more often."""
AGAIN_AFTER_S: Final = 2.0
ERRORS_IN_A_ROW_MAX: Final = 30
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_types_option = click.option(
    "--type", "types", multiple=True, metavar="NAME", help="Only events such as key.created or key.*."
)


@click.group()
def events() -> None:
    """See what happened and what happens, and check webhooks of others."""


@events.command("list")
@_types_option
@click.option("--since", metavar="TIME", help="Not before this moment, such as 2030-01-31T12:00:00Z.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@config_option
@server_options
@_json_option
def list_events(
    types: tuple[str, ...],
    since: str | None,
    limit: int,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Show the newest events of the key's tenant, the oldest of them first."""
    asked = {"limit": str(limit), **_asked(types), **({} if since is None else {"from": since})}
    found = connect(config_path, url, key).call("GET", f"{PATH}?{urlencode(asked)}")["events"]
    for event in reversed(found):
        click.echo(json.dumps(event) if as_json else line(event))


@events.command("follow")
@_types_option
@click.option("--after", type=click.IntRange(0), help="Begin behind this place. Default: with what comes.")
@config_option
@server_options
@_json_option
def follow_events(
    types: tuple[str, ...],
    after: int | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Show events as they come, until Ctrl-C. Nothing is missed where the server is away for a while."""
    client, failures = connect(config_path, url, key), 0
    while True:
        try:
            for place, event in _stream(client, types, after):
                after, failures = place, 0
                if event is not None:
                    click.echo(
                        json.dumps({"seq": place, **event}) if as_json else line({**event, "seq": place})
                    )
        except NotAnswering as error:
            failures += 1
            if failures > ERRORS_IN_A_ROW_MAX:
                raise
            click.echo(f"waiting: {error.message}", err=True)
        time.sleep(AGAIN_AFTER_S)


@events.command("schemas")
@click.argument("name", required=False)
@config_option
@server_options
def show_schemas(name: str | None, config_path: str | None, url: str | None, key: str | None) -> None:
    """Show which events there are, or the schema and an example of one."""
    told = connect(config_path, url, key).call("GET", f"{PATH}/schemas")["events"]
    if name is None:
        for each, described in told.items():
            click.echo(f"{each:32} {described['schema']['description'].split('. ')[0].rstrip('.')}.")
    elif name in told:
        click.echo(json.dumps(told[name], indent=2, ensure_ascii=False))
    else:
        raise click.UsageError(f"no event {name[:60]!r}; allowed: {', '.join(told)}")


@events.command("verify")
@click.option("--source", required=True, type=click.Choice([each.value for each in Source]))
@click.option(
    "--secret", "credentials", required=True, multiple=True, metavar="NAME",
    help="Name of its secret (`interchange credentials list`); twice while it is being replaced.",
)  # fmt: skip
@click.option(
    "--headers", type=click.File("r"), required=True, help="File of `Name: value` lines as received."
)
@click.option("--tolerance-s", type=float, default=TOLERANCE_S, show_default=True)
@click.option("--again", is_flag=True, help="Also take a message that came before.")
@click.argument("body", type=click.File("rb"))
@config_option
@server_options
@_json_option
def verify(
    source: str,
    credentials: tuple[str, ...],
    headers: Any,
    tolerance_s: float,
    again: bool,
    body: BinaryIO,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Tell whether a received webhook, with its BODY in a file, is genuine, timely and new."""
    asked = {
        "source": source,
        "credentials": list(credentials),
        "headers": _headers(headers.read()),
        "body_base64": base64.b64encode(body.read()).decode(),
        "tolerance_s": tolerance_s,
        "check_replay": not again,
    }
    verdict = connect(config_path, url, key).call("POST", "/api/v1/webhooks/verify", asked)
    click.echo(json.dumps(verdict, indent=2) if as_json else verdict["verdict"].replace("_", " "))
    if not verdict["verified"]:
        sys.exit(1)


def line(event: dict[str, Any]) -> str:
    """One event for people: when, place, name, and what it says in short."""
    said = " ".join(
        f"{name}={_short(value)}"
        for name, value in event["data"].items()
        if value is not None and name not in ("timestamp", "tenant_id", "note")
    )
    return f"{event['timestamp'][:19]}Z {event['seq']:>8} {event['type']:28} {said}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _asked(types: tuple[str, ...]) -> dict[str, str]:
    return {"types": ",".join(types)} if types else {}


def _headers(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in filter(None, text.splitlines()):
        name, colon, value = each.partition(":")
        if not colon:
            raise click.UsageError(f"--headers: {each[:40]!r} is not `Name: value`")
        found[name.strip()] = value.strip()
    return found


def _stream(
    client: ApiClient, types: tuple[str, ...], after: int | None
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Places, with their event where it is not a mere sign of life, until the stream ends.

    Raises click.ClickException where the server refuses, NotAnswering where it is away.
    """
    asked = {**_asked(types), **({} if after is None else {"after": str(after)})}
    path = f"{urlsplit(client.url).path}{PATH}/stream?{urlencode(asked)}"
    try:
        connection = client.connection(STREAM_TIMEOUT_S)
        try:
            connection.request("GET", path, headers={"authorization": client.authorization})
            answer = connection.getresponse()
            if answer.status != 200:
                client.call("GET", f"{PATH}?{urlencode({'limit': '1', **_asked(types)})}")  # says why
                raise NotAnswering(f"the server answered {answer.status}")
            yield from frames(answer)
        finally:
            connection.close()
    except (OSError, HTTPException) as error:
        raise NotAnswering(f"the stream broke off ({error or type(error).__name__})") from error


def frames(lines: Any) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """What the lines of server-sent events say; the last frame, which says why they end, is left out."""
    said: dict[str, str] = {}
    for raw in lines:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            said[name] = value.removeprefix(" ")
            continue
        if "id" in said:
            yield int(said["id"]), json.loads(said["data"]) if "data" in said else None
        said = {}
