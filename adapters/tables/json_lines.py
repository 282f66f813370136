"""One JSON object per line."""

from collections.abc import Sequence

import msgspec

from adapters.tables.values import shown
from application.ports.tables import TableWriter
from domain.analytics.table import Column


class JsonLinesTable(TableWriter):
    """Times are ISO text, dollars exact decimal text, unknown is null."""

    media_type = "application/jsonl"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._encode = msgspec.json.Encoder().encode

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        return b"".join(self._line(row) for row in rows)

    def _line(self, row: Sequence[object]) -> bytes:
        shown_row = {
            column.name: shown(value, column.kind) for value, column in zip(row, self._columns, strict=True)
        }
        try:
            return self._encode(shown_row) + b"\n"
        except UnicodeEncodeError:  # a lone surrogate is no text that JSON can carry
            return self._encode({name: _clean(value) for name, value in shown_row.items()}) + b"\n"

    def end(self) -> bytes:
        return b""


def _clean(value: object) -> object:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
