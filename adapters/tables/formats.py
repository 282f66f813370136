"""The formats there are."""

from collections.abc import Callable, Sequence
from typing import Final

from adapters.tables.csv_table import CsvTable
from adapters.tables.json_lines import JsonLinesTable
from adapters.tables.parquet_table import ParquetTable
from application.ports.tables import TableFormats, TableWriter
from domain.analytics.table import Column
from domain.errors import InvalidRequest

_FORMATS: Final[dict[str, Callable[[Sequence[Column]], TableWriter]]] = {
    "csv": CsvTable,
    "jsonl": JsonLinesTable,
    "parquet": ParquetTable,
}


class KnownTableFormats(TableFormats):
    """By name; `parquet` needs an extra."""

    def writer(self, name: str, columns: Sequence[Column]) -> TableWriter:
        make = _FORMATS.get(name)
        if make is None:
            raise InvalidRequest(
                f"format {name[:40]!r} is unknown; allowed: {', '.join(_FORMATS)}", param="format"
            )
        return make(columns)
