"""`interchange route`: why this provider. Nothing is sent to anyone."""

import json
from typing import Any

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.cli.providers import cell

EXPLAIN_PATH = "/api/v1/routing/explain"


@click.group()
def route() -> None:
    """Explain which provider would answer, and why."""


@route.command()
@click.argument("model")
@click.option("--prompt", default="Hello!", show_default=True, help="What would be asked.")
@click.option("--max-tokens", type=click.IntRange(1), help="The answer's limit.")
@click.option("--stream", is_flag=True, help="As a streamed request.")
@click.option("--capability", "capabilities", multiple=True, help="Demanded capability; may be repeated.")
@click.option("--max-cost-usd", help="Ceiling for the whole request, in US dollars.")
@click.option("--max-cost-per-token", help="Ceiling in US dollars per token.")
@click.option("--max-latency-ms", type=click.IntRange(1), help="Ceiling for the predicted p95 of the answer.")
@click.option("--residency", help="Region the data must stay in.")
@click.option("--quality-floor", type=click.FloatRange(0, 1), help="Lowest accepted quality.")
@click.option("--strategy", help="Instead of the route's own strategy.")
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")
def explain(config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any) -> None:
    """Candidates for MODEL (a route, a model, provider/model or auto): kept or dropped, ranked, priced."""
    body: dict[str, Any] = {
        "model": asked["model"],
        "messages": [{"role": "user", "content": asked["prompt"]}],
        "stream": asked["stream"],
    }
    if asked["max_tokens"] is not None:
        body["max_tokens"] = asked["max_tokens"]
    answer = connect(config_path, url, key).call("POST", EXPLAIN_PATH, body, requirement_headers(asked))
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    show(answer)


def requirement_headers(asked: dict[str, Any]) -> dict[str, str]:
    """The demands as the headers any caller may send."""
    headers = {"x-interchange-capabilities": ",".join(asked["capabilities"])}
    for name in (
        "max_cost_usd",
        "max_cost_per_token",
        "max_latency_ms",
        "residency",
        "quality_floor",
        "strategy",
    ):
        headers[f"x-interchange-{name.replace('_', '-')}"] = "" if asked[name] is None else str(asked[name])
    return {name: value for name, value in headers.items() if value}


def show(answer: Any) -> None:
    """A table, the kept candidates first, in the order they would be tried."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    candidates: list[dict[str, Any]] = answer["candidates"]
    candidates.sort(key=lambda c: (c["rank"] is None, c["rank"] or 0))
    kept = sum(1 for candidate in candidates if candidate["kept"])
    cached = f"{answer['cache']} ({why})" if (why := answer.get("cache_reason")) else answer["cache"]
    console.print(
        f"route {answer['route']}, strategy {answer['strategy']}: {kept} of {answer['candidates_total']} "
        f"candidates kept, the first {answer['attempts_max']} would be tried; cache {cached}",
        highlight=False,
        markup=False,
    )
    if refusal := answer.get("refusal"):
        console.print(f"refused: {refusal['message']} ({refusal['code']})", style="red", markup=False)
    if reason := answer.get("affinity_reason"):
        console.print(f"affinity {answer['affinity']}: {reason}", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("rank", "target", "estimate USD", "effective USD", "warm p", "bound USD", "p95 ms"):
        table.add_column(title, justify="left" if title == "target" else "right", no_wrap=True)
    for title in ("health", "breaker", "why"):
        table.add_column(title)
    for candidate in candidates:
        table.add_row(
            cell(None if candidate["rank"] is None else candidate["rank"] + 1),
            candidate["target"],
            cell(candidate["estimated_cost_usd"]),
            cell(candidate.get("effective_cost_usd")),
            cell(candidate.get("warm_probability")),
            cell(candidate["price_bound_usd"]),
            cell(candidate["predicted_p95_ms"]),
            cell(candidate["health"]),
            cell(candidate["breaker"]),
            cell(candidate["explanation"]),
            style=None if candidate["kept"] else "dim",
        )
    console.print(table)
