"""A table of a page as a file."""

import csv
import io
import json
from typing import Any

from starlette.responses import Response

from entrypoints.ui.page import Table
from entrypoints.ui.rendering import at

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exported(table: Table, as_: str) -> Response:
    """All columns of all rows that the page shows, as `csv` or `json`; values as they are."""
    name = f'attachment; filename="{table.name}.{as_}"'
    headers = {"content-disposition": name, "cache-control": "no-store"}
    if as_ == "json":
        return Response(
            json.dumps([dict(row) for row in table.rows], default=str),
            media_type="application/json",
            headers=headers,
        )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_cell(at(row, column.key)) for column in table.columns])
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, default=str)
    if isinstance(value, str) and value.startswith(_FORMULA):
        try:
            float(value)
        except ValueError:
            return f"'{value}"
    return value
