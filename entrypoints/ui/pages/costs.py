"""What was spent, on what, over which time; and what was not spent, against what."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from entrypoints.ui.page import Ask, Chart, Column, Field, Page, Series, Shown, Stat, Table, Tried
from entrypoints.ui.pages.choices import (
    OTHERS,
    asked,
    buckets,
    chosen,
    epoch_s,
    explorer,
    leading,
    span,
    time_field,
)

DIMENSIONS: Final = (
    "model", "provider", "route", "key", "agent", "user", "session", "workflow", "team", "project",
    "cost_center", "operation", "task", "outcome", "cache", "credential", "tenant",
)  # fmt: skip
BUCKETS: Final = ("hour", "day", "month")
LIMITED_BY: Final = ("model", "provider", "route", "team", "project", "cost_center", "key", "task")
HOURLY: Final = ("24 hours", "7 days")
"""Times whose hours can be told apart on a chart."""
ROWS_MAX: Final = 500
PARTS: Final = (
    ("routing", "Routing", "cheaper models than the baseline did the work"),
    ("caching", "Caching", "answers used again, less audits and refreshes"),
    ("coalescing", "Coalescing", "one answer for equal requests at the same time"),
    ("prompt_caching", "Prompt caching", "providers' prompt caches, less what writing them cost"),
)
NOT_COUNTED: Final = {
    "tools": "Tools",
    "other_operations": "Embeddings, pictures, sound and reranking",
    "no_baseline": "Routes without a baseline",
    "baseline_unpriced": "The baseline has no known price",
    "unpriced_requests": "Requests without a known price",
    "unpriced_hits": "Cache hits without a known price",
    "own_credentials": "Callers who paid their provider",
}
DECLARE: Final = "analytics:\n  baseline: openai/gpt-4o    # provider/model, as it is configured here\n"


async def view(ask: Ask) -> Shown:
    """Sums by what was chosen, their course, and the savings of the same time."""
    time = chosen(ask, "time", FILTERS[0].choices, "30 days")
    by = chosen(ask, "by", DIMENSIONS, "model")
    bucket = chosen(ask, "bucket", BUCKETS, "day")
    if time == "24 hours" or (bucket == "hour" and time not in HOURLY):
        bucket = "hour" if time == "24 hours" else "day"
    only = {name: ask.query.get(name, "") for name in LIMITED_BY}
    where = {**asked(ask, time), **only}
    costs = await ask.api.get("/api/v1/analytics/costs", bucket="month", **where)
    sums = await ask.api.get("/api/v1/usage", by=by, limit=ROWS_MAX, **where)
    whole = await ask.api.get("/api/v1/usage", by=bucket, order="key", **where)
    shown = leading(sums["rows"], by, "cost_nano_usd")
    groups = await of_groups(ask, by, bucket, shown, where)
    trends = await ask.tried("/api/v1/analytics/patterns", of=by, top=100, **where)
    savings = await ask.tried("/api/v1/analytics/savings", **where)
    names = await key_names(ask) if by == "key" else {}
    return Shown(
        context={
            "filters": FILTERS,
            "chosen": {"time": time, "by": by, "bucket": bucket, **only},
            "exports": exports(ask, time, by, only),
            "declare": "" if against_a_baseline(savings) else DECLARE,
        },
        stats=stats(costs, savings),
        charts=[course(groups, whole["rows"], by, bucket, *span_of(ask, time))],
        tables=(
            groups_table(ask, by, time, sums["rows"], trends.get("leaders", {}), names),
            savings_table(costs["savings"], savings),
            not_counted_table(savings.get("not_counted", {})),
        ),
        problems=[each.problem for each in (trends, savings) if each.problem],
    )


async def key_names(ask: Ask) -> dict[str, str]:
    """What keys are called, by their id, for whoever may see keys."""
    if not ask.may("keys.read"):
        return {}
    found = await ask.tried("/api/v1/keys")
    return {each["key_id"]: each["name"] for each in found.get("keys", [])}


def span_of(ask: Ask, time: str) -> tuple[Any, Any]:
    """The chosen time, ended by now."""
    start, end = span(ask.now, time)
    return start, end or ask.now


def against_a_baseline(savings: Tried) -> bool:
    """Whether there is anything to compare with, for all or for single routes."""
    return bool(savings.get("baseline") or savings.get("routes"))


def stats(costs: dict[str, Any], savings: Tried) -> list[Stat]:
    """The figures of the whole time."""
    total = costs["totals"]
    requests = total["requests"]
    found = [
        Stat(
            "Spent",
            total["cost_nano_usd"] / 1e9,
            "usd",
            f"{total['unpriced_requests']:,} requests of unknown price" if total["unpriced_requests"] else "",
        ),
        Stat("Requests", requests, "number"),
        Stat("Per request", total["cost_nano_usd"] / requests / 1e9 if requests else None, "usd"),
        Stat("Tokens", total["input_tokens"] + total["output_tokens"], "number"),
        Stat("Cache hits", total["cache_hit_ratio"], "share"),
        Stat("Saved by caches", costs["savings"]["total_usd"], "usd", "of what answers had cost"),
    ]
    if against_a_baseline(savings):
        saved, on = savings.get("saved"), savings.get("on_baseline")
        found += [
            Stat(
                f"On {savings.get('baseline') or 'the baselines'}",
                on["expected_usd"],
                "usd",
                between(on),
            ),
            Stat("Saved against it", saved["expected_usd"], "usd", between(saved)),
            Stat("Saved of it", savings.get("share"), "share"),
        ]
    return found


def between(estimate: dict[str, Any]) -> str:
    """An estimate's interval in words."""
    if estimate["low_nano_usd"] == estimate["high_nano_usd"]:
        return "exact"
    low, high = (float(estimate[name]) for name in ("low_usd", "high_usd"))
    places = 2 if max(abs(low), abs(high)) >= 1 else 4
    return f"between ${low:,.{places}f} and ${high:,.{places}f}"


async def of_groups(
    ask: Ask, by: str, bucket: str, shown: list[str], where: dict[str, str | None]
) -> list[dict[str, Any]]:
    """Sums over time of a few groups only: all groups at all times could be more than the API tells."""
    if not shown:
        return []
    said = [(name.rstrip("_"), value) for name, value in where.items() if value and name != by]
    said += [("by", f"{bucket},{by}"), ("order", "key"), *((by, name) for name in shown)]
    answer = await ask.api.send("GET", "/api/v1/usage", query=urlencode(said))
    rows: list[dict[str, Any]] = answer["rows"]
    return rows


def course(
    groups: list[dict[str, Any]], whole: list[dict[str, Any]], by: str, bucket: str, start: Any, end: Any
) -> Chart:
    """Cost over time, the dearest groups each for itself, upon each other, and the rest upon them.

    `groups` are the sums of the dearest by time, `whole` those of everything.
    """
    months = sorted({row["month"] for row in whole}) if bucket == "month" else []
    times = months if bucket == "month" else buckets(start, end, bucket)
    place = {name: number for number, name in enumerate(times)}
    values = {name: [0.0] * len(times) for name in leading(groups, by, "cost_nano_usd")}
    rest = [0] * len(times)
    for row in whole:
        if row[bucket] in place:
            rest[place[row[bucket]]] += row["cost_nano_usd"]
    for row in groups:
        if row[bucket] in place:
            values[row[by]][place[row[bucket]]] += row["cost_nano_usd"] / 1e9
            rest[place[row[bucket]]] -= row["cost_nano_usd"]
    series = [Series(name or f"no {words(by)}", amounts) for name, amounts in values.items()]
    if any(left > 0 for left in rest):
        series.append(Series(OTHERS, [max(0, left) / 1e9 for left in rest]))
    return Chart(
        name="course",
        title=f"Cost by {bucket}",
        times_s=[epoch_s(f"{name}-01" if bucket == "month" else name) for name in times],
        unit="usd",
        stacked=True,
        series=series,
    )


def words(dimension: str) -> str:
    """A dimension's name for people."""
    return dimension.replace("_", " ").replace("center", "centre")


def groups_table(
    ask: Ask,
    by: str,
    time: str,
    sums: list[dict[str, Any]],
    leaders: dict[str, Any],
    names: dict[str, str],
) -> Table:
    """Each group with its share, and how it changed against the time before."""
    trends = {one["name"]: one["trend"] for one in leaders.get(by, {}).get("top", [])}
    whole = sum(row["cost_nano_usd"] for row in sums)
    rows = []
    for row in sums:
        requests, value = row["requests"], row[by]
        rows.append({
            "group": value or f"(no {words(by)})",
            "named": names.get(value, ""),
            "share": row["cost_nano_usd"] / whole if whole else None,
            "trend": trends.get(value),
            "per_request_usd": row["cost_nano_usd"] / requests / 1e9 if requests else None,
            "error_share": 1 - row["ok_requests"] / requests if requests else None,
            "mean_us": row["duration_us"] / requests if requests else None,
            "unlinked": not value,
            **row,
        })  # fmt: skip
    return Table(
        name="groups",
        title=f"By {words(by)}",
        columns=(
            Column("group", words(by).capitalize(), "text", explorer(by, ask, time)),
            *((Column("named", "Called"),) if names else ()),
            Column("cost_usd", "Cost", "usd"),
            Column("share", "Share", "part"),
            Column("trend", "Trend", "change"),
            Column("requests", "Requests", "number"),
            Column("per_request_usd", "Per request", "usd", wide=True),
            Column("error_share", "Failed", "share", wide=True),
            Column("mean_us", "Mean time", "us", wide=True),
            Column("input_tokens", "Tokens in", "number", wide=True),
            Column("output_tokens", "Tokens out", "number", wide=True),
            Column("saved_usd", "Saved by caches", "usd", wide=True),
            Column("unpriced_requests", "Unknown price", "number", wide=True),
        ),
        rows=rows,
        empty="Nothing was used in this time. Choose a longer one, or take filters away.",
    )


def savings_table(caches: dict[str, Any], savings: Tried) -> Table:
    """What made the bill smaller: against a baseline where there is one, else of caches alone."""
    rows: list[dict[str, Any]] = []
    if against_a_baseline(savings):
        whole = savings.get("saved")["expected_nano_usd"]
        for name, title, means in PARTS:
            part = savings.get("parts")[name]
            expected = part.get("expected_nano_usd", part.get("nano_usd"))
            rows.append({
                "part": title,
                "low_usd": part.get("low_usd", part.get("usd")),
                "expected_usd": part.get("expected_usd", part.get("usd")),
                "high_usd": part.get("high_usd", part.get("usd")),
                "share": expected / whole if whole > 0 else None,
                "means": means,
            })  # fmt: skip
    else:
        of = {
            **{f"Caching, {name}": one["saved_usd"] for name, one in caches["caching"].items()},
            "Coalescing": caches["coalescing"]["saved_usd"],
            "Prompt caching": caches["prompt_caching"]["saved_usd"],
        }
        rows = [
            {"part": name, "low_usd": usd, "expected_usd": usd, "high_usd": usd, "share": None, "means": ""}
            for name, usd in of.items()
            if float(usd)
        ]
    return Table(
        name="savings",
        title="Saved, and by what",
        columns=(
            Column("part", "Part"),
            Column("expected_usd", "Saved", "usd"),
            Column("low_usd", "At least", "usd"),
            Column("high_usd", "At most", "usd"),
            Column("share", "Of all savings", "part", wide=True),
            Column("means", "What it is", wide=True),
        ),
        rows=rows,
        empty="No cache saved anything in this time. Switch caching on for a route "
        "(cache: {mode: exact} below the route in the file) to see how much repeats.",
    )


def not_counted_table(reasons: dict[str, Any]) -> Table:
    """What is in no saving, and why."""
    rows = [
        {"why": NOT_COUNTED.get(name, name), "requests": left["requests"], "cost_usd": left["cost"]["usd"]}
        for name, left in reasons.items()
        if left["requests"] or left["cost"]["nano_usd"]
    ]
    return Table(
        name="not_counted",
        title="Not counted in savings",
        columns=(
            Column("why", "Why"),
            Column("requests", "Requests", "number"),
            Column("cost_usd", "Their cost", "usd"),
        ),
        rows=rows,
        empty="Everything of this time is counted.",
    )


def exports(ask: Ask, time: str, by: str, only: dict[str, str]) -> list[tuple[str, str]]:
    """Files of everything, straight from the API: what they are, and where."""
    start, end = span(ask.now, time)
    hour = (end or ask.now).replace(minute=0, second=0, microsecond=0)
    whole = hour if end or hour == ask.now else hour + timedelta(hours=1)
    said = {"from": start.isoformat(), "to": whole.isoformat()}
    said |= {name: value for name, value in only.items() if value}
    wanted = (
        ("Groups, CSV", {"format": "csv", "level": "summary", "by": by}),
        ("Requests, CSV", {"format": "csv", "level": "requests"}),
        ("Attempts, CSV", {"format": "csv", "level": "attempts"}),
        ("Requests, Parquet", {"format": "parquet", "level": "requests"}),
        ("FOCUS 1.2", {"format": "focus", "bucket": "day"}),
    )
    return [(title, "/api/v1/usage?" + urlencode({**how, **said})) for title, how in wanted]


FILTERS: Final = (
    time_field("30 days"),
    Field("by", "By", "choice", required=True, choices=DIMENSIONS, default="model"),
    Field("bucket", "Course by", "choice", required=True, choices=BUCKETS, default="day"),
    *(Field(name, f"Only {words(name)}", hint="any") for name in LIMITED_BY),
)
PAGE: Final = Page(
    name="costs",
    title="Cost & savings",
    group="Money",
    permission="usage.read",
    view=view,
    about="What was spent on what, and what was not spent.",
    template="costs.html",
)
