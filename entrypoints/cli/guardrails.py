"""`interchange guardrails`: which guardrails there are, and what they would say to a text or a request."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option

PATH: Final = "/api/v1/guardrails"
REFUSED: Final = 1
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")


@click.group()
def guardrails() -> None:
    """What is checked in what callers send and get."""


@guardrails.command("list")
@config_option
@server_options
@_json_option
def list_(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show the guardrails that routes and tenants may name."""
    answer = connect(config_path, url, key).call("GET", PATH)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for each in answer["guardrails"]:
        everywhere = "  (everywhere)" if each["everywhere"] else ""
        click.echo(
            f"{each['name']}: {each['kind']} in {', '.join(each['where'])}: {each['action']}{everywhere}"
        )
    if not answer["guardrails"]:
        click.echo("none; see docs/guardrails.md")
    if answer["tenant"]:
        click.echo(f"Your tenant adds {', '.join(answer['tenant'])}.")


@guardrails.command("check")
@click.argument("text", required=False)
@click.option(
    "--body",
    "body_file",
    type=click.Path(dir_okay=False, exists=True, allow_dash=True, path_type=Path),
    help="A request in a file instead of a text; - reads standard input.",
)
@click.option("--dialect", default="openai.chat", show_default=True, help="What the request is.")
@click.option("--guardrail", "names", multiple=True, help="This one; repeatable. Default: those for all.")
@click.option("--route", default="", help="Those of this route.")
@click.option("--where", default="prompts", show_default=True, help="Where the text stands.")
@click.option("--outside", is_flag=True, help="Really ask webhooks.")
@config_option
@server_options
@_json_option
def check(
    text: str | None,
    body_file: Path | None,
    names: tuple[str, ...],
    outside: bool,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
    **asked: str,
) -> None:
    """Show what guardrails say to TEXT. No provider is asked; refused: exit status 1."""
    if (text is None) == (body_file is None):
        raise click.UsageError("give a text, or --body with a file")
    dialect = asked.pop("dialect")
    wanted: dict[str, Any] = {name: value for name, value in asked.items() if value}
    wanted |= {"guardrails": list(names), "outside": outside}
    if body_file is None:
        wanted["text"] = text
    else:
        wanted |= {"body": _body(body_file), "dialect": dialect}
    answer = connect(config_path, url, key).call("POST", f"{PATH}/check", wanted)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        _print(answer)
    if not answer["allowed"]:
        raise SystemExit(REFUSED)


def _body(path: Path) -> Any:
    raw = sys.stdin.read() if str(path) == "-" else path.read_text()
    try:
        return json.loads(raw)
    except ValueError as error:
        raise click.UsageError(f"--body is not valid JSON: {error}") from None


def _print(answer: dict[str, Any]) -> None:
    for each in answer["verdicts"]:
        field = f" in {each['field']}" if each["field"] else ""
        click.echo(f"{each['guardrail']}: {each['action']}: {each['reason']}{field}")
    if not answer["verdicts"]:
        asked = ", ".join(answer["asked"])
        click.echo(f"no objection ({asked})" if asked else "no guardrail was asked")
    if answer["unasked"]:
        click.echo(f"not asked: {', '.join(answer['unasked'])} (--outside)")
    if not answer["allowed"]:
        click.echo("refused")
    elif answer["text"] is not None:
        click.echo(answer["text"])
    else:
        click.echo(json.dumps(answer["body"], indent=2, ensure_ascii=False))
