"""A period at a glance, as text."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from entrypoints.words.plain import plain
from entrypoints.words.sparkline import sparkline
from entrypoints.words.usage_table import table_text

SECTIONS: Final = ("team", "project", "cost_center", "model", "provider", "key")


def report_text(found: dict[str, Any]) -> str:
    """All sections one below the other."""
    parts = [f"Usage of {found['month']} (UTC)", table_text([found["total"]], [])]
    if found.get("savings"):
        parts.append(savings_text(found["savings"]))
    if len(found["by_day"]) > 1:
        parts.append(f"Cost per day  {_daily(found['by_day'])}")
    for name in (*SECTIONS, "day"):
        rows = found[f"by_{name}"]
        if rows and not (len(rows) == 1 and rows[0][name] == ""):
            parts.append(table_text(rows, [name]))
    return "\n\n".join(parts)


def savings_text(savings: dict[str, Any]) -> str:
    """What was saved against the baseline, by what, and what is not counted."""
    lines = []
    if savings["requests"]:
        saved, whole = savings["saved"], savings["on_baseline"]
        against = savings["baseline"] or "the routes' baselines"
        share = "" if savings["share"] is None else f", {100 * savings['share']:.1f} %"
        lines.append(
            f"Saved {_usd(saved['expected_usd'])} USD ({_usd(saved['low_usd'])} to "
            f"{_usd(saved['high_usd'])}{share}) of {_usd(whole['expected_usd'])} that "
            f"{savings['requests']:,} requests would have cost on {plain(against)}"
        )
        parts = savings["parts"]
        lines.append(
            f"  routing {_usd(parts['routing']['expected_usd'])}, caching {_usd(parts['caching']['usd'])}, "
            f"coalescing {_usd(parts['coalescing']['usd'])}, "
            f"prompt caching {_usd(parts['prompt_caching']['usd'])}"
        )
    left = [f"{each['requests']:,} {why.replace('_', ' ')}" for why, each in savings["not_counted"].items()]
    if left:
        lines.append(f"  not counted against a baseline: {', '.join(left)}")
    return "\n".join(lines) or "No requests to tell savings of"


def _usd(text: str) -> str:
    return f"{Decimal(text):,.6f}"


def _daily(rows: list[dict[str, Any]]) -> str:
    """From the first day with use to the last, idle ones between them included."""
    costs = {date.fromisoformat(row["day"]): row["cost_nano_usd"] for row in rows}
    first, last = min(costs), max(costs)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return f"{first} {sparkline([costs.get(day) for day in days])} {last}"
