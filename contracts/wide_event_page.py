"""Writes what is published of the wide event: `python -m contracts.wide_event_page`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from contracts.wide_event import ATTEMPT_FIELDS, REQUEST_FIELDS, WideField, schema
from domain.analytics.event import AttemptEvent, RequestEvent

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "wide-event.md"
SCHEMA: Final = ROOT / "contracts" / "schemas" / "request.wide.json"
_TYPES: Final = {str: "text", int: "integer", float: "number", bool: "true or false"}

_HEAD: Final = """# The wide event

Every request leaves exactly one event, whatever became of it, with one entry per attempt.
It has {count} fields. Usage rows, metrics, traces, the exports and `GET /api/v1/requests` are made of it.
Nothing else counts requests. No prompt, no answer and no secret is ever in it.

- Schema: [`request.wide.json`](../contracts/schemas/request.wide.json), with units in `x-unit`.
- Fields may be added, always behind those there are. None is renamed, or given another meaning.
- A value that is not known is null; 0 is a number.
- Fields from `entry_us` on came with migration 0029. In older rows they are 0, empty or null.
- Over HTTP a start is shown as `started_at` (RFC 3339), and amounts also in USD, as exact text.

`GET /api/v1/requests/{{request_id}}` and `interchange requests show` add two things made of the event:

- `timeline`: stages, attempts and the first token, in microseconds from the request's head.
- `decision`: why it went where it did, taken apart.

How the times fit together: `entry_us` comes before `duration_us`.
Within it are `admit_us` (and in that `queue_us`), `cache_us`, `plan_us`, `hold_us` and the attempts.
What is left is waits between attempts and our work around them: guarding, translating, answering.

This page is written by `python -m contracts.wide_event_page`.
"""


def page() -> str:
    """`docs/wide-event.md`."""
    count = len(REQUEST_FIELDS) - 1 + len(ATTEMPT_FIELDS)
    lines = [_HEAD.format(count=count)]
    groups = list(dict.fromkeys(field.group for field in REQUEST_FIELDS.values()))
    hints = get_type_hints(RequestEvent)
    for group in groups:
        mine = [(name, field) for name, field in REQUEST_FIELDS.items() if field.group == group]
        lines.append(f"## {group}\n")
        lines.append(_table(mine, hints))
    lines.append("## Attempts\n\nOne entry per call to a target.\n")
    lines.append(_table(ATTEMPT_FIELDS.items(), get_type_hints(AttemptEvent)))
    return "\n".join(lines)


def _table(fields: Iterable[tuple[str, WideField]], hints: dict[str, Any]) -> str:
    lines = ["| field | type | unit | meaning |", "|---|---|---|---|"]
    for name, field in fields:
        kinds = [
            _TYPES.get(kind, "list") for kind in get_args(hints[name]) or (hints[name],) if kind in _TYPES
        ]
        kind = kinds[0] if kinds and name != "attempts" else "list"
        null = ", or null" if type(None) in get_args(hints[name]) else ""
        lines.append(f"| `{name}` | {kind}{null} | {field.unit} | {field.meaning} |")
    return "\n".join(lines) + "\n"


def schema_text() -> str:
    """`contracts/schemas/request.wide.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes both."""
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(schema_text())
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
