"""`interchange forecast` and `interchange anomalies`: what comes, and what was out of the ordinary."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import click
from starlette.datastructures import QueryParams

from application.use_cases.forecast_usage import HORIZON_DAYS
from application.use_cases.read_usage import UsageUseCases
from domain.anomalies.metrics import Metric
from domain.anomalies.telling import shown
from domain.forecasting.forecast import HORIZON_DAYS_MAX
from domain.money import NANO_PER_USD
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator
from entrypoints.cli.api_client import connect
from entrypoints.cli.configured import config_option
from entrypoints.cli.plain_table import print_table
from entrypoints.cli.usage_source import OpenUsage, Query, limits, run, server_options
from entrypoints.http.outlook import (
    ANOMALY_METRICS,
    FORECAST_METRICS,
    GROUPED_BY,
    anomalies_answer,
    forecast_answer,
)
from entrypoints.words.plain import plain

DAYS_SHOWN: Final = 14
BARS: Final = "▁▂▃▄▅▆▇█"
HISTORY_SHOWN: Final = 28
Answer = Callable[[UsageUseCases, Principal, QueryParams], Awaitable[dict[str, Any]]]

_ONLY = click.option(
    "--only", multiple=True, metavar="NAME=VALUE", help="Only this, such as team=search; repeatable."
)
_BY = click.option("--by", type=click.Choice(GROUPED_BY), help="One for each of the 20 that cost most.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


def make_forecast(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the store is really asked."""

    @click.command("forecast")
    @click.option("--metric", type=click.Choice(FORECAST_METRICS), default="cost", show_default=True)
    @click.option(
        "--days",
        type=click.IntRange(1, HORIZON_DAYS_MAX),
        default=HORIZON_DAYS,
        show_default=True,
        help="Days ahead, today included.",
    )
    @_BY
    @_ONLY
    @click.option("--to", metavar="TIME", help="Look ahead from then instead of from now (UTC).")
    @_JSON
    @config_option
    @server_options
    def forecast(config_path: str | None, url: str | None, key: str | None, **asked: Any) -> None:
        """Show what usage comes to, with intervals and how reliable they were.

        Reads the store of this machine; with --url or --key it asks a running server.
        """
        query: Query = [("metric", asked["metric"]), ("horizon_days", str(asked["days"]))]
        query += [*_shared(asked)]
        found = _asked("forecast", forecast_answer, query, open_usage, config_path, url, key)
        if asked["as_json"]:
            click.echo(json.dumps(found, indent=2))
            return
        for number, one in enumerate(found["forecasts"]):
            if number:
                click.echo()
            print_forecast(found["metric"], one)
        if not found["forecasts"]:
            click.echo("nothing was used")

    return forecast


def make_anomalies(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the store is really asked."""

    @click.command("anomalies")
    @click.option("--metric", type=click.Choice(ANOMALY_METRICS), default="all", show_default=True)
    @_BY
    @_ONLY
    @click.option("--from", "from_", metavar="TIME", help="Seven days ago by default (UTC).")
    @click.option("--to", metavar="TIME", help="Now by default.")
    @_JSON
    @config_option
    @server_options
    def anomalies(config_path: str | None, url: str | None, key: str | None, **asked: Any) -> None:
        """Show hours in which spending, latency, errors or requests were out of the ordinary.

        Reads the store of this machine; with --url or --key it asks a running server.
        """
        query: Query = [("metric", asked["metric"]), *_shared(asked)]
        if asked["from_"]:
            query.append(("from", asked["from_"]))
        found = _asked("anomalies", anomalies_answer, query, open_usage, config_path, url, key)
        if asked["as_json"]:
            click.echo(json.dumps(found, indent=2))
            return
        print_anomalies(found)

    return anomalies


def _shared(asked: dict[str, Any]) -> Query:
    query = limits(asked["only"])
    query += [(name, asked[name]) for name in ("by", "to") if asked[name]]
    return query


def _asked(
    name: str,
    answer: Answer,
    query: Query,
    open_usage: OpenUsage,
    config_path: str | None,
    url: str | None,
    key: str | None,
) -> dict[str, Any]:
    if url is not None or key is not None:
        found: dict[str, Any] = connect(config_path, url, key).call(
            "GET", f"/api/v1/analytics/{name}?{urlencode(query)}"
        )
        return found

    async def work(use: UsageUseCases) -> dict[str, Any]:
        return await answer(use, local_operator(), QueryParams(query))

    return run(open_usage, config_path, work)


def print_forecast(metric: str, one: dict[str, Any]) -> None:
    """A heading, a line of the past and the days ahead, the days, and what to make of them."""
    for name, value in one["group"].items():
        click.echo(f"{name} {plain(value) or '-'}")
    history = [day["amount"] for day in one["history"]][-HISTORY_SHOWN:]
    ahead = [day["point"] for day in one["days"]][:HISTORY_SHOWN]
    if ahead:
        bars = sparkline([*history, *ahead])
        click.echo(f"{bars[: len(history)]} | {bars[len(history) :]}   last {len(history)} days | ahead")
        rows = [[day["date"], *_cells(metric, day)] for day in one["days"][:DAYS_SHOWN]]
        rows.append([f"all {len(one['days'])} days", *_cells(metric, one["total"])])
        if one["month"] is not None:
            rows.append([f"month {one['month']['month']}", *_cells(metric, one["month"])])
        print_table([_title(metric), "expected", "80 %", "95 %"], rows, nothing="")
        if one["month"] is not None:
            click.echo(f"used this month so far: {_amount(metric, one['month']['so_far'])}")
        click.echo(_reliability(one["back_test"]))
    for caveat in one["caveats"]:
        click.echo(f"note: {caveat}")


def _reliability(test: dict[str, Any]) -> str:
    if test["total_error"] is None:
        return "not tried on the past: too little history"
    days = test["days_ahead"]
    text = (
        f"tried from {test['origins']} past days: off by {100 * test['total_error']:.1f} % over {days} days"
    )
    if test["coverage_80"] is not None:
        text += f"; {100 * test['coverage_80']:.0f} % of days were within the 80 % interval"
    return text


def _title(metric: str) -> str:
    return {"cost": "US dollars"}.get(metric, metric)


def _cells(metric: str, expected: dict[str, Any]) -> list[str]:
    cells = [_amount(metric, expected["point"])]
    for share in (80, 95):
        low, high = expected[f"low_{share}"], expected[f"high_{share}"]
        cells.append("-" if low is None else f"{_amount(metric, low)} to {_amount(metric, high)}")
    return cells


def _amount(metric: str, value: int) -> str:
    if metric != "cost":
        return f"{value:,}"
    usd = value / NANO_PER_USD
    return f"{usd:,.2f}" if usd >= 1 or not usd else f"{usd:.6f}"


def sparkline(values: Sequence[int]) -> str:
    """A bar for each value; empty ones are a dot."""
    most = max(values, default=0)
    return "".join(
        "·" if value <= 0 else BARS[min(len(BARS) - 1, value * len(BARS) // (most + 1))] for value in values
    )


def print_anomalies(found: dict[str, Any]) -> None:
    """The newest first, with who moved each."""
    rows = []
    for one in found["anomalies"]:
        metric = Metric(one["metric"])
        rows.append(
            [
                _hours(one),
                one["metric"] + "".join(f" of {plain(value) or '-'}" for value in one["group"].values()),
                one["kind"],
                one["severity"],
                shown(metric, one["observed"]),
                f"{shown(metric, one['expected'])} ± {shown(metric, one['strays'], per=False)}",
                _movers(one),
            ]
        )
    nothing = f"nothing out of the ordinary from {found['from'][:16]} to {found['to'][:16]} UTC"
    if found["history_hours"] < 72:
        nothing += f"; only {found['history_hours']} hours of history: too little to know what is usual"
    print_table(
        ["hours (UTC)", "what", "kind", "severity", "was", "usual", "moved by"], rows, nothing=nothing
    )


def _hours(one: dict[str, Any]) -> str:
    start, end = (datetime.fromisoformat(one[name]) for name in ("start", "end"))
    last = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M} to {'now' if one['open'] else last}"


def _movers(one: dict[str, Any]) -> str:
    return ", ".join(
        f"{by['dimension']} {plain(by['value']) or '-'} {100 * by['share']:.0f} %"
        for by in (one["contributors"] or [])[:3]
    )
