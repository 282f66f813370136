"""`interchange quality` and `interchange models compare`: how good the answers of each model are."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option


@click.command("quality")
@click.option("--provider", help="Only this provider's answers.")
@click.option("--model", help="Only this model's answers.")
@click.option("--task", help="Only tasks of this kind: chat, code, extraction, tools, vision, audio.")
@click.option("--route", help="Only requests on this route.")
@click.option("--tenant", "tenant_id", help="Only this tenant's.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="Last days, today too."
)
@click.option(
    "--by",
    default="provider,model,task",
    show_default=True,
    help="Comma list of provider, model, task and route.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@config_option
@server_options
def quality(as_json: bool, config_path: str | None, url: str | None, key: str | None, **asked: Any) -> None:
    """How good answers are: what people, judges and checks say, beside latency and cost.

    QUALITY is what to expect, with its 95 % interval: opinions shrunk to the declared quality, less what
    fails checks.
    """
    query = {name: value for name, value in asked.items() if value is not None}
    found = connect(config_path, url, key).call("GET", f"/api/v1/analytics/quality?{urlencode(query)}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found["rows"]:
        click.echo(f"no model answered anything in words within {found['days']} days")
        return
    by = found["by"]
    titles = [
        *(name.upper() for name in by),
        *("QUALITY", "DECLARED", "PEOPLE", "JUDGE", "FAILED CHECKS", "REFUSED", "CUT OFF"),
        *("REQUESTS", "LATENCY", "COST EACH"),
    ]
    _print(titles, ([*(row[name] or "any" for name in by), *_told(row)] for row in found["rows"]))


@click.command("compare")
@click.argument("one")
@click.argument("other")
@click.option("--task", help="Only tasks of this kind.")
@click.option("--route", help="Only requests on this route.")
@click.option("--tenant", "tenant_id", help="Only this tenant's.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="Last days, today too."
)
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@config_option
@server_options
def compare(
    one: str,
    other: str,
    as_json: bool,
    config_path: str | None,
    url: str | None,
    key: str | None,
    **asked: Any,
) -> None:
    """Which of two models answers better, task by task: ONE and OTHER are names or `provider/model`.

    From what happened, not from an experiment: the two may have been asked other things.
    """
    query = {name: value for name, value in asked.items() if value is not None}
    query["models"] = f"{one},{other}"
    path = f"/api/v1/analytics/models/compare?{urlencode(query)}"
    found = connect(config_path, url, key).call("GET", path)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found["tasks"]:
        click.echo(f"there is no task that both answered within {found['days']} days")
        return
    for task in found["tasks"]:
        apart = "" if task["difference"] is None else f", difference {_interval(task['difference'])}"
        click.echo(f"{task['task']}: {task['better'] or 'nobody can say'} ({task['why']}{apart})")
        titles = ["MODEL", "OPINIONS", "PEOPLE", "JUDGE", "FAILED CHECKS", "REQUESTS", "LATENCY", "COST EACH"]
        rows = []
        for model in task["models"]:
            people, judge, failed, _, _, requests, latency, cost = _told(model, brief=True)
            rows.append(
                [model["model"], f"{model['opinions']:g}", people, judge, failed, requests, latency, cost]
            )
        _print(titles, rows)


def _told(row: Mapping[str, Any], *, brief: bool = False) -> list[str]:
    said = [
        _counted(row["feedback"]["mean"], row["feedback"]["count"]),
        _counted(row["judge"]["mean"], row["judge"]["count"]),
        _counted(row["checks"]["failing_rate"], row["checks"]["count"]),
        _share(row["refusal_rate"]),
        _share(row["truncated_rate"]),
        str(row["requests"]),
        "-" if row["latency_ms"] is None else f"{row['latency_ms']:.0f} ms",
        "-" if row["cost_per_request_usd"] is None else f"${row['cost_per_request_usd']}",
    ]
    if brief:
        return said
    declared = "-" if row["declared"] is None else f"{row['declared']:.2f}"
    return [_interval(row["quality"]), declared, *said]


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def _counted(found: Mapping[str, float] | None, count: int) -> str:
    return "-" if found is None else f"{found['value']:.2f} of {count}"


def _share(found: Mapping[str, float] | None) -> str:
    return "-" if found is None else f"{100 * found['value']:.1f} %"


def _print(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else 220).print(table)
