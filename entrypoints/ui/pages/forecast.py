"""What usage comes to in the days ahead, how sure that is, and what was out of the ordinary."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from entrypoints.ui.page import Ask, Band, Chart, Column, Field, Page, Series, Shown, Stat, Table, Tried
from entrypoints.ui.pages.choices import asked, chosen, epoch_s, time_field
from entrypoints.ui.rendering import shown

METRICS: Final = ("cost", "requests", "tokens")
HORIZONS: Final = ("7", "14", "28", "56")
GROUPS: Final = ("model", "provider", "route", "key", "team", "project", "cost_center", "task")
HISTORY_DAYS: Final = 60
"""Days of the past on the chart."""
EXPECTED: Final = 1
"""The place of what is expected among the chart's series."""


async def view(ask: Ask) -> Shown:
    """The forecast of everything or of groups, and the anomalies of a time."""
    metric = chosen(ask, "metric", METRICS, "cost")
    days = chosen(ask, "days", HORIZONS, "28")
    by = chosen(ask, "by", GROUPS, "")
    time = chosen(ask, "time", TIMES, "7 days")
    whole = await ask.tried("/api/v1/analytics/forecast", metric=metric, horizon_days=days)
    groups = (
        await ask.tried("/api/v1/analytics/forecast", metric=metric, horizon_days=days, by=by)
        if by
        else Tried(None)
    )
    strange = await ask.tried("/api/v1/analytics/anomalies", by=by, **asked(ask, time))
    one = (whole.get("forecasts") or [None])[0]
    tables = [anomalies_table(strange.get("anomalies", []), by, strange.get("history_hours", 0))]
    if by:
        tables.append(groups_table(groups.get("forecasts", []), by, metric))
    if one is not None:
        tables.append(days_table(one, metric))
    return Shown(
        context={
            "filters": FILTERS,
            "chosen": {"metric": metric, "days": days, "by": by, "time": time},
            "caveats": [] if one is None else one["caveats"],
        },
        stats=[] if one is None else stats(one, metric),
        charts=[] if one is None else [course(one, metric)],
        tables=tables,
        problems=[each.problem for each in (whole, groups, strange) if each.problem],
    )


def unit(metric: str) -> tuple[str, float]:
    """How a metric is shown, and by what its whole units are divided for that."""
    return ("usd", 1e9) if metric == "cost" else ("number", 1.0)


def amount(value: float | None, metric: str) -> float | None:
    """Of the metric's unit as people read it."""
    return None if value is None else value / unit(metric)[1]


def between(expected: dict[str, Any], share: int, metric: str) -> str:
    """An interval in words; empty: nothing is known of errors."""
    low, high = expected[f"low_{share}"], expected[f"high_{share}"]
    if low is None:
        return ""
    kind = unit(metric)[0]
    return f"{share} %: {shown(amount(low, metric), kind)} to {shown(amount(high, metric), kind)}"


def stats(one: dict[str, Any], metric: str) -> list[Stat]:
    """The month, the days ahead, and how good such forecasts were."""
    kind = unit(metric)[0]
    found = []
    month, total, test = one["month"], one["total"], one["back_test"]
    if month is not None:
        found += [
            Stat(f"{month['month']} so far", amount(month["so_far"], metric), kind),
            Stat(
                f"{month['month']} in all", amount(month["point"], metric), kind, between(month, 80, metric)
            ),
        ]
    if total is not None:
        ahead = f"Next {len(one['days'])} days"
        found.append(Stat(ahead, amount(total["point"], metric), kind, between(total, 80, metric)))
    if test is not None and test["origins"]:
        found += [
            Stat(
                "Off in the past",
                test["total_error"],
                "share",
                f"mean error of {test['days_ahead']} days, {test['origins']} trials",
            ),
            Stat(
                "Days within intervals",
                f"{shown(test['coverage_80'], 'share')} and {shown(test['coverage_95'], 'share')}",
                "text",
                "of 80 % and 95 % intervals",
            ),
        ]
    return found


def course(one: dict[str, Any], metric: str) -> Chart:
    """The past, and what is expected with its intervals; they meet today."""
    history, days = one["history"][-HISTORY_DAYS:], one["days"]
    gap: list[float | None] = [None] * len(history)
    after: list[float | None] = [None] * len(days)

    def ahead(title: str, name: str) -> Series:
        return Series(title, gap + [amount(day[name], metric) for day in days])

    known = bool(days) and days[0]["low_80"] is not None
    return Chart(
        name="course",
        title={"cost": "Spending by day", "requests": "Requests by day", "tokens": "Tokens by day"}[metric],
        times_s=[epoch_s(day["date"]) for day in [*history, *days]],
        unit=unit(metric)[0],
        series=[
            Series("So far", [amount(day["amount"], metric) for day in history] + after),
            ahead("Expected", "point"),
            *(
                ahead(f"{share} %, {edge}", f"{edge}_{share}")
                for share in ((80, 95) if known else ())
                for edge in ("low", "high")
            ),
        ],
        bands=(Band("80 %", 2, 3, EXPECTED), Band("95 %", 4, 5, EXPECTED)) if known else (),
    )


def days_table(one: dict[str, Any], metric: str) -> Table:
    """Each day ahead."""
    kind = unit(metric)[0]
    names = ("point", "low_80", "high_80", "low_95", "high_95")
    rows = [
        {
            "date": day["date"],
            "weekday": f"{datetime.fromisoformat(day['date']):%A}",
            **{name: amount(day[name], metric) for name in names},
        }
        for day in one["days"]
    ]
    return Table(
        name="days",
        title="Days ahead",
        columns=(
            Column("date", "Day"),
            Column("weekday", "Weekday", wide=True),
            Column("point", "Expected", kind),
            Column("low_80", "80 % from", kind),
            Column("high_80", "to", kind),
            Column("low_95", "95 % from", kind, wide=True),
            Column("high_95", "to", kind, wide=True),
        ),
        rows=rows,
        empty="There is nothing to go by yet: a forecast needs at least a day of usage.",
    )


def groups_table(forecasts: Sequence[dict[str, Any]], by: str, metric: str) -> Table:
    """Each group's days ahead and month; the 20 that cost most."""
    kind = unit(metric)[0]
    rows = []
    for one in forecasts:
        total, month = one["total"] or {}, one["month"] or {}
        rows.append({
            "group": one["group"][by] or f"(no {by.replace('_', ' ')})",
            "total": amount(total.get("point"), metric),
            "low_80": amount(total.get("low_80"), metric),
            "high_80": amount(total.get("high_80"), metric),
            "so_far": amount(month.get("so_far"), metric),
            "month": amount(month.get("point"), metric),
            "error": (one["back_test"] or {}).get("total_error"),
        })  # fmt: skip
    return Table(
        name="groups",
        title=f"By {by.replace('_', ' ')}",
        columns=(
            Column("group", by.replace("_", " ").capitalize()),
            Column("total", "Days ahead", kind),
            Column("low_80", "80 % from", kind, wide=True),
            Column("high_80", "to", kind, wide=True),
            Column("so_far", "Month so far", kind, wide=True),
            Column("month", "Month in all", kind),
            Column("error", "Off in the past", "share"),
        ),
        rows=rows,
        empty="Nothing was used yet.",
    )


def _count(value: float) -> str:
    return shown(round(value), "number")


_AMOUNTS: Final[dict[str, Callable[[float], str]]] = {
    "cost": lambda value: f"{shown(value / 1e9, 'usd')} an hour",
    "requests": lambda value: f"{_count(value)} an hour",
    "latency": lambda value: shown(value, "us"),
    "errors": lambda value: shown(value, "share"),
}
_STRAYS: Final[dict[str, Callable[[float], str]]] = {
    **_AMOUNTS,
    "cost": lambda value: shown(value / 1e9, "usd"),
    "requests": _count,
}
"""Beside an amount that says of what."""
_CHANGES: Final[dict[str, Callable[[float], str]]] = {
    "cost": lambda value: shown(value / 1e9, "usd"),
    "latency": lambda value: shown(value, "us"),
}


def anomalies_table(found: Sequence[dict[str, Any]], by: str, history_hours: int) -> Table:
    """What was strange, against what is usual, and who moved it."""
    rows = []
    for one in found:
        start, end = (datetime.fromisoformat(one[name]) for name in ("start", "end"))
        change = _CHANGES.get(one["metric"], _count)
        rows.append({
            **one,
            "group": one["group"].get(by) if by else None,
            "lasted_s": (end - start).total_seconds(),
            "seen": _AMOUNTS[one["metric"]](one["observed"]),
            "usual": f"{_AMOUNTS[one['metric']](one['expected'])} ± {_STRAYS[one['metric']](one['strays'])}",
            "who": "; ".join(
                f"{each['dimension']} {each['value'] or '(none)'}: "
                f"{change(each['amount'])}, before {change(each['before'])}"
                for each in one["contributors"] or ()
            )
            or None,
        })  # fmt: skip
    learned = "" if history_hours >= 72 else " It says nothing in the first three days of use."
    return Table(
        name="anomalies",
        title="Out of the ordinary",
        columns=(
            Column("start", "Began", "when", "/ui/requests?from={start}&to={end}"),
            Column("metric", "What"),
            *((Column("group", by.replace("_", " ").capitalize()),) if by else ()),
            Column("kind", "Kind"),
            Column("severity", "Severity", "state"),
            Column("seen", "Observed"),
            Column("usual", "Expected"),
            Column("lasted_s", "Lasted", "s"),
            Column("requests", "Requests", "number", wide=True),
            Column("who", "Who moved it", "long"),
        ),
        rows=rows,
        empty="Nothing left what is usual at that hour of that weekday." + learned,
    )


TIMES: Final = ("7 days", "30 days", "90 days")
FILTERS: Final = (
    Field("metric", "Of", "choice", required=True, choices=METRICS, default="cost"),
    Field("days", "Days ahead", "choice", required=True, choices=HORIZONS, default="28"),
    Field("by", "By", "choice", choices=GROUPS),
    time_field("7 days")._replace(label="Anomalies of", choices=TIMES),
)
PAGE: Final = Page(
    name="forecast",
    title="Forecast & anomalies",
    group="Money",
    permission="usage.read",
    view=view,
    about="What usage comes to, how sure that is, and what was out of the ordinary.",
    template="forecast.html",
)
