"""`interchange sla` and `interchange alerts`: how the service stands, what fires, and keeping it quiet.

Exit status: 0 done, 1 failed (`sla`: an objective is not met), 2 not understood.
"""

import json
import time
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table

PATH: Final = "/api/v1/alerts"
EVERY_S: Final = 5.0
_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print the server's answer as it is."
)


@click.command("sla")
@config_option
@server_options
@_json_option
def sla(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show objectives: what was reached, what is left of error budgets, how fast they burn."""
    found = connect(config_path, url, key).call("GET", "/api/v1/sla")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        rows = [_objective(each) for each in found["objectives"]]
        titles = (
            "OBJECTIVE",
            "TARGET",
            "REACHED",
            "LAST HOUR",
            "BUDGET LEFT",
            "BURNS 1h / 6h / 3d",
            "REQUESTS",
        )
        print_table(titles, rows, nothing="no objectives of this tenant")
    if any(each["met"] is False for each in found["objectives"]):
        raise SystemExit(1)


@click.command("alerts")
@click.option("--watch", is_flag=True, help="Show changes as they come, until Ctrl-C.")
@click.option("--history", is_flag=True, help="What happened, instead of what fires now.")
@click.option("--rules", is_flag=True, help="When alerts fire, instead of what fires now.")
@click.option("--rule", help="Only this rule's, such as latency-p95.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Of the history.")
@click.option("--silence", "silence_id", metavar="ALERT_ID", help="Tell nothing of it for --for seconds.")
@click.option(
    "--for", "for_s", type=float, default=3600.0, show_default=True, help="Seconds; 0 ends a silence."
)
@click.option("--reason", default="", help="Why it is silenced.")
@click.option("--acknowledge", "acknowledge_id", metavar="ALERT_ID", help="Say that you look after it.")
@config_option
@server_options
@_json_option
def alerts(config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any) -> None:
    """Show what fires and what is about to; silence and acknowledge."""
    wanted = [name for name in ("watch", "history", "rules", "silence_id", "acknowledge_id") if asked[name]]
    if len(wanted) > 1:
        raise click.UsageError("give only one of --watch, --history, --rules, --silence and --acknowledge")
    client = connect(config_path, url, key)
    if asked["silence_id"]:
        body = {"for_s": asked["for_s"], "reason": asked["reason"]}
        _done(client.call("POST", f"{_one(asked['silence_id'])}/silence", body), as_json)
    elif asked["acknowledge_id"]:
        _done(client.call("POST", f"{_one(asked['acknowledge_id'])}/acknowledge", {}), as_json)
    elif asked["history"]:
        _history(
            client.call("GET", f"{PATH}/history?{urlencode({'limit': asked['limit']})}"),
            asked["rule"],
            as_json,
        )
    elif asked["rules"]:
        _rules(client.call("GET", f"{PATH}/rules"), as_json)
    elif asked["watch"]:
        _watch(client, asked["rule"], as_json)
    else:
        _active(_ask(client, asked["rule"]), as_json)


def _ask(client: ApiClient, rule: str | None) -> Any:
    query = f"?{urlencode({'rule': rule})}" if rule else ""
    return client.call("GET", f"{PATH}{query}")


def _one(alert_id: str) -> str:
    return f"{PATH}/{quote(alert_id, safe='')}"


def _active(found: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (each["alert_id"], _state(each), each["severity"], each["rule"], each["subject"] or "-", each["note"])
        for each in found["alerts"]
    ]
    print_table(("ALERT", "STATE", "SEVERITY", "RULE", "ABOUT", "WHAT"), rows, nothing="nothing fires")


def _history(found: Any, rule: str | None, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (each["at"][:19], each["what"], each["rule"], each["subject"] or "-", each["note"], each["by"] or "-")
        for each in found["history"]
        if rule in (None, each["rule"])
    ]
    print_table(("WHEN (UTC)", "WHAT", "RULE", "ABOUT", "NOTE", "BY"), rows, nothing="nothing happened")


def _rules(found: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (
            each["rule"],
            each["severity"] if each["enabled"] else "off",
            f"{'>' if each['above'] else '<'} {each['threshold']:g} {each['unit']}",
            f"{each['for_s']:g} s",
            each["title"],
        )
        for each in found["rules"]
    ]
    print_table(("RULE", "SEVERITY", "FIRES AT", "FOR", "TITLE"), rows, nothing="no rules")


def _watch(client: ApiClient, rule: str | None, as_json: bool) -> None:
    """One line for each change; a server that is away is asked again."""
    known: dict[str, str] = {}
    while True:
        try:
            now = {each["alert_id"]: each for each in _ask(client, rule)["alerts"]}
        except click.ClickException as error:
            click.echo(f"… {error.message}", err=True)
            time.sleep(EVERY_S)
            continue
        for alert_id, each in now.items():
            state = _state(each)
            if known.get(alert_id) != state:
                text = f"{state:<10} {each['severity']:<8} {each['rule']} {each['subject']}: {each['note']}"
                click.echo(json.dumps(each) if as_json else text)
            known[alert_id] = state
        for alert_id in [name for name in known if name not in now]:
            click.echo(
                json.dumps({"alert_id": alert_id, "state": "inactive"})
                if as_json
                else f"over       {alert_id}"
            )
            del known[alert_id]
        time.sleep(EVERY_S)


def _done(alert: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(alert, indent=2))
    elif alert["silenced_until"]:
        click.echo(
            f"{alert['alert_id']} ({alert['rule']}) is silent until {alert['silenced_until'][:19]} UTC"
        )
    elif alert["acknowledged_by"]:
        click.echo(f"{alert['alert_id']} ({alert['rule']}) is looked after by {alert['acknowledged_by']}")
    else:
        click.echo(f"{alert['alert_id']} ({alert['rule']}) is not silenced any more")


def _state(alert: Any) -> str:
    if alert["silenced_until"]:
        return "silenced"
    return "looked at" if alert["acknowledged_by"] and alert["state"] == "firing" else str(alert["state"])


def _objective(each: Any) -> tuple[str, ...]:
    limit = f" ≤ {each['limit_ms']:g} ms" if each["limit_ms"] else ""
    scope = ", ".join(f"{name} {each[name]}" for name in ("tenant", "route") if each[name])
    met = {True: "", False: " ✗", None: ""}[each["met"]]
    burns = " / ".join("-" if rate["long"] is None else f"{rate['long']:.1f}" for rate in each["burn_rates"])
    return (
        each["name"] + (f" ({scope})" if scope else ""),
        f"{each['target'] * 100:g} %{limit}",
        _percent(each["good_share"]) + met,
        _percent(each["good_share_1h"]),
        _percent(each["error_budget_left"]),
        burns,
        str(each["requests"]),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.2f} %"
