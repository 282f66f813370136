"""Apache Parquet, by pyarrow, which is an extra."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from application.ports.tables import TableWriter
from domain.analytics.table import Column, ColumnKind
from domain.errors import InvalidRequest

ROWS_PER_GROUP: Final = 20_000
"""Rows held in memory before they are written as one row group."""


class ParquetTable(TableWriter):
    """Dollars are `decimal128(38, 9)`, times UTC timestamps in microseconds: both exact."""

    media_type = "application/vnd.apache.parquet"

    def __init__(self, columns: Sequence[Column]) -> None:
        """Raises InvalidRequest where pyarrow is not installed."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise InvalidRequest(
                "format parquet needs pyarrow, which is not installed here; install `interchange[parquet]`, "
                "or ask for csv or jsonl",
                param="format",
            ) from None
        self._arrow: Any = pyarrow
        self._columns = columns
        self._schema = pyarrow.schema([(column.name, _type(pyarrow, column.kind)) for column in columns])
        self._held: list[Sequence[object]] = []
        self._sink = _Sink()
        self._writer: Any = pyarrow.parquet.ParquetWriter(
            pyarrow.PythonFile(self._sink, mode="w"), self._schema, compression="zstd"
        )

    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        self._held += rows
        if len(self._held) >= ROWS_PER_GROUP:
            self._write()
        return self._sink.taken()

    def end(self) -> bytes:
        self._write()
        self._writer.close()
        return self._sink.taken()

    def _write(self) -> None:
        if not self._held:
            return
        arrays = [
            self._arrow.array([_value(value, column.kind) for value in values], field.type)
            for values, column, field in zip(
                zip(*self._held, strict=True), self._columns, self._schema, strict=True
            )
        ]
        self._held = []
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))


class _Sink:
    """What pyarrow writes, until somebody takes it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size_bytes += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size_bytes

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _type(pyarrow: Any, kind: ColumnKind) -> Any:
    return {
        ColumnKind.TEXT: pyarrow.string,
        ColumnKind.INTEGER: pyarrow.int64,
        ColumnKind.NUMBER: pyarrow.float64,
        ColumnKind.BOOLEAN: pyarrow.bool_,
        ColumnKind.TIME: lambda: pyarrow.timestamp("us", tz="UTC"),
        ColumnKind.USD: lambda: pyarrow.decimal128(38, 9),
    }[kind]()


def _value(value: Any, kind: ColumnKind) -> Any:
    if value is None:
        return None
    if kind is ColumnKind.USD:
        return Decimal(value).scaleb(-9)
    if kind is ColumnKind.TEXT:
        return str(value).encode(errors="replace").decode()
    return value
