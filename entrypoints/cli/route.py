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
    candidates = [c for c in answer.get("candidates", []) if isinstance(c, dict)]
    candidates.sort(key=lambda c: (c.get("rank") is None, c.get("rank") or 0))
    console.print(
        f"route [bold]{answer.get('route', '')}[/bold], strategy {answer.get('strategy', '')}: "
        f"{sum(1 for c in candidates if kept(c))} of {len(candidates)} candidates kept",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("rank", "right"),
        ("target", "left"),
        ("estimate USD", "right"),
        ("bound USD", "right"),
        ("p95 ms", "right"),
        ("health", "left"),
        ("breaker", "left"),
        ("why", "left"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for candidate in candidates:
        table.add_row(
            cell(candidate.get("rank")),
            cell(_first(candidate, "target", "id")),
            cell(_first(candidate, "estimated_cost_usd", "estimate_usd")),
            cell(_first(candidate, "price_bound_usd", "bound_usd", "worst_cost_usd")),
            cell(_first(candidate, "predicted_latency_ms", "predicted_p95_ms")),
            cell(candidate.get("health")),
            cell(candidate.get("breaker")),
            cell(_first(candidate, "why", "sentence", "explanation", "reason")),
            style=None if kept(candidate) else "dim",
        )
    console.print(table)
    if cache := answer.get("cache"):
        console.print(f"cache: {cell(cache)}", highlight=False)


def kept(candidate: dict[str, Any]) -> bool:
    """Whether this candidate would be tried."""
    return bool(candidate.get("kept", candidate.get("rank") is not None))


def _first(entry: dict[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)
