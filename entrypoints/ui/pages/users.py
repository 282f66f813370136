"""Who uses it: people, agents, keys and teams, whoever costs most first; and one of them in full."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from entrypoints.ui.page import Ask, Chart, Column, Field, Page, Series, Shown, Stat, Table
from entrypoints.ui.pages.choices import (
    EXPLORED,
    OTHERS,
    TIMES,
    asked,
    buckets,
    chosen,
    epoch_s,
    explorer,
    leading,
    span,
    time_field,
)
from entrypoints.ui.pages.costs import key_names, words

DIMENSIONS: Final = ("user", "agent", "key", "team", "project", "session", "workflow", "tenant")
ALWAYS_NAMED: Final = "key"
"""Every request is made with one, whatever else it does not say."""
HOURLY: Final = ("24 hours", "7 days")
"""Times in which the last hour of each is looked for; else the last day."""
DAY_CHARS: Final = len("2026-03-14")
ROWS_MAX: Final = 500
SUMS_MAX: Final = 10_000
PARTS_MAX: Final = 50
PARTS: Final = (
    ("model", "Models"),
    ("agent", "Agents"),
    ("user", "Users"),
    ("key", "Keys"),
    ("session", "Sessions"),
    ("outcome", "What came of its requests"),
)
"""What one of them is taken apart by."""
USAGE: Final = "/api/v1/usage"


class Time(NamedTuple):
    """What is looked at: the choice, as the API takes it, and how finely it is told who was seen last."""

    name: str
    where: Mapping[str, str | None]
    bucket: str

    @property
    def drawn_by(self) -> str:
        """How finely courses are drawn: a day has hours, a week has days."""
        return "hour" if self.name == "24 hours" else "day"

    def drawn(self, ask: Ask) -> list[str]:
        """The names of those hours or days."""
        start, end = span(ask.now, self.name)
        return buckets(start, end or ask.now, self.drawn_by)


async def view(ask: Ask) -> Shown:
    """Sums of each one with its share, when it was last seen, and the course of the costliest; or one."""
    name = chosen(ask, "time", TIMES, "7 days")
    time = Time(name, asked(ask, name), "hour" if name in HOURLY else "day")
    by = chosen(ask, "by", DIMENSIONS, "user")
    of = ask.query.get("of", "")
    return await (_one(ask, time, by, of) if of else _all(ask, time, by))


async def _all(ask: Ask, time: Time, by: str) -> Shown:
    rows, note = await _sums(ask, time, by), ""
    if "by" not in ask.query and rows and not any(row[by] for row in rows):
        by = ALWAYS_NAMED
        rows, note = await _sums(ask, time, by), _UNNAMED
    course = await ask.tried(
        USAGE, by=f"{by},{time.bucket}", order="requests", limit=SUMS_MAX, **time.where
    )  # fmt: skip
    sums = course.get("rows", [])
    names = await key_names(ask) if by == "key" else {}
    problems = [each for each in (note, course.problem) if each]
    if len(sums) == SUMS_MAX:
        problems.append("There are too many to tell of all when they were last seen: choose less time.")
    return Shown(
        context={"filters": FILTERS, "chosen": {"time": time.name, "by": by}},
        stats=stats(rows, by, time.name, names),
        charts=(
            course_of(sums, by, "cost_nano_usd", ask, time, names),
            course_of(sums, by, "requests", ask, time, names),
        )
        if rows
        else (),
        tables=(table(rows, seen_last(sums, by, time.bucket), by, time.name, names),),
        problems=problems,
    )


_UNNAMED: Final = (
    "No request of this time says which user it is for, so this is by key. Callers say it with "
    "x-interchange-user-id, or with user in the body."
)


async def _sums(ask: Ask, time: Time, by: str) -> list[dict[str, Any]]:
    """Whoever costs most first."""
    answer = await ask.api.get(USAGE, by=by, order="cost", limit=ROWS_MAX, **time.where)
    found: list[dict[str, Any]] = answer["rows"]
    return found


def stats(rows: Sequence[Mapping[str, Any]], by: str, time: str, names: Mapping[str, str]) -> list[Stat]:
    """How many there are, what they did, and what the costliest of them is to the bill."""
    named = [row for row in rows if row[by]]
    requests = sum(row["requests"] for row in rows)
    failed = requests - sum(row["ok_requests"] for row in rows)
    cost = sum(row["cost_nano_usd"] for row in rows)
    first = named[0] if named and named[0]["cost_nano_usd"] else None
    many = f"{len(named):,}" + ("+" if len(rows) == ROWS_MAX else "")
    return [
        Stat(f"{words(by)}s".capitalize(), many, "text", f"in {time}"),
        Stat("Cost", cost / 1e9, "usd"),
        Stat("Requests", requests, "number"),
        Stat("Failed", failed / requests if requests else None, "share", f"{failed:,} of {requests:,}"),
        Stat(
            "Costs most",
            first["cost_nano_usd"] / cost if first else None,
            "share",
            f"of the cost: {names.get(first[by]) or first[by]}" if first else "",
        ),
    ]


def seen_last(sums: list[dict[str, Any]], by: str, bucket: str) -> dict[str, str]:
    """The newest hour or day of each one."""
    newest: dict[str, str] = {}
    for row in sums:
        newest[row[by]] = max(newest.get(row[by], ""), row[bucket])
    return newest


def course_of(
    sums: list[dict[str, Any]], by: str, amount: str, ask: Ask, time: Time, names: Mapping[str, str]
) -> Chart:
    """Costs or requests over time, those with the most each for itself."""
    times = time.drawn(ask)
    place = {name: number for number, name in enumerate(times)}
    money = amount == "cost_nano_usd"
    shown = leading(sums, by, amount)
    values = {name: [0.0] * len(times) for name in [*shown, OTHERS]}
    for row in sums:
        name = row[time.bucket][:DAY_CHARS] if time.drawn_by == "day" else row[time.bucket]
        if name in place:
            one = values[row[by] if row[by] in shown else OTHERS]
            one[place[name]] += row[amount] / 1e9 if money else row[amount]
    kept = [name for name in values if name != OTHERS or any(values[OTHERS])]
    return Chart(
        name="cost" if money else "requests",
        title=f"{'Cost' if money else 'Requests'} by {time.drawn_by}",
        times_s=[epoch_s(name) for name in times],
        unit="usd" if money else "number",
        stacked=True,
        series=[Series(names.get(name) or name or f"no {words(by)}", values[name]) for name in kept],
    )


def _row(row: Mapping[str, Any], by: str, cost: int, names: Mapping[str, str]) -> dict[str, Any]:
    requests = row["requests"]
    return {
        "group": row[by] or f"(no {words(by)})",
        "named": names.get(row[by], ""),
        "unlinked": not row[by],
        "share": row["cost_nano_usd"] / cost if cost else None,
        "failed": requests - row["ok_requests"],
        "error_share": 1 - row["ok_requests"] / requests if requests else None,
        "mean_us": row["duration_us"] / requests if requests else None,
        **row,
    }


def table(
    sums: list[dict[str, Any]], last: dict[str, str], by: str, time: str, names: Mapping[str, str]
) -> Table:
    """One line each."""
    cost = sum(row["cost_nano_usd"] for row in sums)
    rows = []
    for row in sums:
        newest = last.get(row[by], "")
        seen = newest.replace("T", " ") + (":00" if "T" in newest else "") or None
        rows.append({**_row(row, by, cost, names), "last_seen": seen})
    return Table(
        name="users",
        title=f"By {words(by)}",
        columns=(
            Column("group", words(by).capitalize(), "text", place_of(by, time)),
            *((Column("named", "Called"),) if names else ()),
            Column("cost_usd", "Cost", "usd"),
            Column("share", "Share of cost", "part"),
            Column("requests", "Requests", "number"),
            Column("error_share", "Failed", "share"),
            Column("last_seen", "Last seen (UTC)", wide=True),
            *_MORE,
        ),
        rows=rows,
        empty="Nobody used it in this time. Callers say who they are with x-interchange-user-id and "
        "x-interchange-agent-id, or with `user` in the body; teams and projects are those of their keys.",
    )


_MORE: Final = (
    Column("mean_us", "Mean time", "us", wide=True),
    Column("input_tokens", "Tokens in", "number", wide=True),
    Column("output_tokens", "Tokens out", "number", wide=True),
    Column("cache_hit_ratio", "Cache hits", "share", wide=True),
    Column("saved_usd", "Saved by caches", "usd", wide=True),
    Column("unpriced_requests", "Unknown price", "number", wide=True),
)


def place_of(by: str, time: str) -> str:
    """A column's link from a `group` to what is known of it."""
    return f"/ui/users?{urlencode({'by': by, 'time': time})}&of={{group}}"


async def _one(ask: Ask, time: Time, by: str, of: str) -> Shown:
    where = {**time.where, by: of}
    whole = (await ask.api.get(USAGE, by=by, limit=1, **where))["rows"]
    course = await ask.tried(USAGE, by=time.drawn_by, order="key", limit=SUMS_MAX, **where)
    names = await key_names(ask)
    tables, problems = [], [course.problem]
    for dimension, title in PARTS:
        if dimension != by:
            told = await ask.tried(USAGE, by=dimension, order="cost", limit=PARTS_MAX, **where)
            known = names if dimension == "key" else {}
            tables.append(part_table(told.get("rows", []), dimension, title, (ask, time.name), known))
            problems.append(told.problem)
    called = names.get(of, "") if by == "key" else ""
    return Shown(
        title=f"{words(by).capitalize()} {called or of}",
        context={
            "filters": (time_field("7 days"), Field("by", "", "hidden"), Field("of", "", "hidden")),
            "chosen": {"time": time.name, "by": by, "of": of},
            "back": (f"/ui/users?{urlencode({'by': by, 'time': time.name})}", f"All {words(by)}s"),
            "links": _links(ask, time, by, of),
        },
        stats=one_stats(whole, time.name),
        charts=timeline(course.get("rows", []), ask, time) if whole else (),
        tables=tables,
        problems=[each for each in problems if each],
    )


def _links(ask: Ask, time: Time, by: str, of: str) -> list[tuple[str, str]]:
    links = []
    if by in EXPLORED:
        said = {name.rstrip("_"): value for name, value in time.where.items() if value} | {EXPLORED[by]: of}
        links.append(("All requests", f"/ui/requests?{urlencode(said)}"))
    if by == "key" and ask.may("keys.read"):
        links.append(("The key", f"/ui/keys/{of}"))
    if by == "agent" and ask.may("agents.stop"):
        links.append(("Stop it", f"/ui/stops?{urlencode({'agent_id': of})}"))
    if by == "user" and ask.may("privacy.read"):
        links.append(("What is kept", f"/ui/privacy?{urlencode({'user': of})}"))
    return links


def one_stats(whole: Sequence[Mapping[str, Any]], time: str) -> list[Stat]:
    """The sums of one; none: it did nothing in this time."""
    if not whole:
        return [Stat("Requests", 0, "number", f"in {time}")]
    row = whole[0]
    requests, failed = row["requests"], row["requests"] - row["ok_requests"]
    unpriced = row["unpriced_requests"]
    return [
        Stat("Cost", row["cost_usd"], "usd", f"in {time}"),
        Stat("Requests", requests, "number"),
        Stat("Failed", failed / requests if requests else None, "share", f"{failed:,} of {requests:,}"),
        Stat("Per request", row["cost_nano_usd"] / requests / 1e9 if requests else None, "usd"),
        Stat("Mean time", row["duration_us"] / requests if requests else None, "us"),
        Stat("Tokens", row["input_tokens"] + row["output_tokens"], "number", "read and written"),
        Stat("Cache hits", row["cache_hit_ratio"], "share"),
        *([Stat("Unknown price", unpriced, "number", "requests", "warn")] if unpriced else []),
    ]


def timeline(sums: Sequence[Mapping[str, Any]], ask: Ask, time: Time) -> tuple[Chart, Chart]:
    """What one costs, and how its requests end, over time."""
    names = time.drawn(ask)
    of = {row[time.drawn_by]: row for row in sums}
    cost = [of[name]["cost_nano_usd"] / 1e9 if name in of else 0.0 for name in names]
    good = [float(of[name]["ok_requests"]) if name in of else 0.0 for name in names]
    failed = [float(of[name]["requests"] - of[name]["ok_requests"]) if name in of else 0.0 for name in names]
    times = [epoch_s(name) for name in names]
    return (
        Chart(
            name="cost",
            title=f"Cost by {time.drawn_by}",
            times_s=times,
            unit="usd",
            bars=True,
            series=[Series("Cost", cost)],
        ),
        Chart(
            name="requests",
            title=f"Requests by {time.drawn_by}",
            times_s=times,
            stacked=True,
            series=[Series("Answered", good), Series("Failed", failed)],
        ),
    )


def part_table(
    sums: list[dict[str, Any]], by: str, title: str, of: tuple[Ask, str], names: Mapping[str, str]
) -> Table:
    """What one of them is made of, by another dimension."""
    ask, time = of
    cost = sum(row["cost_nano_usd"] for row in sums)
    link = place_of(by, time) if by in DIMENSIONS else explorer(by, ask, time)
    return Table(
        name=f"{by}s",
        title=title,
        columns=(
            Column("group", words(by).capitalize(), "text", link),
            *((Column("named", "Called"),) if names else ()),
            Column("cost_usd", "Cost", "usd"),
            Column("share", "Share of cost", "part"),
            Column("requests", "Requests", "number"),
            Column("error_share", "Failed", "share"),
            *_MORE,
        ),
        rows=[_row(row, by, cost, names) for row in sums],
        empty="Nothing in this time. Choose a longer one.",
    )


FILTERS: Final = (
    time_field("7 days"),
    Field("by", "By", "choice", required=True, choices=DIMENSIONS, default="user"),
)
PAGE: Final = Page(
    name="users",
    title="Users",
    group="Money",
    permission="usage.read",
    view=view,
    about="Who uses it: people, agents, keys and teams, whoever costs most first.",
    template="chosen.html",
)
