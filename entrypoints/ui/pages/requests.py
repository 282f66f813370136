"""The explorer: which requests there were, and why one of them went where it did."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from entrypoints.ui.page import Ask, Column, Page, Shown, Stat, Table
from entrypoints.ui.pages.overview import requests_table

LIMIT: Final = 100
CALLER_LEFT: Final = 499
FILTERS: Final = (
    ("model", "Model"),
    ("provider", "Provider"),
    ("route", "Route"),
    ("agent_id", "Agent"),
    ("user_id", "User"),
    ("session_id", "Session"),
    ("key_id", "Key"),
    ("outcome", "Outcome"),
    ("status", "Status"),
    ("cache", "Cache"),
    ("task", "Task"),
    ("min_cost_usd", "Cost from, $"),
    ("min_duration_ms", "Took from, ms"),
    ("from", "From (UTC)"),
    ("to", "To (UTC)"),
)


async def view(ask: Ask) -> Shown:
    """The newest requests that fit the filters, or one of them."""
    if ask.item:
        return await _one(ask)
    said = {name: ask.query.get(name, "") for name, _ in FILTERS}
    asked = {f"{name}_" if name == "from" else name: value for name, value in said.items()}
    answer = await ask.api.get("/api/v1/requests", limit=LIMIT, after=ask.query.get("after"), **asked)
    more = ""
    if answer["next"]:
        more = "?" + urlencode(
            {**{name: value for name, value in said.items() if value}, "after": answer["next"]}
        )
    return Shown(
        template="requests.html",
        context={"filters": FILTERS, "said": said},
        tables=(requests_table(answer["requests"], name="requests", title="Requests", more=more),),
    )


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"/api/v1/requests/{quote(ask.item, safe='')}")
    content = None
    if ask.may("prompts.read"):
        content = await ask.tried(f"/api/v1/requests/{quote(ask.item, safe='')}/content")
    return Shown(
        title=f"Request {found['request_id']}",
        template="request.html",
        context={
            "found": found,
            "content": content,
            "said": sentence(found),
            "bars": bars(found.get("timeline", []), found["duration_us"]),
            "facts": facts(found),
        },
        stats=(
            Stat("Outcome", found["outcome"], "state", outcome_words(found)),
            Stat("Cost", found["cost_usd"], "usd", "estimated" if found["estimated"] else ""),
            Stat(
                "Took", found["duration_us"], "us", f"{_ms(found['duration_us'] - found['upstream_us'])} ours"
            ),
            Stat("First token", found["first_token_us"], "us"),
            Stat("Tokens", f"{found['input_tokens']:,} in, {found['output_tokens']:,} out", "text"),
            Stat("Cache", found["cache"], "state"),
        ),
        tables=(_attempts(found["attempts"]),),
    )


def outcome_words(found: dict[str, Any]) -> str:
    """What the caller was answered; nothing, where nobody was."""
    if found["status"] == CALLER_LEFT:
        return f"{found['status']}: the caller had left"
    return " ".join(str(said) for said in (found["status"], found["error_code"]) if said)


def sentence(found: dict[str, Any]) -> str:
    """Why it went where it did, in words."""
    if not found["provider"]:
        why = f" ({found['error_code']})" if found["error_code"] else ""
        return f"Nobody answered: the request ended as {found['outcome']}{why}."
    text = f"{found['provider']}/{found['model']} answered"
    if str(found["cache"]).startswith("hit"):
        text += f" from the cache ({found['cache']})"
    if found["route"]:
        text += f", by the route {found['route']}"
    if found["strategy"]:
        text += f", which chooses by {found['strategy']}"
    text += f", from {found['candidates']} candidates" if found["candidates"] > 1 else ", the only candidate"
    if found["fallbacks"]:
        text += f"; {found['fallbacks']} other{'s' if found['fallbacks'] > 1 else ''} failed before"
    if found["reason"]:
        reason = found["reason"].removeprefix(f"{found['provider']}/{found['model']}: ")
        text += f". Why: {reason}"
    return text + "."


def bars(timeline: list[dict[str, Any]], duration_us: int) -> list[dict[str, Any]]:
    """The waterfall: each part's place and width in percent."""
    whole = max(1, duration_us, *(part["start_us"] + part["duration_us"] for part in timeline), 1)
    drawn = []
    for part in timeline:
        outcome = str(part.get("outcome") or "")
        kind = "stage" if not outcome else "ok" if outcome == "ok" else "bad"
        drawn.append({
            **part,
            "x": round(100 * max(0, part["start_us"]) / whole, 2),
            "width": round(max(0.4, 100 * part["duration_us"] / whole), 2),
            "kind": kind,
        })  # fmt: skip
    return drawn


def facts(found: dict[str, Any]) -> list[tuple[str, list[tuple[str, Any, str]]]]:
    """Everything else that is known, in groups: title, value, kind."""
    groups = [
        (
            "Who",
            [
                ("Tenant", found["tenant_id"], "code"),
                ("Key", found["key_id"], "code"),
                ("Agent", found["agent_id"], "text"),
                ("User", found["user_id"], "text"),
                ("Session", found["session_id"], "code"),
                ("Workflow", found["workflow_id"], "text"),
                ("Team", found["team"], "text"),
                ("Project", found["project"], "text"),
                ("Cost centre", found["cost_center"], "text"),
            ],
        ),
        (
            "What",
            [
                ("Asked for", found["model_asked"], "code"),
                ("Operation", found["operation"], "text"),
                ("Dialect", found["dialect"], "text"),
                ("Streamed", found["streamed"], "flag"),
                ("Task", found.get("task"), "text"),
                ("Demands", found.get("demands"), "text"),
                ("Dropped", found["dropped"], "text"),
                ("Metadata", found["metadata"], "code"),
                ("Finish", found["finish_reason"], "text"),
                ("Checks", found.get("checks"), "text"),
                ("Privacy", found.get("privacy"), "text"),
                ("Guardrails", found.get("guardrails"), "text"),
                ("Trace", found.get("trace_id"), "code"),
            ],
        ),
        (
            "Size and money",
            [
                ("Request", found["request_bytes"], "bytes"),
                ("Answer", found["response_bytes"], "bytes"),
                ("Read from prompt cache", found["cached_read_tokens"], "number"),
                ("Written to prompt cache", found["cache_write_tokens"], "number"),
                ("Reasoning", found["reasoning_tokens"], "number"),
                ("Saved by the cache", found["saved_usd"], "usd"),
                ("Similarity", found["cache_similarity"], "number"),
                ("Longest pause", found.get("gap_max_us"), "us"),
                ("Blocks", found.get("chunks"), "number"),
            ],
        ),
    ]
    return [(title, [pair for pair in pairs if pair[1] not in (None, "")]) for title, pairs in groups]


def _attempts(attempts: list[dict[str, Any]]) -> Table:
    return Table(
        name="attempts",
        title="Attempts",
        columns=(
            Column("ordinal", "#", "number"),
            Column("provider", "Provider"),
            Column("model", "Model", "code"),
            Column("via", "Way"),
            Column("outcome", "Outcome", "state"),
            Column("status", "Status", "number"),
            Column("duration_us", "Took", "us"),
            Column("first_token_us", "First token", "us"),
            Column("input_tokens", "Tokens in", "number"),
            Column("output_tokens", "Tokens out", "number"),
            Column("cost_usd", "Cost", "usd"),
            Column("price_source", "Price from", wide=True),
            Column("credential", "Key of provider", "code", wide=True),
            Column("message", "What it said", wide=True),
        ),
        rows=attempts,
        empty="No provider was called: the answer came from the cache, or the request was refused before.",
    )


def _ms(us: int) -> str:
    return f"{us / 1e3:.2f} ms"


PAGE: Final = Page(
    name="requests",
    title="Requests",
    group="",
    permission="usage.read",
    view=view,
    about="Which requests there were, why each went where it did, and what it cost.",
)
