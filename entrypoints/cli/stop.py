"""`interchange stop`: refuse the requests of an agent, see who is stopped, let them go on."""

import json
import re
import sys
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/stops"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WHO: Final = {
    "agent_id": "agent",
    "session_id": "session",
    "user_id": "user",
    "key_id": "key",
    "workflow_id": "workflow",
    "route": "route",
}


@click.command("stop")
@click.option("--agent", "agent_id", help="The agent, as it names itself in x-interchange-agent-id.")
@click.option("--session", "session_id", help="The conversation, as in x-interchange-session-id.")
@click.option("--user", "user_id", help="The user, as in x-interchange-user-id.")
@click.option("--key-id", "key_id", help="An API key, by its id (`interchange keys list`).")
@click.option("--workflow", "workflow_id", help="The workflow, as in x-interchange-workflow-id.")
@click.option("--route", help="A route.")
@click.option(
    "--tenant",
    "tenant_id",
    help="In this tenant. Default: the key's own; with --list and --lift all that it may see.",
)
@click.option("--reason", default="", help="Told to whoever is refused.")
@click.option("--for", "lasting", metavar="TIME", help="How long: 90s, 30m, 1h, 7d. Default: until lifted.")
@click.option("--now", is_flag=True, help="End their running requests too; without it these may finish.")
@click.option("--list", "listing", is_flag=True, help="Show who is stopped.")
@click.option("--ended", is_flag=True, help="With --list: stops that ended within a week as well.")
@click.option(
    "--lift",
    "stop_id",
    metavar="[STOP_ID]",
    is_flag=False,
    flag_value="",
    help="Let whoever this stop stops go on: by its id, or by the options that name whom it stops.",
)
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
def stop(config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any) -> None:
    """Refuse requests of an agent from now on, everywhere within a second.

    Give at least one of --agent, --session, --user, --key-id, --workflow and --route; requests are refused
    that agree with all that are given. With --lift the same options find the stop: the one of exactly those,
    or else the only one that concerns them.
    """
    who = {name: asked[name] for name in _WHO if asked[name]}
    _check(asked, who)
    lasting_s = None if asked["lasting"] is None else _duration_s(asked["lasting"])
    client = connect(config_path, url, key)
    if asked["listing"]:
        _show_list(client, asked["tenant_id"], asked["ended"], as_json)
    elif asked["stop_id"] is not None:
        _lift(client, asked["stop_id"], who, asked["tenant_id"], as_json)
    else:
        body = {**who, "reason": asked["reason"], "for_s": lasting_s, "now": asked["now"]}
        if asked["tenant_id"] is not None:
            body["tenant_id"] = asked["tenant_id"]
        made = client.call("POST", PATH, body)
        until = "until lifted" if made["expires_at"] is None else f"until {_shown_time(made['expires_at'])}"
        text = f"{_subject(made)} is stopped {until}; lift it with: interchange stop --lift {made['stop_id']}"
        _show(made, text, as_json)


def _check(asked: dict[str, Any], who: dict[str, str]) -> None:
    """Raises click.UsageError for what cannot be meant."""
    if asked["stop_id"] == "" and not who:
        raise click.UsageError("--lift needs a stop's id (--list shows them), or whom it stops: --agent …")
    of_somebody = bool(who) and asked["stop_id"] != ""
    wanted = [of_somebody, asked["listing"], asked["stop_id"] is not None]
    if sum(wanted) > 1:
        raise click.UsageError("name whom to stop, or give --list, or --lift; not several of them")
    if not any(wanted):
        raise click.UsageError(
            "name whom to stop, such as --agent researcher, or give --list or --lift. A server is stopped "
            "with Ctrl-C or SIGTERM where it runs."
        )


def _duration_s(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if found is None or not int(found[1]):
        raise click.UsageError(f"--for {text[:40]!r} is no time; allowed: 90s, 30m, 1h, 7d")
    return int(found[1]) * _SECONDS[found[2]]


def _show(answer: Any, text: str, as_json: bool) -> None:
    click.echo(json.dumps(answer, indent=2) if as_json else text)


def _lift(client: ApiClient, stop_id: str, who: dict[str, str], tenant_id: str | None, as_json: bool) -> None:
    """Raises click.ClickException where no stop in force is meant, or more than one could be."""
    left: list[dict[str, Any]] = []
    if not stop_id:
        found = _agreeing(_stops(client, tenant_id)["stops"], who)
        exact = [each for each in found if _named(each) == who]
        meant = exact or found
        if not meant:
            raise click.ClickException(
                f"no stop in force of {_in_words(who)}; `interchange stop --list` shows all"
            )
        if len(meant) > 1:
            lines = "".join(f"\n  {each['stop_id']}  {_place(each)}: {each['reason']}" for each in meant)
            raise click.ClickException(
                f"several stops of {_in_words(who)}; name one by its id (--lift STOP_ID):{lines}"
            )
        stop_id = meant[0]["stop_id"]
        left = [each for each in found if each["stop_id"] != stop_id]
    lifted = client.call("DELETE", f"{PATH}/{quote(stop_id, safe='')}")
    text = f"{lifted['stop_id']} is lifted: {_place(lifted)} may go on."
    for each in left:
        text += f"\nStill stopped: {_place(each)} ({each['stop_id']})."
    _show(lifted, text, as_json)


def _agreeing(stops: list[dict[str, Any]], who: dict[str, str]) -> list[dict[str, Any]]:
    return [each for each in stops if all(each[name] == value for name, value in who.items())]


def _named(stop: dict[str, Any]) -> dict[str, str]:
    return {name: stop[name] for name in _WHO if stop[name]}


def _in_words(who: dict[str, str]) -> str:
    return ", ".join(f"{_WHO[name]} {value!r}" for name, value in who.items())


def _place(stop: dict[str, Any]) -> str:
    return f"{_subject(stop)} in tenant {stop['tenant_id']}"


def _stops(client: ApiClient, tenant_id: str | None, *, ended: bool = False) -> Any:
    query = {"ended": "true"} if ended else {}
    if tenant_id is not None:
        query["tenant_id"] = tenant_id
    return client.call("GET", f"{PATH}?{urlencode(query)}" if query else PATH)


def _show_list(client: ApiClient, tenant_id: str | None, ended: bool, as_json: bool) -> None:
    answer = _stops(client, tenant_id, ended=ended)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not answer["stops"]:
        click.echo("nobody is stopped")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("STOP ID", "TENANT", "WHO", "CAUSE", "SINCE", "UNTIL", "REASON"):
        table.add_column(title, overflow="fold", no_wrap=title in {"STOP ID", "CAUSE"})
    for each in answer["stops"]:
        table.add_row(
            each["stop_id"],
            each["tenant_id"],
            escape(_subject(each)),
            each["cause"],
            _shown_time(each["created_at"]),
            _until(each),
            escape(each["reason"]),
        )
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    Console(width=None if sys.stdout.isatty() else 220).print(table)


def _subject(stop: dict[str, Any]) -> str:
    return _in_words(_named(stop))


def _until(stop: dict[str, Any]) -> str:
    if stop["lifted_at"] is not None:
        return f"lifted {_shown_time(stop['lifted_at'])}"
    return "it is lifted" if stop["expires_at"] is None else _shown_time(stop["expires_at"])


def _shown_time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
