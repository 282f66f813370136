"""What happens now: traffic, cost, latency, and what needs somebody's attention."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from entrypoints.ui.page import Ask, Chart, Column, Page, Series, Shown, Stat, Table

HOURS: Final = 48
LATEST: Final = 12


async def view(ask: Ask) -> Shown:
    """The last two days by hour, what is wrong now, and the newest requests."""
    health = await ask.tried("/health")
    since = ask.ago(hours=HOURS)
    totals = await ask.tried("/api/v1/usage", group_by="hour", order="key", from_=since)
    newest = await ask.tried("/api/v1/requests", limit=LATEST)
    providers = await ask.tried("/api/v1/providers/status")
    rows = every_hour(totals.get("rows", []), ask.now)[-HOURS:]
    return Shown(
        context={"live": "5s"},
        stats=_stats(rows, health.value or {}, providers.get("providers", [])),
        charts=_charts(rows),
        tables=(requests_table(newest.get("requests", []), name="newest", title="Newest requests"),),
        problems=[each.problem for each in (totals, newest, providers) if each.problem],
    )


def every_hour(rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Rows by hour in their order up to now's, with the hours in which nothing happened."""
    if not rows:
        return []
    known = {datetime.fromisoformat(f"{row['hour']}:00"): row for row in rows}
    nothing = {name: 0 for name, value in rows[0].items() if isinstance(value, int)}
    first = min(known)
    last = max(*known, now.astimezone(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0))
    first = max(first, last - timedelta(hours=HOURS)) - timedelta(hours=1)
    found = []
    while first <= last:
        found.append(known.get(first) or {**nothing, "hour": first.isoformat(timespec="hours")})
        first += timedelta(hours=1)
    return found


def _stats(rows: list[dict[str, Any]], health: dict[str, Any], providers: list[dict[str, Any]]) -> list[Stat]:
    last = rows[-24:]
    requests = sum(row["requests"] for row in last)
    failed = requests - sum(row["ok_requests"] for row in last)
    lookups = sum(row["cache_lookups"] for row in last)
    hits = sum(row["cache_hits"] for row in last)
    unpriced = sum(row["unpriced_requests"] for row in last)
    usable = sum(1 for each in providers if each["usable"])
    state = str(health.get("status", ""))
    return [
        Stat(
            "Health",
            state or None,
            "state",
            _warned(health.get("warnings", [])),
            _good(state == "ok"),
        ),
        Stat("Requests, 24 h", requests, "number", link="/ui/requests"),
        Stat(
            "Failed, 24 h",
            failed / requests if requests else None,
            "share",
            state=_good(failed * 20 <= requests),
        ),
        Stat(
            "Cost, 24 h",
            sum(row["cost_nano_usd"] for row in last) / 1e9,
            "usd",
            f"{unpriced} of unknown price" if unpriced else "",
        ),
        Stat(
            "Saved by caches",
            sum(row["saved_nano_usd"] for row in last) / 1e9,
            "usd",
            f"{hits / lookups:.0%} of look-ups hit, 24 h" if lookups else "24 h",
        ),
        Stat("In flight", health.get("in_flight"), "number"),
        Stat(
            "Providers usable",
            f"{usable} of {len(providers)}" if providers else None,
            "text",
            state=_good(usable == len(providers)),
        ),
    ]


def _warned(warnings: list[str]) -> str:
    """How many there are: each is a long sentence, which the page of settings shows."""
    return f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}, see Settings" if warnings else ""


def _good(it_is: bool) -> str:
    return "" if it_is else "warn"


def _charts(rows: list[dict[str, Any]]) -> list[Chart]:
    times = [datetime.fromisoformat(f"{row['hour']}:00+00:00").timestamp() for row in rows]
    return [
        Chart(
            name="cost",
            title="Cost by hour",
            times_s=times,
            unit="usd",
            bars=True,
            series=[Series("Cost", [row["cost_nano_usd"] / 1e9 for row in rows])],
        ),
        Chart(
            name="requests",
            title="Requests by hour",
            times_s=times,
            series=[
                Series("Answered", [float(row["ok_requests"]) for row in rows]),
                Series("Failed", [float(row["requests"] - row["ok_requests"]) for row in rows]),
            ],
        ),
        Chart(
            name="latency",
            title="Mean duration by hour",
            times_s=times,
            unit="us",
            series=[
                Series("Whole", [_mean_us(row, row["duration_us"]) for row in rows]),
                Series("Ours", [_mean_us(row, row["duration_us"] - row["upstream_us"]) for row in rows]),
            ],
        ),
    ]


def _mean_us(row: dict[str, Any], sum_us: int) -> float | None:
    """None in an hour without requests: nothing took 0 µs then."""
    return sum_us / row["requests"] if row["requests"] else None


def requests_table(rows: list[dict[str, Any]], *, name: str, title: str, more: str = "") -> Table:
    """Requests, each leading to why it went where it did."""
    return Table(
        name=name,
        title=title,
        more=more,
        columns=(
            Column("started_at", "Began", "when", "/ui/requests/{request_id}"),
            Column("model_asked", "Asked for", "code"),
            Column("provider", "Provider"),
            Column("model", "Model", "code"),
            Column("outcome", "Outcome", "state"),
            Column("status", "Status", "number", wide=True),
            Column("fallbacks", "Fallbacks", "number", wide=True),
            Column("cost_usd", "Cost", "usd"),
            Column("duration_us", "Took", "us"),
            Column("first_token_us", "First token", "us", wide=True),
            Column("input_tokens", "Tokens in", "number", wide=True),
            Column("output_tokens", "Tokens out", "number", wide=True),
            Column("cache", "Cache", "state", wide=True),
            Column("agent_id", "Agent", wide=True),
            Column("request_id", "Request", "code", "/ui/requests/{request_id}", wide=True),
        ),
        rows=[{**row, "status": row["status"] or None} for row in rows],
        empty="No requests yet. Point an SDK at /v1 with a key of this installation, or try the playground.",
    )


PAGE: Final = Page(
    name="overview",
    title="Overview",
    group="",
    permission="",
    view=view,
    about="What happens now, what it costs, and what needs attention.",
)
