"""Usage as a table of text."""

from decimal import Decimal
from typing import Any, Final

from entrypoints.words.plain import plain


def table_text(rows: list[dict[str, Any]], by: list[str]) -> str:
    """Groups for people: their values, then what matters about money."""
    names = [name.strip().replace("-", "_") for name in by if name.strip()]
    saved = any(row.get("cache_lookups") or _saved_usd(row) for row in rows)
    lines = [[*(name.upper() for name in names), *_TITLES, *(_SAVED_TITLES if saved else ()), "REMARKS"]]
    for row in rows:
        numbers = [*_numbers(row), *(_savings(row) if saved else ()), remarks(row)]
        lines.append([*(plain(str(row[name])) or "-" for name in names), *numbers])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(
            cell.ljust(width) if column < len(names) or column == len(line) - 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if not rows:
        text.append("nothing was used")
    return "\n".join(text)


_TITLES: Final = ("REQUESTS", "OK %", "INPUT", "CACHED", "OUTPUT", "COST USD", "MEAN MS")
_SAVED_TITLES: Final = ("HIT %", "SAVED USD")
"""Shown where a cache had a part in anything."""


def _numbers(row: dict[str, Any]) -> list[str]:
    requests = row["requests"]
    return [
        f"{requests:,}",
        f"{100 * row['ok_requests'] / requests:.1f}" if requests else "-",
        f"{row['input_tokens']:,}",
        f"{row['cached_read_tokens']:,}",
        f"{row['output_tokens']:,}",
        "unknown"
        if requests and row["unpriced_requests"] == requests
        else f"{Decimal(row['cost_usd']):,.6f}",
        f"{row['duration_us'] / requests / 1000:,.0f}" if requests else "-",
    ]


def _savings(row: dict[str, Any]) -> list[str]:
    ratio = row.get("cache_hit_ratio")
    return ["-" if ratio is None else f"{100 * ratio:.1f}", f"{_saved_usd(row):,.6f}"]


def _saved_usd(row: dict[str, Any]) -> Decimal:
    """By answers used again and by providers' prompt caches. A server of an older version tells neither."""
    return Decimal(row.get("saved_usd", 0)) + Decimal(row.get("prompt_cache_saved_usd", 0))


def remarks(row: dict[str, Any]) -> str:
    """What keeps the cost from being the whole truth."""
    parts = []
    if row["unpriced_requests"]:
        parts.append(f"{row['unpriced_requests']:,} without a known price")
    if row["estimated_requests"]:
        parts.append(f"{row['estimated_requests']:,} estimated")
    if row.get("unpriced_hits"):
        parts.append(f"{row['unpriced_hits']:,} hits without a known saving")
    return ", ".join(parts)
