"""`interchange experiment`: A/B tests of routes on a running server.

Exit status: 0 done, 1 failed, 2 not understood.
"""

import json
from typing import Any, Final
from urllib.parse import quote

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table

PATH: Final = "/api/v1/experiments"
_METRICS: Final = ("cost", "latency", "quality", "errors")
_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print the server's answer as it is."
)


@click.group("experiment")
def experiment() -> None:
    """Try ways of answering a route on a share of its users, and see which is better."""


@experiment.command("list")
@config_option
@server_options
@_json_option
def list_experiments(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show experiments."""
    found = connect(config_path, url, key).call("GET", PATH)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (
            each["name"],
            each["status"],
            each["route"],
            _arms(each),
            f"{each['metric']} by {each['unit']}",
            each["declared_in"] or each["experiment_id"],
        )
        for each in found["experiments"]
    ]
    titles = ("NAME", "STATUS", "ROUTE", "ARMS", "JUDGED", "ID OR PLACE")
    print_table(titles, rows, nothing="no experiments; make one with `interchange experiment create`")


@experiment.command("show")
@click.argument("name")
@config_option
@server_options
@_json_option
def show(name: str, config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show what NAME (a name or an id) tells: means of each arm, and what may be concluded."""
    client = connect(config_path, url, key)
    found = client.call("GET", _path(_one_of(client, name)))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    results = found["results"]
    click.echo(f"{found['name']}: {found['status']}, route {found['route']}, {_arms(found)}")
    click.echo(results["decision_text"])
    for route in found["missing_routes"]:
        click.echo(f"There is no route {route} any more: nobody takes part until it is back.")
    # Where units are requests, one column says both.
    by_request = found["unit"] == "request"
    rows = [
        (
            arm["name"],
            *([] if by_request else [str(arm["units"])]),
            str(arm["requests"]),
            *(arm["metrics"][metric]["text"] or "-" for metric in _METRICS),
            arm["difference_text"] or "-",
            arm["verdict_text"],
        )
        for arm in results["arms"]
    ]
    units = () if by_request else (f"{found['unit'].upper()}S",)
    differs = f"{found['metric'].upper()} FROM CONTROL"
    titles = ("ARM", *units, "REQUESTS", "COST", "LATENCY", "QUALITY", "ERRORS", differs, "VERDICT")
    print_table(titles, rows, nothing="")
    _show_answers(results)
    for arm in found["arms"]:
        if arm["stopped_because"]:
            click.echo(f"{arm['name']} was stopped: {arm['stopped_because']}")


@experiment.command("create")
@click.argument("name")
@click.option("--route", required=True, help="The route whose requests take part.")
@click.option(
    "--arm",
    "arms",
    multiple=True,
    metavar="NAME=ROUTE[:WEIGHT]",
    help="The first is control; at least one more, or a shadow.",
)
@click.option(
    "--shadow",
    "shadows",
    multiple=True,
    metavar="NAME=ROUTE[:SHARE]",
    help="Answers nobody: gets copies of a share of the requests (0.1 unless said), beside them.",
)
@click.option("--shadow-usd-per-day", type=float, help="What each shadow may cost on a day. Default: 1.")
@click.option("--unit", type=click.Choice(["tenant", "user", "session", "request"]), default="user")
@click.option("--metric", type=click.Choice(_METRICS), default="cost", help="What decides.")
@click.option(
    "--guardrail",
    "guardrails",
    multiple=True,
    metavar="METRIC=WORSE_BY",
    help="Stops an arm that is worse by more, such as errors=0.05 (points) or cost=0.2 (a share).",
)
@click.option("--min-samples", type=int, default=100, show_default=True, help="Units of each arm.")
@click.option("--everyone", is_flag=True, help="Requests of all tenants, not only of this key's.")
@click.option("--start", is_flag=True, help="Start it at once.")
@config_option
@server_options
@_json_option
def create(
    name: str, config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any
) -> None:
    """Make the experiment NAME, as a draft or at once running."""
    body = {
        "name": name,
        "route": asked["route"],
        "arms": [
            *(_arm(text) for text in asked["arms"]),
            *(_shadow(text, asked["shadow_usd_per_day"]) for text in asked["shadows"]),
        ],
        "unit": asked["unit"],
        "metric": asked["metric"],
        "guardrails": [_guardrail(text) for text in asked["guardrails"]],
        "min_samples": asked["min_samples"],
        "everyone": asked["everyone"],
    }
    client = connect(config_path, url, key)
    made = client.call("POST", PATH, body)
    if asked["start"]:
        made = client.call("POST", f"{_path(made['experiment_id'])}/start", {})
    _told(made, as_json)


@experiment.command("start")
@click.argument("name")
@config_option
@server_options
@_json_option
def start(name: str, config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Let requests take part in NAME."""
    _act(connect(config_path, url, key), name, "start", {}, as_json)


@experiment.command("stop")
@click.argument("name")
@config_option
@server_options
@_json_option
def stop(name: str, config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """End NAME; its results stay."""
    _act(connect(config_path, url, key), name, "stop", {}, as_json)


@experiment.command("promote")
@click.argument("name")
@click.argument("arm")
@config_option
@server_options
@_json_option
def promote(
    name: str, arm: str, config_path: str | None, url: str | None, key: str | None, as_json: bool
) -> None:
    """Make the way of ARM that of the route of NAME."""
    _act(connect(config_path, url, key), name, "promote", {"arm": arm}, as_json)


@experiment.command("delete")
@click.argument("name")
@config_option
@server_options
def delete(name: str, config_path: str | None, url: str | None, key: str | None) -> None:
    """Remove NAME, which must not run."""
    client = connect(config_path, url, key)
    found = _one_of(client, name)
    client.call("DELETE", _path(found))
    click.echo(f"removed {name} ({found})")


def _show_answers(results: Any) -> None:
    """What shadows would have said, beside control."""
    for arm in results["arms"]:
        if arm["shadow"]:
            seen = arm["answers"]
            told = (seen or {}).get("text") or "nothing compared yet"
            click.echo(f"{arm['name']} (a shadow; nobody was answered by it): {told}")


def _act(client: ApiClient, name: str, act: str, body: dict[str, Any], as_json: bool) -> None:
    _told(client.call("POST", f"{_path(_one_of(client, name))}/{act}", body), as_json)


def _told(found: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"{found['name']} ({found['experiment_id']}) is {found['status']}")


def _one_of(client: ApiClient, wanted: str) -> str:
    found = [
        str(each["experiment_id"])
        for each in client.call("GET", PATH)["experiments"]
        if wanted in (each["name"], each["experiment_id"])
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(f"no experiment {wanted!r}")
    raise click.ClickException(
        f"{len(found)} experiments are called {wanted!r}: name one by its id ({', '.join(found)})"
    )


def _arms(found: Any) -> str:
    return ", ".join(
        f"{arm['name']} {100 * arm['share']:.3g} %"
        + (" shadow" if arm["shadow"] else "")
        + (" (stopped)" if arm["stopped_at"] else "")
        for arm in found["arms"]
    )


def _arm(text: str) -> dict[str, Any]:
    name, sign, rest = text.partition("=")
    # Names of routes may have colons themselves: only a whole number behind the last one is a weight.
    route, colon, weight = rest.rpartition(":")
    if not colon or not weight.isdigit():
        route, weight = rest, "1"
    if not sign or not name or not route:
        raise click.UsageError("--arm is written as name=route or name=route:weight")
    return {"name": name, "route": route, "weight": int(weight)}


def _shadow(text: str, usd_per_day: float | None) -> dict[str, Any]:
    name, sign, rest = text.partition("=")
    route, colon, said = rest.rpartition(":")
    share: float | None = None
    if colon:
        try:
            share = float(said)
        except ValueError:
            route = rest
    else:
        route = rest
    if not sign or not name or not route:
        raise click.UsageError("--shadow is written as name=route or name=route:share")
    return {"name": name, "route": route, "shadow": True, "share": share, "usd_per_day": usd_per_day}


def _guardrail(text: str) -> dict[str, Any]:
    metric, _, worse_by = text.partition("=")
    try:
        return {"metric": metric, "worse_by": float(worse_by)}
    except ValueError:
        raise click.UsageError("--guardrail is written as metric=worse_by, such as errors=0.05") from None


def _path(experiment_id: str) -> str:
    return f"{PATH}/{quote(experiment_id, safe='')}"
