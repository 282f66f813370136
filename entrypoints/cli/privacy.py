"""`interchange privacy`: which policies there are, what they would make of a text, and users' own data."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.privacy_users import erase_user, export_user

PATH: Final = "/api/v1/privacy"
REFUSED: Final = 1
_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")


@click.group()
def privacy() -> None:
    """What is done about personal data in what callers send and get."""


@privacy.command("policies")
@config_option
@server_options
@_json_option
def policies(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show the policies that routes and tenants may name."""
    answer = connect(config_path, url, key).call("GET", PATH)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for policy in answer["policies"]:
        kinds = ", ".join(f"{kind}: {act}" for kind, act in policy["kinds"].items())
        general = "  (general)" if policy["name"] == answer["default"] else ""
        click.echo(f"{policy['name']}: {policy['default']}{'; ' + kinds if kinds else ''}{general}")
    if answer["tenant"]:
        click.echo(f"Your tenant adds {answer['tenant']}.")


@privacy.command("check")
@click.argument("text", required=False)
@click.option(
    "--body",
    "body_file",
    type=click.Path(dir_okay=False, exists=True, allow_dash=True, path_type=Path),
    help="A request in a file instead of a text; - reads standard input.",
)
@click.option("--dialect", default="openai.chat", show_default=True, help="What the request is.")
@click.option("--policy", default="", help="By this policy. Default: the general one.")
@click.option("--route", default="", help="By the rules of this route.")
@click.option("--where", default="prompts", show_default=True, help="Where the text stands.")
@config_option
@server_options
@_json_option
def check(
    text: str | None,
    body_file: Path | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
    **asked: str,
) -> None:
    """Show what would be found in TEXT and what would go on. Nothing is sent; refused: exit status 1."""
    if (text is None) == (body_file is None):
        raise click.UsageError("give a text, or --body with a file")
    dialect = asked.pop("dialect")
    wanted: dict[str, Any] = {name: value for name, value in asked.items() if value}
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
    counts = Counter((each["kind"], each["act"], each["field"]) for each in answer["findings"])
    for (kind, act, field), count in counts.items():
        click.echo(f"{kind} in {field}: {act}{f' ({count} times)' if count > 1 else ''}")
    if not counts:
        click.echo("nothing found")
    if not answer["allowed"]:
        click.echo(f"refused by {answer['policy']}")
    elif answer["text"] is not None:
        click.echo(answer["text"])
    else:
        click.echo(json.dumps(answer["body"], indent=2, ensure_ascii=False))


privacy.add_command(export_user)
privacy.add_command(erase_user)
