"""Models side by side: what they were used for, what they cost, how fast and how good they are."""

from collections.abc import Mapping
from typing import Any, Final

from entrypoints.ui.page import Ask, Column, Field, Page, Shown, Table

DAYS: Final = 7
DAYS_MAX: Final = 365
FOUND_MAX: Final = 25
CAPABILITIES: Final = (
    "text", "vision", "code", "reasoning", "function_calling", "structured_output", "embeddings", "streaming",
)  # fmt: skip


async def view(ask: Ask) -> Shown:
    """What was used, a comparison of two, and the catalogue."""
    days = days_of(ask.query.get("days", ""))
    used = await ask.tried("/api/v1/usage", group_by="provider,model", from_=ask.ago(days=days))
    good = await ask.tried("/api/v1/analytics/quality", by="provider,model", days=days)
    quality = {(row["provider"], row["model"]): row for row in good.get("rows", [])}
    rows = [model_row(row, quality) for row in used.get("rows", []) if row["model"]]
    problems = [each.problem for each in (used, good) if each.problem]
    tables = [_used(rows, days)]
    first, second = ask.query.get("first", ""), ask.query.get("second", "")
    if first and second:
        compared = await ask.tried("/api/v1/analytics/models/compare", models=f"{first},{second}", days=days)
        problems += [compared.problem] if compared.problem else []
        if compared.value:
            tables.insert(0, _compared(compared.value))
            if compared.value["tasks"]:
                tables.insert(1, _sides(compared.value))
    if ask.may("catalog.read"):
        tables.append(await _catalogue(ask))
    return Shown(
        template="models.html",
        context={
            "days": days,
            "names": [f"{row['provider']}/{row['model']}" for row in rows],
            "said": {"first": first, "second": second},
            "search": (
                Field("q", "Part of its name"),
                Field("provider", "Provider"),
                Field("capability", "Able to", "choice", choices=CAPABILITIES),
            ),
        },
        tables=tables,
        problems=problems,
    )


def days_of(text: str) -> int:
    """How many days are looked at; what cannot be read is a week."""
    return min(DAYS_MAX, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 6 else DAYS


def model_row(row: Mapping[str, Any], quality: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    """One model: means of what was used. A mean of nothing is unknown, not zero."""
    requests, tokens = row["requests"], row["input_tokens"] + row["output_tokens"]
    priced = requests - row["unpriced_requests"]
    first = row["first_token_requests"]
    good = quality.get((row["provider"], row["model"]))
    return {
        "provider": row["provider"],
        "model": row["model"],
        "name": f"{row['provider']}/{row['model']}",
        "requests": requests,
        "cost_usd": row["cost_nano_usd"] / 1e9 if priced else None,
        "unpriced_requests": row["unpriced_requests"],
        "usd_per_1k_tokens": row["cost_nano_usd"] / 1e6 / tokens if tokens and priced == requests else None,
        "usd_per_request": row["cost_nano_usd"] / 1e9 / priced if priced else None,
        "mean_us": row["duration_us"] / requests if requests else None,
        "first_token_us": row["first_token_us"] / first if first else None,
        "failed": 1 - row["ok_requests"] / requests if requests else None,
        "quality": good["quality"]["value"] if good else None,
        "quality_between": interval(good["quality"]) if good else None,
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
    }


def interval(given: Mapping[str, float] | None) -> str | None:
    """The ends of a 95 % interval in words."""
    return None if given is None else f"{given['low']:.2f} to {given['high']:.2f}"


def _used(rows: list[dict[str, Any]], days: int) -> Table:
    return Table(
        name="models",
        title=f"Used in the last {days} days",
        columns=(
            Column("name", "Model", "code", "/ui/requests?provider={provider}&model={model}"),
            Column("requests", "Requests", "number"),
            Column("cost_usd", "Cost", "usd"),
            Column("usd_per_1k_tokens", "Per 1,000 tokens", "usd"),
            Column("usd_per_request", "Per request", "usd", wide=True),
            Column("mean_us", "Mean duration", "us"),
            Column("first_token_us", "First token", "us", wide=True),
            Column("failed", "Failed", "share"),
            Column("quality", "Quality", "number"),
            Column("quality_between", "95 % between", wide=True),
            Column("input_tokens", "Tokens in", "number", wide=True),
            Column("output_tokens", "Tokens out", "number", wide=True),
            Column("unpriced_requests", "Price unknown", "number", wide=True),
        ),
        rows=rows,
        empty="No model answered in this time. Send requests to /v1 with a key of this installation, or try "
        "the playground.",
    )


def _compared(answer: dict[str, Any]) -> Table:
    first, second = answer["models"]
    rows = []
    for task in answer["tasks"]:
        one, two = task["models"]
        difference = task["difference"]
        rows.append(
            {
                "task": task["task"],
                "better": task["better"] or "nobody can say",
                "why": task["why"],
                "difference": difference["value"] if difference else None,
                "between": interval(difference),
                "requests": f"{one['requests']:,} and {two['requests']:,}",
            }
        )
    return Table(
        name="compared",
        title=f"{first} against {second}",
        columns=(
            Column("task", "Task"),
            Column("better", "Better"),
            Column("difference", "Difference of scores", "number"),
            Column("between", "95 % between"),
            Column("requests", "Requests", wide=True),
            Column("why", "Why"),
        ),
        rows=rows,
        empty="There is no kind of task that both were asked in this time. Take more days, or two others; or "
        "ask both the same in the playground and rate the answers (Quality).",
    )


def _sides(answer: dict[str, Any]) -> Table:
    """Each of the two by task, side by side."""
    return Table(
        name="sides",
        title="Side by side",
        columns=(
            Column("task", "Task"),
            Column("model", "Model", "code"),
            Column("requests", "Requests", "number"),
            Column("mean_score", "Mean score", "number"),
            Column("score_between", "95 % between"),
            Column("judged", "Judges' mean", "number", wide=True),
            Column("failing", "Fails checks", "share"),
            Column("refusal_rate.value", "Refuses", "share", wide=True),
            Column("truncated_rate.value", "Cut short", "share", wide=True),
            Column("latency_ms", "Mean duration", "ms"),
            Column("cost_per_request_usd", "Per request", "usd"),
        ),
        rows=[
            {
                "task": task["task"],
                **model,
                "mean_score": _mean(model["feedback"]["mean"]),
                "score_between": interval(model["feedback"]["mean"]),
                "judged": _mean(model["judge"]["mean"]),
                "failing": _mean(model["checks"]["failing_rate"]),
            }
            for task in answer["tasks"]
            for model in task["models"]
        ],
        empty="Nothing to put side by side.",
    )


def _mean(given: Mapping[str, float] | None) -> float | None:
    return None if given is None else given["value"]


async def _catalogue(ask: Ask) -> Table:
    found = await ask.tried(
        "/api/v1/catalog",
        limit=FOUND_MAX,
        q=ask.query.get("q"),
        provider=ask.query.get("provider"),
        capability=ask.query.get("capability"),
    )
    total = found.get("total", 0)
    return Table(
        name="catalogue",
        title=f"Catalogue ({total:,} fit)",
        columns=(
            Column("id", "Model", "code"),
            Column("usd_per_mtok.input", "In, $ per million", "usd"),
            Column("usd_per_mtok.output", "Out, $ per million", "usd"),
            Column("usd_per_mtok.cached_read", "Cached, $ per million", "usd", wide=True),
            Column("context_tokens", "Context", "number"),
            Column("max_output_tokens", "Answer, at most", "number", wide=True),
            Column("quality", "Quality", "number", wide=True),
            Column("capabilities", "Able to", "list", wide=True),
            Column("regions", "Regions", "list", wide=True),
            Column("price_source", "Price from", wide=True),
        ),
        rows=found.get("offerings", []),
        empty=found.problem
        or "The catalogue has nothing that fits. Models that you declare under "
        "providers.<name>.models can be called without being in it.",
    )


PAGE: Final = Page(
    name="models",
    title="Models",
    group="Models",
    permission="usage.read",
    view=view,
    about="What each model was used for, what it costs, how fast and how good it is; which of two is better.",
)
