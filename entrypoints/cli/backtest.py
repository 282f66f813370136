"""`interchange backtest`: what another policy would have brought, from what was recorded.

Exit status: 0 concluded, 1 failed, 2 not understood, 3 refused to conclude.
"""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table

PATH: Final = "/api/v1/routing/backtest"
REFUSED: Final = 3
_METRICS: Final = ("cost", "latency", "quality", "errors")
_SPAN: Final = re.compile(r"([1-9]\d{0,5})([mhd])")
_SPANS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_FILES: Final = (".yaml", ".yml", ".json")
_FILE_BYTES_MAX: Final = 1_000_000
_VERDICTS: Final = {"lower": "lower", "higher": "higher", "unclear": "may be either", "refused": "refused"}


@click.command("backtest")
@click.option("--route", required=True, help="Whose recorded requests are taken.")
@click.option(
    "--policy",
    required=True,
    metavar="FILE|ROUTE",
    help="A YAML or JSON file with `strategy` and `targets`, or the name of a route.",
)
@click.option(
    "--since", default="7d", show_default=True, help="So long ago (30m, 12h, 7d), or 2030-01-31T12:00:00Z."
)
@click.option("--until", help="Only requests that began before. Default: now.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=click.Choice(_METRICS),
    help="What has to be concluded; may be repeated. Default: cost, latency and errors, and quality where "
    "answers were scored.",
)
@click.option("--requests-max", type=click.IntRange(1, 100_000), help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
@config_option
@server_options
def backtest(config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any) -> None:
    """What another policy would have brought on a route: estimates with intervals from recorded requests.

    Exit status 3: nothing may be concluded; what is missing is said.
    """
    now = datetime.now(UTC)  # noqa: TID251 - a command has no clock to be given
    body: dict[str, Any] = {
        "route": asked["route"],
        "policy": policy_of(asked["policy"]),
        "from": moment(asked["since"], now, "--since"),
        "metrics": list(asked["metrics"]),
    }
    if asked["until"] is not None:
        body["to"] = moment(asked["until"], now, "--until")
    if asked["requests_max"] is not None:
        body["requests_max"] = asked["requests_max"]
    found = connect(config_path, url, key).call("POST", PATH, body)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(found)
    if not found["concluded"]:
        sys.exit(REFUSED)


def policy_of(text: str) -> Any:
    """What a file says, or the name itself. Raises UsageError."""
    path = Path(text)
    if path.suffix not in _FILES:
        return text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if path.stat().st_size > _FILE_BYTES_MAX:
            raise click.UsageError(f"{text}: larger than {_FILE_BYTES_MAX} bytes")
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{text}: {error.strerror}") from None
    except (UnicodeDecodeError, YAMLError) as error:
        raise click.UsageError(f"{text}: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{text}: `strategy` and `targets` are expected")
    return found


def moment(text: str, now: datetime, option: str) -> str:
    """A time, or a span before `now`, as an ISO time. Raises UsageError."""
    span = _SPAN.fullmatch(text)
    try:
        if span is None:
            datetime.fromisoformat(text)
            return text
        return (now - timedelta(**{_SPANS[span[2]]: int(span[1])})).isoformat()
    except (ValueError, OverflowError):
        raise click.UsageError(
            f"{option}: {text!r} is neither a span such as 30m, 12h or 7d, nor a time such as "
            "2030-01-31T12:00:00Z"
        ) from None


def show(found: dict[str, Any]) -> None:
    """A row for each metric, then why nothing is concluded, then what is known anyway."""
    times = f"{_to_seconds(found['from'])} to {_to_seconds(found['to'])}"
    click.echo(
        f"route {found['route']}, {times}: {found['requests']} requests, {found['decisions']} decisions, "
        f"{found['drawn']} of them drawn"
    )
    if found["truncated"]:
        click.echo("There were more requests before; --requests-max takes more of them.")
    if found["left_out"]:
        told = ", ".join(f"{count} {why}" for why, count in found["left_out"].items())
        click.echo(f"In no estimate: {told}")
    titles = ("METRIC", "LOGGED", "ESTIMATED", "95 % INTERVAL", "CHANGE", "SNIPS", "ESS", "VERDICT")
    print_table(titles, [_row(each) for each in found["metrics"]], nothing="")
    reasons = dict.fromkeys(each["message"] for one in found["metrics"] for each in one["refusals"])
    for reason in reasons:
        click.echo(f"Not concluded: {reason}.")
    repricing = found["repricing"]
    if not repricing["requests"] or not repricing["targets"]:
        return
    click.echo(
        f"\nRepricing, no estimate: the same tokens of {repricing['requests']} answered requests, which cost "
        f"{repricing['billed_usd']} USD, at the policy's prices"
    )
    rows = [
        (each["target"], each["same_output_usd"], each["half_output_usd"], each["twice_output_usd"])
        for each in repricing["targets"]
    ]
    print_table(("TARGET", "USD", "HALF THE OUTPUT", "TWICE THE OUTPUT"), rows, nothing="")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    verdict = _VERDICTS.get(one["verdict"], one["verdict"])
    if one["estimate"] is None:
        return (one["metric"], *["-"] * 6, verdict)
    change, unit = one["change"], one["unit"]
    return (
        f"{one['metric']}, {unit}",
        figure(one["logged"]["value"]),
        figure(one["estimate"]["value"]),
        f"{figure(one['estimate']['low'])} to {figure(one['estimate']['high'])}",
        f"{figure(change['value'])} ({figure(change['low'])} to {figure(change['high'])})"
        + share_of(change["value"], one["logged"]["value"]),
        figure(one["snips"]["value"]),
        f"{one['effective_sample']:.0f}",
        verdict,
    )


def share_of(change: float, logged: float) -> str:
    """`, -57.0 %`; empty where what was recorded is 0."""
    return f", {100 * change / logged:+.1f} %" if logged else ""


def _to_seconds(text: str) -> str:
    """`2030-01-31T12:00:00Z`: nobody reads microseconds."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def figure(value: float) -> str:
    """Four digits that count, and all of those before the point."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.3e}"
