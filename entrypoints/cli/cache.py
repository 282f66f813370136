"""`interchange cache`: how kept answers are, what the cache would do, and what shall no longer count."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.cache_tables import (
    print_entry,
    print_explanation,
    print_prompt,
    print_status,
    print_verified,
    print_warmed,
)
from entrypoints.cli.configured import config_option
from entrypoints.cli.route import requirement_headers

PATH: Final = "/api/v1/cache"
LINES_AT_ONCE: Final = 64
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
WARM_TIMEOUT_S: Final = 660.0
"""A little more than the server takes at most for one piece of a file."""
FAILED: Final = 1

_json_option = click.option("--json", "as_json", is_flag=True, help="Print the server's answer as it is.")


@click.group()
def cache() -> None:
    """Answers that are given again: how they are kept, why, and when no longer."""


@cache.command()
@click.option("--tenant", "tenant_id", help="Another tenant's usage. Default: the key's own.")
@config_option
@server_options
@_json_option
def status(
    tenant_id: str | None, config_path: str | None, url: str | None, key: str | None, as_json: bool
) -> None:
    """Show how the cache is, and what it saved in the last 30 days."""
    answer = connect(config_path, url, key).call("GET", _path("", tenant_id=tenant_id))
    _show(answer, as_json, print_status)


@cache.command()
@click.argument("entry")
@click.option("--body", is_flag=True, help="Show what was asked and answered, too.")
@config_option
@server_options
@_json_option
def show(
    entry: str, body: bool, config_path: str | None, url: str | None, key: str | None, as_json: bool
) -> None:
    """Show the answer kept under ENTRY, a key as `interchange cache explain` tells it."""
    path = _path(f"/entries/{quote(entry, safe='')}", body="1" if body else None)
    _show(connect(config_path, url, key).call("GET", path), as_json, print_entry)


@cache.command()
@click.argument("model")
@click.option("--prompt", default="Hello!", show_default=True, help="What would be asked.")
@click.option(
    "--body-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A whole body instead."
)
@click.option("--stream", is_flag=True, help="As a streamed request.")
@click.option("--user", "user_id", help="Who asks, where answers are each user's own.")
@click.option("--namespace", help="As in x-interchange-cache-namespace.")
@click.option("--residency", help="Region the data must stay in.")
@config_option
@server_options
@_json_option
def explain(config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any) -> None:
    """Tell what the cache would do with a request to MODEL. Nothing is sent to anyone."""
    body = _body(asked)
    wanted = dict.fromkeys(
        ("max_cost_usd", "max_cost_per_token", "max_latency_ms", "quality_floor", "strategy")
    )
    headers = requirement_headers({**wanted, "capabilities": (), "residency": asked["residency"]})
    named = {"user-id": asked["user_id"], "cache-namespace": asked["namespace"]}
    headers |= {f"x-interchange-{name}": value for name, value in named.items() if value}
    answer = connect(config_path, url, key).call("POST", f"{PATH}/explain", body, headers)
    _show(answer, as_json, print_explanation)


def _body(asked: dict[str, Any]) -> dict[str, Any]:
    if asked["body_file"] is None:
        messages = [{"role": "user", "content": asked["prompt"]}]
        return {"model": asked["model"], "messages": messages, "stream": asked["stream"]}
    try:
        body = json.loads(asked["body_file"].read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{asked['body_file']} is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise click.ClickException(f"{asked['body_file']} holds no JSON object")
    return {**body, "model": asked["model"]}


@cache.command()
@click.option("--entry", help="The answer under this key.")
@click.option("--tag", help="Answers with this tag.")
@click.option("--model", help="Answers of this provider/model; may end in *.")
@click.option("--route", help="Answers of this route.")
@click.option("--namespace", help="Answers of this namespace; may end in *.")
@click.option("--prompt", help="Answers to last messages that begin so.")
@click.option("--near", help="Answers to questions near this text; takes --similarity.")
@click.option("--similarity", type=click.FloatRange(0, 1, min_open=True), help="The least cosine for --near.")
@click.option("--all", "whole", is_flag=True, help="Every answer of the tenant.")
@click.option("--everything", is_flag=True, help="Every answer of every tenant.")
@click.option("--tenant", "tenant_id", help="In this tenant. Default: the key's own.")
@config_option
@server_options
@_json_option
def invalidate(
    config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any
) -> None:
    """Never serve answers again that were asked for before now. Takes exactly one of the first nine."""
    body = _invalidation(asked)
    answer = connect(config_path, url, key).call("POST", f"{PATH}/invalidate", body)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    matched = "" if answer["matched"] is None else f" ({answer['matched']} known questions)"
    what = " ".join(filter(None, (answer["kind"], answer["value"])))
    click.echo(
        f"invalidated: {what}{matched}; in force here, and with every other instance within "
        f"{answer['heard_by_all_within_s']:g} s"
    )
    if answer["matched"] == 0:
        click.echo(
            "No question near this text is known. Where a route only answers equal requests (`exact`), "
            "questions are not compared: take theirs out with --prompt, --tag or --route.",
            err=True,
        )


def _invalidation(asked: dict[str, Any]) -> dict[str, Any]:
    """Raises click.UsageError for what cannot be meant."""
    kinds = [name for name in ("entry", "tag", "model", "route", "namespace", "prompt") if asked[name]]
    body: dict[str, Any] = {"kind": kinds[0], "value": asked[kinds[0]]} if kinds else {}
    if asked["near"]:
        kinds.append("radius")
        body = {"kind": "radius", "text": asked["near"], "similarity": asked["similarity"]}
    for option, kind in (("whole", "tenant"), ("everything", "everything")):
        if asked[option]:
            kinds.append(kind)
            body = {"kind": kind}
    if len(kinds) != 1:
        raise click.UsageError(
            "give exactly one of --entry, --tag, --model, --route, --namespace, --prompt, --near, --all "
            "and --everything"
        )
    if (asked["similarity"] is None) != (not asked["near"]):
        raise click.UsageError("--near and --similarity belong together")
    if asked["tenant_id"] is not None:
        body["tenant_id"] = asked["tenant_id"]
    return body


@cache.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--max-cost-usd", type=str, default="1", show_default=True, help="No request begins that might pass it."
)
@click.option("--concurrency", type=click.IntRange(1, 16), default=4, show_default=True)
@config_option
@server_options
@_json_option
def warm(
    file: Path,
    max_cost_usd: str,
    concurrency: int,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Fill the cache from FILE, one JSON object per line.

    A line is the body of a request, which is sent, or an object with `request` and the `response` it once
    got, which is kept as it is. Exit status 1 when lines failed.
    """
    client = connect(config_path, url, key)
    client.timeout_s = WARM_TIMEOUT_S
    done = _warmed(client, file, max_cost_usd, concurrency)
    _show(done, as_json, print_warmed)
    if done["failed"]:
        raise click.exceptions.Exit(FAILED)


def _warmed(client: ApiClient, file: Path, max_cost_usd: str, concurrency: int) -> dict[str, Any]:
    """Piece by piece, so that no call lasts long; what is left of the cost goes to the next piece."""
    try:
        left = Decimal(max_cost_usd)
    except ArithmeticError:
        left = Decimal(0)
    if not left.is_finite() or left <= 0:
        raise click.UsageError(f"--max-cost-usd {max_cost_usd!r} is no amount above 0")
    lines: list[dict[str, Any]] = []
    cost = Decimal(0)
    for first, piece in _pieces(file):
        query = urlencode({"max_cost_usd": f"{left:f}", "concurrency": concurrency})
        headers = {"content-type": "application/jsonl"}
        answer = client.call("POST", f"{PATH}/warm?{query}", piece, headers)
        lines += [{**line, "line": line["line"] + first} for line in answer["lines"]]
        cost += Decimal(answer["cost_usd"])
        left = max(Decimal(max_cost_usd) - cost, Decimal("0.000000001"))
    counts = {
        name: sum(1 for line in lines if line["outcome"] == name) for name in ("kept", "skipped", "failed")
    }
    return {**counts, "cost_usd": f"{cost:f}", "lines": lines}


def _pieces(file: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines with how many stand before them; one that is too long goes alone."""
    piece: list[bytes] = []
    first = size = 0
    with file.open("rb") as lines:
        for line in lines:
            if piece and (len(piece) >= LINES_AT_ONCE or size + len(line) > BYTES_AT_ONCE):
                yield first, b"".join(piece)
                first, size, piece = first + len(piece), 0, []
            piece.append(line)
            size += len(line)
    if piece:
        yield first, b"".join(piece)


@cache.command()
@config_option
@server_options
@_json_option
def verified(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Show how often answers to similar questions were right, by route: measured, with its interval."""
    _show(connect(config_path, url, key).call("GET", f"{PATH}/verified"), as_json, print_verified)


@cache.command()
@click.option("--route", help="Only this route.")
@click.option("--tenant", "tenant_id", help="Only this tenant. Default: all that the key may see.")
@config_option
@server_options
@_json_option
def prompt(
    route: str | None,
    tenant_id: str | None,
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Show what providers' own prompt caches did in the last 30 days, and which routes could use them."""
    path = _path("/prompt", route=route, tenant_id=tenant_id)
    _show(connect(config_path, url, key).call("GET", path), as_json, print_prompt)


def _path(rest: str, **query: str | None) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{PATH}{rest}?{urlencode(given)}" if given else f"{PATH}{rest}"


def _show(answer: Any, as_json: bool, shown: Any) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        shown(answer)
