"""Comma-separated values, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from adapters.tables.values import shown
from application.ports.tables import TableWriter
from domain.analytics.table import Column, ColumnKind

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet calculates what begins so. Callers choose some of our texts."""


class CsvTable(TableWriter):
    """RFC 4180, UTF-8. A text that a spreadsheet would calculate gets an apostrophe in front."""

    media_type = "text/csv; charset=utf-8"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._begun = False

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        if not self._begun:
            self._begun = True
            writer.writerow([column.name for column in self._columns])
        for row in rows:
            writer.writerow(
                [_cell(value, column.kind) for value, column in zip(row, self._columns, strict=True)]
            )
        return text.getvalue().encode(errors="replace")

    def end(self) -> bytes:
        return b"" if self._begun else self.rows(())


def _cell(value: object, kind: ColumnKind) -> object:
    if kind is ColumnKind.TEXT and isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if kind is ColumnKind.BOOLEAN and isinstance(value, bool):
        return "true" if value else "false"
    return shown(value, kind)
