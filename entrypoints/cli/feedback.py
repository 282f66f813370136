"""`interchange feedback`: say how good an answer was, and see what was said."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/feedback"


@click.group()
def feedback() -> None:
    """What people think of answers."""


@feedback.command("add")
@click.argument("request_id")
@click.option("--rating", type=click.IntRange(1, 5), help="1 (worst) to 5 (best).")
@click.option("--thumbs", type=click.Choice(["up", "down"]), help="Worth 1 and 0.")
@click.option("--score", type=click.FloatRange(0, 1), help="0 (worst) to 1 (best).")
@click.option("--label", help="A word, such as correct, incorrect, helpful, rejected or one of yours.")
@click.option("--source", default="", help="Tells several who speak with one key apart.")
@click.option("--comment", default="", help="Kept without the personal data that is found in it.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@config_option
@server_options
def add(
    request_id: str, as_json: bool, config_path: str | None, url: str | None, key: str | None, **said: Any
) -> None:
    """Say how good the answer to REQUEST_ID was, its `x-request-id`. What was said before is replaced."""
    given = [name for name in ("rating", "thumbs", "score", "label") if said[name] is not None]
    if len(given) != 1:
        raise click.UsageError("give exactly one of --rating, --thumbs, --score and --label")
    body = {name: value for name, value in said.items() if value not in (None, "")}
    kept = connect(config_path, url, key).call("POST", PATH, {"request_id": request_id, **body})
    if as_json:
        click.echo(json.dumps(kept, indent=2))
        return
    worth = "no score" if kept["score"] is None else f"{kept['score']:g}"
    click.echo(f"kept: {kept['kind']} {kept['said']} ({worth}) for {kept['provider']}/{kept['model']}")


@feedback.command("list")
@click.option("--request", "request_id", help="Only of this request.")
@click.option("--provider", help="Only of answers of this provider.")
@click.option("--model", help="Only of answers of this model.")
@click.option("--task", help="Only of tasks of this kind.")
@click.option("--route", help="Only of requests on this route.")
@click.option("--source", help="Only from this source.")
@click.option("--tenant", "tenant_id", help="Only this tenant's.")
@click.option("--below", "score_max", type=click.FloatRange(0, 1), help="Only what is worth so much or less.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@config_option
@server_options
def show(as_json: bool, config_path: str | None, url: str | None, key: str | None, **where: Any) -> None:
    """Show what was said of answers, the newest first."""
    query = {name: value for name, value in where.items() if value is not None}
    found = connect(config_path, url, key).call("GET", f"{PATH}?{urlencode(query)}")
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if not found["feedback"]:
        click.echo("nobody said anything yet; say it with: interchange feedback add REQUEST_ID --rating 1-5")
        return
    _print(found["feedback"])


def _print(rows: list[Mapping[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("GIVEN", "REQUEST", "MODEL", "TASK", "SAID", "SCORE", "BY", "COMMENT"):
        table.add_column(title, overflow="fold", no_wrap=title in {"GIVEN", "REQUEST", "SCORE"})
    for row in rows:
        table.add_row(
            row["given_at"][:19],
            row["request_id"],
            escape(f"{row['provider']}/{row['model']}"),
            row["task"],
            escape(f"{row['kind']} {row['said']}"),
            "-" if row["score"] is None else f"{row['score']:.2f}",
            escape(row["source"] or row["key_id"]),
            escape(row["comment"]),
        )
    Console(width=None if sys.stdout.isatty() else 220).print(table)
