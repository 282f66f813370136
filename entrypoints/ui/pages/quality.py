"""How good answers are, by kind of task, and what people said of them."""

from typing import Any, Final
from urllib.parse import urlencode

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages.models import DAYS_MAX, days_of, interval

DAYS: Final = "30"
FEEDBACK_MAX: Final = 100
KINDS: Final = ("rating", "thumbs", "score", "label")
FILTERS: Final = (
    Field("days", "Days", hint=f"{DAYS}, at most {DAYS_MAX}"),
    Field("task", "Task"),
    Field("provider", "Provider"),
    Field("model", "Model"),
    Field("route", "Route"),
)


async def view(ask: Ask) -> Shown:
    """Quality by task and model, and the newest feedback."""
    only = {name: ask.query.get(name) for name in ("task", "provider", "model", "route")}
    days = days_of(ask.query.get("days") or DAYS)
    table = await ask.tried("/api/v1/analytics/quality", by="task,provider,model", days=days, **only)
    rows = [quality_row(row) for row in table.get("rows", [])]
    tables = [_by_task(rows, days)]
    problems = [table.problem] if table.problem else []
    if ask.may("feedback.read"):
        said = await ask.tried("/api/v1/feedback", limit=FEEDBACK_MAX, after=ask.query.get("after"), **only)
        problems += [said.problem] if said.problem else []
        kept = {name: value for name, value in ask.query.items() if name in only and value}
        more = "?" + urlencode({**kept, "after": said.value["next"]}) if said.get("next") else ""
        tables.append(_feedback(said.get("feedback", []), more))
    return Shown(
        context={
            "filters": FILTERS,
            "values": {"feedback": {"request_id": ask.query.get("request_id", "")}},
            "open": "feedback" if ask.query.get("request_id") else "",
        },
        stats=_stats(rows),
        tables=tables,
        problems=problems,
    )


def quality_row(row: dict[str, Any]) -> dict[str, Any]:
    """One line, its intervals in words."""
    return {
        **row,
        "name": f"{row['provider']}/{row['model']}",
        "expected": row["quality"]["value"],
        "between": interval(row["quality"]),
        "said": row["feedback"]["mean"]["value"] if row["feedback"]["mean"] else None,
        "judged": row["judge"]["mean"]["value"] if row["judge"]["mean"] else None,
        "failing": row["checks"]["failing_rate"]["value"] if row["checks"]["failing_rate"] else None,
    }


def _stats(rows: list[dict[str, Any]]) -> list[Stat]:
    if not rows:
        return []
    requests = sum(row["requests"] for row in rows)
    checked = sum(row["checks"]["count"] for row in rows)
    failed = sum(row["checks"]["failed"] for row in rows)
    opinions = sum(row["feedback"]["count"] for row in rows)
    judged = sum(row["judge"]["count"] for row in rows)
    score = sum(row["feedback"]["count"] * (row["said"] or 0) for row in rows)
    return [
        Stat("Answers", requests),
        Stat("Rated by people", opinions),
        Stat("Their mean score", score / opinions if opinions else None, "number", "0 worst, 1 best"),
        Stat("Scored by judges", judged),
        Stat("Checked", checked, "number", "a sample: JSON, refusals, cuts, emptiness"),
        Stat("Of these, something found", failed / checked if checked else None, "share"),
    ]


def _by_task(rows: list[dict[str, Any]], days: int) -> Table:
    return Table(
        name="quality",
        title=f"By kind of task, {days} days",
        columns=(
            Column("task", "Task"),
            Column("name", "Model", "code", "/ui/requests?provider={provider}&model={model}&task={task}"),
            Column("requests", "Answers", "number"),
            Column("expected", "Quality to expect", "number"),
            Column("between", "95 % between"),
            Column("declared", "Declared", "number", wide=True),
            Column("feedback.count", "Rated", "number"),
            Column("said", "People's mean", "number", wide=True),
            Column("judged", "Judges' mean", "number", wide=True),
            Column("failing", "Fails checks", "share"),
            Column("refusal_rate.value", "Refuses", "share", wide=True),
            Column("truncated_rate.value", "Cut short", "share", wide=True),
            Column("empty_rate.value", "Empty", "share", wide=True),
            Column("latency_ms", "Mean duration", "ms", wide=True),
            Column("cost_per_request_usd", "Per answer", "usd"),
        ),
        rows=rows,
        empty="No answers in this time. Requests are counted by their kind of task as they come; rate some "
        "here, or let a judge score a sample (quality: in the configuration file).",
    )


def _feedback(rows: list[dict[str, Any]], more: str) -> Table:
    return Table(
        name="feedback",
        title="What was said",
        more=more,
        columns=(
            Column("given_at", "When", "when"),
            Column("request_id", "Request", "code", "/ui/requests/{request_id}"),
            Column("kind", "As"),
            Column("said", "Said"),
            Column("score", "Worth", "number"),
            Column("comment", "Comment"),
            Column("model", "Model", "code"),
            Column("task", "Task"),
            Column("source", "Source", wide=True),
            Column("user_id", "User", wide=True),
            Column("agent_id", "Agent", wide=True),
        ),
        rows=rows,
        empty="Nobody said anything yet. Rate an answer above, or send POST /api/v1/feedback with its "
        "x-request-id.",
    )


PAGE: Final = Page(
    name="quality",
    title="Quality & feedback",
    group="Models",
    permission="usage.read",
    view=view,
    about="How good answers are by kind of task and model: from people, judges and checks, with intervals.",
    acts=(
        Act(
            name="feedback",
            title="Rate an answer",
            method="POST",
            path="/api/v1/feedback",
            permission="feedback.write",
            done="Thank you: it is counted.",
            fields=(
                Field("request_id", "Request", hint="The x-request-id of the answer.", required=True),
                Field("rating", "Rating", "whole", "1 (worst) to 5 (best). One of rating, thumbs, label."),
                Field("thumbs", "Thumbs", "choice", choices=("up", "down")),
                Field("label", "Label", hint="A word of yours, such as correct, helpful, incorrect, unsafe."),
                Field("comment", "Comment", "area", "Kept without the personal data that is found in it."),
            ),
        ),
    ),
)
