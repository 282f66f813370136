"""What `interchange cache` shows people."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from entrypoints.words.plain import plain

Shown = dict[str, Any]


def print_status(answer: Shown) -> None:
    """How it is, then what it did by route."""
    l2 = answer["l2"]["status"]
    state = ", nothing is served from it" if answer["suspended"] else ""
    click.echo(
        f"cache {answer['status']}: mode {answer['mode']}, {answer['routes']} routes cache, "
        f"second tier {l2}{state}"
    )
    process = answer["process"]
    if process is not None:
        l1 = process["l1"]
        click.echo(
            f"this worker: {l1['entries']} answers, {_mib(l1['bytes_used'])} of {_mib(l1['bytes_max'])}; "
            f"{l1['hits']} hits, {l1['misses']} misses; second tier {process['l2']['hits']} hits"
        )
        store = process["l2"]["store"]
        for problem in [] if store is None else store["problems"]:
            click.echo(f"warning: {plain(problem)}", err=True)
    usage = answer["usage"]
    if usage is None:
        return
    if not usage["lines"]:
        click.echo("no requests in the last 30 days")
        return
    ratio = "-" if usage["hit_ratio"] is None else f"{usage['hit_ratio']:.1%}"
    click.echo(
        f"last 30 days: {usage['hits']} hits of {usage['lookups']} look-ups ({ratio}), "
        f"${usage['saved_usd']} saved"
    )
    rows = [
        [plain(line["route"]) or "-", line["cache"], line["requests"], line["saved_usd"], line["cost_usd"]]
        for line in usage["lines"]
    ]
    _table(("ROUTE", "CACHE", "REQUESTS", "SAVED USD", "COST USD"), rows)


def print_entry(answer: Shown) -> None:
    """One kept answer, a fact per line."""
    names = ("key", "route", "provider", "model", "finish_reason", "input_tokens", "output_tokens", "bytes")
    for name in (*names, "cost_usd", "made_at", "expires_at", "kept_until", "namespace"):
        value = "unknown" if answer[name] is None else str(answer[name])
        click.echo(f"{name.replace('_', ' ')}: {plain(value) or '-'}")
    click.echo(f"tiers: {', '.join(answer['tiers'])}")
    click.echo(f"tags: {', '.join(answer['tags']) or '-'}")
    if "body" in answer:
        click.echo(f"question: {plain(answer['question'])}\n\n{_lines(answer['body'])}")


def print_explanation(answer: Shown) -> None:
    """What would happen, then from what."""
    reason = f" ({answer['reason']})" if answer["reason"] else ""
    click.echo(f"route {plain(answer['route'])}, mode {answer['mode']}: {answer['cache']}{reason}")
    if answer["would"] and answer["would"] != answer["cache"]:
        click.echo(f"there is: {answer['would']}")
    if answer["suspended"]:
        click.echo("nothing is served now: invalidations may have been missed")
    if answer["key"] is None:
        return
    partition = answer["partition"]
    click.echo(f"key: {answer['key']}")
    click.echo(
        f"shared by: {partition['scope']}, namespace {plain(partition['namespace']) or '-'}, "
        f"{partition['dialect']}, {partition['form']}, route version {partition['route_version'][:8]}"
    )
    for tier in ("l1", "l2"):
        there = answer[tier]
        if there is None:
            down = tier == "l2" and answer["l2_down"]
            click.echo(f"{tier}: {'does not answer' if down else 'nothing'}")
        else:
            left_s = there["fresh_for_s"]
            fresh = f"fresh for {left_s:.0f} s more" if left_s > 0 else f"not fresh since {-left_s:.0f} s"
            state, age_s = there["state"], there["age_s"]
            click.echo(f"{tier}: {state}, {age_s:.0f} s old, {fresh}, from {plain(there['target'])}")
    if answer["similar"] is not None:
        _print_similar(answer["similar"])


def _print_similar(similar: Shown) -> None:
    candidate = similar["candidate"]
    if candidate is None:
        click.echo(f"similar questions: none ({similar['reason']})")
        return
    verdict = "would be served" if candidate["would_serve"] else f"not served ({similar['reason']})"
    sure = "" if candidate["p_low"] is None else f", right with at least {candidate['p_low']:.2%}"
    guarded = f", guard {candidate['guarded']}" if candidate["guarded"] else ""
    question = "(not shown to this key)" if candidate["question"] is None else plain(candidate["question"])
    click.echo(
        f"similar question: {question!r}, similarity {candidate['similarity']:.3f}{sure}{guarded}: {verdict}"
    )


def print_warmed(answer: Shown) -> None:
    """What was not kept, then the sums."""
    for line in answer["lines"]:
        if line["outcome"] != "kept":
            click.echo(f"line {line['line']}: {line['outcome']}: {plain(line['reason'] or '')}")
    click.echo(
        f"{answer['kept']} kept, {answer['skipped']} skipped, {answer['failed']} failed, "
        f"${answer['cost_usd']} spent"
    )


def print_verified(answer: Shown) -> None:
    """A route per row."""
    if not answer["routes"]:
        click.echo("no route of this tenant has looked for similar questions yet")
        return
    rows = [
        [
            plain(one["route"]),
            one["mode"] or "gone",
            _share(one["error_rate_accepted"]),
            one["looked_for"],
            one["hits"],
            one["audited"],
            _share(one["error_rate_measured"]),
            f"{_share(one['error_rate_low'])} - {_share(one['error_rate_high'])}",
            one["labels"],
            one["audits_today_usd"],
        ]
        for one in answer["routes"]
    ]
    titles = ("ROUTE", "MODE", "ACCEPTED", "LOOKED FOR", "HITS", "AUDITED", "WRONG", "95 % INTERVAL")
    _table((*titles, "LABELS", "AUDITS TODAY USD"), rows)
    for one in answer["routes"]:
        forecast = one["forecast"]
        if forecast is not None:
            click.echo(
                f"{plain(one['route'])} only observes: it would have answered {forecast['exact_hits']} equal "
                f"and {forecast['similar_hits']} similar questions and saved ${forecast['saved_usd']}"
            )


def print_prompt(answer: Shown) -> None:
    """A model of a route per row."""
    if not answer["lines"]:
        click.echo("no requests in that time")
        return
    rows = [
        [
            plain(f"{line['provider']}/{line['model']}"),
            plain(line["route"]),
            line["caching"] or "-",
            line["input_tokens"],
            _share(line["hit_share"]),
            line["saved_usd"],
            line["advice"] or "",
        ]
        for line in answer["lines"]
    ]
    _table(("MODEL", "ROUTE", "CACHING", "INPUT TOKENS", "READ", "SAVED USD", "ADVICE"), rows)


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    Console(width=None if sys.stdout.isatty() else 220).print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"


def _lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.splitlines())
