"""Rows as bytes, batch by batch: CSV, lines of JSON, Arrow's stream format."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol

import msgspec

from adapters.databases.values import json_row, json_safe, unique
from domain.errors import InvalidParameters, ToolFailed

CSV: Final = "text/csv"
JSON_LINES: Final = "application/jsonl"
ARROW: Final = "application/vnd.apache.arrow.stream"
Batch = Sequence[Sequence[Any]]


class RowFormat(Protocol):
    """Order of life: `begin`, `rows` any number of times, `end`; what they return follows each other."""

    content_type: str

    def begin(self, columns: Sequence[str], types: Sequence[str]) -> bytes: ...

    def rows(self, batch: Batch) -> bytes: ...

    def end(self) -> bytes: ...


class CsvRows(RowFormat):
    """RFC 4180, UTF-8, with a line of names. NULL is nothing, an empty text is `""`."""

    content_type = f"{CSV}; charset=utf-8; header=present"

    def begin(self, columns: Sequence[str], types: Sequence[str]) -> bytes:
        del types
        return self.rows([unique(columns)])

    def rows(self, batch: Batch) -> bytes:
        return "".join(f"{','.join(map(_csv, row))}\r\n" for row in batch).encode(errors="replace")

    def end(self) -> bytes:
        return b""


def _csv(value: Any) -> str:
    safe = json_safe(value)
    if safe is None:
        return ""
    if isinstance(safe, bool):
        return "true" if safe else "false"
    if isinstance(safe, list | dict):
        text = msgspec.json.encode(safe).decode()
    elif isinstance(safe, str):
        text = safe
    else:
        return str(safe)
    if not text or any(sign in text for sign in ',"\r\n') or text[0] == " " or text[-1] == " ":
        return f'"{text.replace(chr(34), chr(34) * 2)}"'
    return text


class JsonLines(RowFormat):
    """One object per row."""

    content_type = JSON_LINES

    def __init__(self) -> None:
        self._names: list[str] = []
        self._encode = msgspec.json.Encoder().encode

    def begin(self, columns: Sequence[str], types: Sequence[str]) -> bytes:
        del types
        self._names = unique(columns)
        return b""

    def rows(self, batch: Batch) -> bytes:
        names = self._names
        return b"".join(self._encode(dict(zip(names, json_row(row), strict=True))) + b"\n" for row in batch)

    def end(self) -> bytes:
        return b""


class ArrowRows(RowFormat):
    """Arrow's IPC stream. Whole numbers, fractions, truths, bytes, days and moments have types of their own;
    everything else, decimals among it, is exact text."""

    content_type = ARROW

    def __init__(self) -> None:
        """Raises InvalidParameters where pyarrow is not installed."""
        try:
            import pyarrow
        except ImportError:
            raise InvalidParameters(
                f"{ARROW} needs the package pyarrow: pip install 'interchange[parquet]'; or ask for "
                f"{CSV} or {JSON_LINES}",
                param="format",
            ) from None
        self._arrow: Any = pyarrow
        self._sink = _Sink()
        self._writer: Any = None
        self._schema: Any = None
        self._ways: list[Callable[[Any], Any]] = []

    def begin(self, columns: Sequence[str], types: Sequence[str]) -> bytes:
        arrow = self._arrow
        fields = []
        for name, kind in zip(unique(columns), types, strict=True):
            made, way = _ARROW_TYPES.get(_plain_name(kind), _TEXT)
            fields.append(arrow.field(name, made(arrow)))
            self._ways.append(way)
        self._schema = arrow.schema(fields)
        self._writer = arrow.ipc.new_stream(arrow.PythonFile(self._sink, mode="w"), self._schema)
        return self._sink.taken()

    def rows(self, batch: Batch) -> bytes:
        arrow = self._arrow
        try:
            arrays = [
                arrow.array([None if value is None else way(value) for value in values], field.type)
                for values, way, field in zip(zip(*batch, strict=True), self._ways, self._schema, strict=True)
            ]
        except (arrow.ArrowException, ValueError, TypeError, OverflowError):
            raise ToolFailed(
                f"a value is not what the type of its column promises; ask for {JSON_LINES}"
            ) from None
        self._writer.write_batch(arrow.record_batch(arrays, schema=self._schema))
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


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


def _plain_name(kind: str) -> str:
    """`DECIMAL(10,2)` is `decimal`."""
    return kind.partition("(")[0].strip().lower()


def _text_of(value: Any) -> str:
    safe = json_safe(value)
    if isinstance(safe, str):
        return safe.encode(errors="replace").decode()
    return msgspec.json.encode(safe).decode()


def _moment(value: Any) -> Any:
    """None for `infinity` and for years that Arrow's users could not read."""
    if not isinstance(value, str):
        return value
    return None if value.lstrip("-") == "infinity" or value[0] in "+-" else datetime.fromisoformat(value)


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return None if value.lstrip("-") == "infinity" or value[0] in "+-" else date.fromisoformat(value)


def _naive(value: Any) -> Any:
    moment = _moment(value)
    return moment.replace(tzinfo=None) if moment is not None and moment.tzinfo is not None else moment


_ArrowType = tuple[Callable[[Any], Any], Callable[[Any], Any]]
_TEXT: Final[_ArrowType] = (lambda arrow: arrow.string(), _text_of)
_WHOLE: Final[_ArrowType] = (lambda arrow: arrow.int64(), int)
_FRACTION: Final[_ArrowType] = (lambda arrow: arrow.float64(), float)
_TRUTH: Final[_ArrowType] = (lambda arrow: arrow.bool_(), bool)
_BYTES: Final[_ArrowType] = (lambda arrow: arrow.binary(), bytes)
_DAY: Final[_ArrowType] = (lambda arrow: arrow.date32(), _day)
_NAIVE: Final[_ArrowType] = (lambda arrow: arrow.timestamp("us"), _naive)
_AWARE: Final[_ArrowType] = (lambda arrow: arrow.timestamp("us", tz="UTC"), _moment)
_ARROW_TYPES: Final[Mapping[str, _ArrowType]] = {
    **dict.fromkeys(("int2", "int4", "int8", "smallint", "integer", "int", "bigint", "tinyint"), _WHOLE),
    **dict.fromkeys(("float4", "float8", "double", "float", "real", "double precision"), _FRACTION),
    **dict.fromkeys(("bool", "boolean"), _TRUTH),
    **dict.fromkeys(("bytea", "blob", "binary", "varbinary"), _BYTES),
    "date": _DAY,
    **dict.fromkeys(("timestamp", "datetime", "datetime2", "timestamp without time zone"), _NAIVE),
    **dict.fromkeys(("timestamptz", "timestamp with time zone", "datetimeoffset"), _AWARE),
}
"""By the database's own name of the type."""

FORMATS: Final[Mapping[str, Callable[[], RowFormat]]] = {
    CSV: CsvRows,
    JSON_LINES: JsonLines,
    ARROW: ArrowRows,
}
