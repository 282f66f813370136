"""`interchange webhooks`: where a running server sends events, and what became of them.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table

PATH: Final = "/api/v1/webhooks"
_endpoint: Final = click.argument("endpoint_id", metavar="ENDPOINT")
_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print the server's answer as it is."
)


@click.group(name="webhooks")
def webhooks() -> None:
    """Events sent to whoever subscribed: endpoints, deliveries, dead letters."""


def _server(command: Any) -> Any:
    return _json_option(config_option(server_options(command)))


def _terms(command: Any) -> Any:
    for option in (
        click.option(
            "--format",
            "format",
            type=click.Choice(["standard", "slack", "pagerduty"]),
            help="How events look there. Default: standard.",
        ),
        click.option("--routing-key", envvar="PAGERDUTY_ROUTING_KEY", help="Of format pagerduty."),
        click.option("--description", help="One line for people."),
        click.option("--concurrency", type=int, help="Attempts under way at once. Default: 4."),
        click.option("--rate", "rate_per_s", type=float, help="Attempts per second; 0: no limit."),
        click.option("--ordered/--unordered", default=None, help="One at a time, in the order of events."),
        click.option(
            "--filter", "filters", multiple=True, metavar="PATH=VALUE", help="Only where this stands there."
        ),
        click.option("--event", "events", multiple=True, help="A type, such as cost.* or key.created."),
    ):
        command = option(command)
    return command


@webhooks.command("list")
@_server
def list_webhooks(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show the endpoints of the tenant."""
    found = connect(config_path, url, key).call("GET", PATH)
    if as_json:
        _print_json(found)
        return
    rows = [
        (each["endpoint_id"], each["state"], ",".join(each["events"]), each["owner"], each["url"])
        for each in found["webhooks"]
    ]
    print_table(("ENDPOINT", "STATE", "EVENTS", "OWNER", "URL"), rows, nothing="no webhooks")


@webhooks.command("show")
@_endpoint
@_server
def show(endpoint_id: str, **server: Any) -> None:
    """Show ENDPOINT."""
    found, as_json = _call(server, "GET", _path(endpoint_id))
    _print_fields(found, as_json)


@webhooks.command("add")
@click.argument("address", metavar="URL")
@_terms
@_server
def add(
    address: str, config_path: str | None, url: str | None, key: str | None, as_json: bool, **given: Any
) -> None:
    """Have events sent to URL. Its signing secret is printed this once."""
    made = connect(config_path, url, key).call("POST", PATH, {"url": address, **_changes(given)})
    if as_json:
        _print_json(made)
        return
    click.echo(f"made {made['endpoint_id']}; check signatures with this secret, which is not shown again:")
    click.echo(made["secret"])


@webhooks.command("set")
@_endpoint
@click.option("--to", "address", metavar="URL", help="Another address.")
@_terms
@_server
def set_webhook(
    endpoint_id: str,
    address: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Change what is given of ENDPOINT."""
    client = connect(config_path, url, key)
    old = client.call("GET", _path(endpoint_id))
    names = ("url", "events", "filter", "ordered", "rate_per_s", "concurrency", "description", "format")
    body = {**{name: old[name] for name in names}, **_changes(given)}
    body |= {} if address is None else {"url": address}
    changed = client.call("PUT", _path(endpoint_id), body)
    _told(changed, as_json, f"changed {endpoint_id}")


@webhooks.command("delete")
@_endpoint
@_server
def delete(endpoint_id: str, **server: Any) -> None:
    """Remove ENDPOINT, its secret and its deliveries."""
    answer, as_json = _call(server, "DELETE", _path(endpoint_id))
    _told(answer, as_json, f"removed {endpoint_id}")


@webhooks.command("pause")
@_endpoint
@_server
def pause(endpoint_id: str, **server: Any) -> None:
    """Keep events for ENDPOINT until it is resumed."""
    answer, as_json = _call(server, "POST", _path(endpoint_id, "pause"))
    _told(answer, as_json, f"{endpoint_id} is paused; events are kept for it")


@webhooks.command("resume")
@_endpoint
@_server
def resume(endpoint_id: str, **server: Any) -> None:
    """Send to ENDPOINT again, also after it was disabled."""
    answer, as_json = _call(server, "POST", _path(endpoint_id, "resume"))
    _told(answer, as_json, f"{endpoint_id} is active")


@webhooks.command("rotate-secret")
@_endpoint
@click.option(
    "--overlap", "overlap_s", type=float, help="Seconds the old secret still signs. Default: a day."
)
@_server
def rotate_secret(endpoint_id: str, overlap_s: float | None, **server: Any) -> None:
    """Give ENDPOINT the next secret, printed this once."""
    answer, as_json = _call(server, "POST", _path(endpoint_id, "rotate-secret"), {"overlap_s": overlap_s})
    text = f"the old secret still signs for {answer['overlap_s']:g} s; the new one:\n{answer['secret']}"
    _told(answer, as_json, text)


@webhooks.command("test")
@_endpoint
@_server
def test(endpoint_id: str, **server: Any) -> None:
    """Send a test event to ENDPOINT alone."""
    answer, as_json = _call(server, "POST", _path(endpoint_id, "test"))
    text = f"event {answer['event_id']} is on its way; see `interchange webhooks deliveries {endpoint_id}`"
    _told(answer, as_json, text)


@webhooks.command("deliveries")
@_endpoint
@click.option("--state", type=click.Choice(["waiting", "leased", "delivered", "dead"]))
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@_server
def deliveries(endpoint_id: str, state: str | None, limit: int, **server: Any) -> None:
    """Show what was sent to ENDPOINT, newest first."""
    asked = {"limit": limit, **({} if state is None else {"state": state})}
    found, as_json = _call(server, "GET", f"{_path(endpoint_id, 'deliveries')}?{urlencode(asked)}")
    _print_deliveries(found, as_json)


@webhooks.command("dead-letters")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@_server
def dead_letters(limit: int, **server: Any) -> None:
    """Show deliveries that were given up, of all endpoints."""
    found, as_json = _call(server, "GET", f"{PATH}/dead-letters?{urlencode({'limit': limit})}")
    _print_deliveries(found, as_json)


@webhooks.command("delivery")
@_endpoint
@click.argument("delivery_id", metavar="DELIVERY")
@_server
def delivery(endpoint_id: str, delivery_id: str, **server: Any) -> None:
    """Show one delivery: its event, and every attempt."""
    found, as_json = _call(server, "GET", _path(endpoint_id, "deliveries", delivery_id))
    attempts = found["log"]
    _print_fields(found, as_json)
    if not as_json:
        rows = [
            (
                each["at"],
                each["outcome"],
                str(each["status"] or "-"),
                f"{each['duration_ms']} ms",
                each["detail"],
            )
            for each in attempts
        ]
        print_table(("AT", "OUTCOME", "STATUS", "TOOK", "ANSWER"), rows, nothing="no attempt yet")


@webhooks.command("retry")
@_endpoint
@click.argument("delivery_id", metavar="DELIVERY")
@_server
def retry(endpoint_id: str, delivery_id: str, **server: Any) -> None:
    """Send one event again now."""
    answer, as_json = _call(server, "POST", _path(endpoint_id, "deliveries", delivery_id, "retry"))
    _told(answer, as_json, f"{delivery_id} is due now")


@webhooks.command("replay")
@_endpoint
@click.option("--since", required=True, metavar="TIME", help="Such as 2026-03-01T12:00:00Z.")
@click.option("--until", metavar="TIME", help="Not included. Default: now.")
@click.option("--dead-only", is_flag=True, help="Only what is a dead letter now.")
@_server
def replay(endpoint_id: str, since: str, until: str | None, dead_only: bool, **server: Any) -> None:
    """Send events of some time to ENDPOINT again, under the ids they had."""
    body = {"since": since, "until": until, "dead_only": dead_only}
    answer, as_json = _call(server, "POST", _path(endpoint_id, "replay"), body)
    more = "" if answer["more_since"] is None else f"; go on with --since {answer['more_since']}"
    _told(answer, as_json, f"{answer['deliveries']} deliveries are due now{more}")


def _call(server: dict[str, Any], method: str, path: str, body: Any = None) -> tuple[dict[str, Any], bool]:
    client: ApiClient = connect(server["config_path"], server["url"], server["key"])
    answer = client.call(method, path) if body is None else client.call(method, path, body)
    return dict(answer), bool(server["as_json"])


def _path(*parts: str) -> str:
    return "/".join((PATH, *(quote(part, safe="") for part in parts)))


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    names = ("ordered", "concurrency", "description", "format", "routing_key")
    changes = {name: given[name] for name in names if given[name] is not None}
    if given["rate_per_s"] is not None:
        changes["rate_per_s"] = given["rate_per_s"] or None
    if given["events"]:
        changes["events"] = list(given["events"])
    if given["filters"]:
        pairs = [text.partition("=") for text in given["filters"]]
        if any(not sign or not path for path, sign, _ in pairs):
            raise click.UsageError("--filter is written as path=value, such as budget_name=Planner")
        changes["filter"] = {path: _value(text) for path, _, text in pairs}
    return changes


def _value(text: str) -> Any:
    """JSON where it is a plain JSON value, else the text itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(found, (dict, list)) else found


def _told(answer: Any, as_json: bool, text: str) -> None:
    if as_json:
        _print_json(answer)
    else:
        click.echo(text)


def _print_fields(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(found)
        return
    for name, value in found.items():
        if name != "log":
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
            click.echo(f"{name:<16} {'-' if shown in (None, '') else shown}")


def _print_deliveries(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(found)
        return
    rows: Sequence[tuple[str, ...]] = [
        (
            each["delivery_id"],
            each["event_type"],
            each["state"],
            str(each["attempts"]),
            each["outcome"] or "-",
            str(each["status"] or "-"),
            each["next_attempt_at"] or each["settled_at"] or "-",
        )
        for each in found["deliveries"]
    ]
    titles = ("DELIVERY", "EVENT", "STATE", "TRIES", "OUTCOME", "STATUS", "NEXT OR ENDED")
    print_table(titles, rows, nothing="no deliveries")


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
