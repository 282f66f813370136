"""What the configuration file owns, and the API does not change."""

from collections.abc import Mapping, Sequence
from typing import Any


def origin(row: Mapping[str, Any]) -> str:
    """Where it was made: `file interchange.yaml:12`, `api`, or `built-in`."""
    return f"file {row['declared_in']}" if row.get("declared_in") else str(row["owner"])


def reason(row: Mapping[str, Any], what: str) -> str:
    """Why it cannot be changed here; empty: it can."""
    if row["owner"] != "file":
        return ""
    place = row.get("declared_in") or "the configuration file"
    return f"This {what} is declared in {place}: change it there, and it is taken over without a restart."


def hidden(shown: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    """Acts that have no form of their own where just `shown` have one."""
    return tuple(name for name in every if name not in shown)
