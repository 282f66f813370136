"""Tables in each format: exact money, exact times, and nothing a spreadsheet would run."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet
import pytest

from adapters.tables.formats import KnownTableFormats
from adapters.tables.parquet_table import ROWS_PER_GROUP
from domain.analytics.table import Column, ColumnKind
from domain.errors import InvalidRequest

COLUMNS = (
    Column("name", ColumnKind.TEXT),
    Column("count", ColumnKind.INTEGER),
    Column("well", ColumnKind.BOOLEAN),
    Column("at", ColumnKind.TIME),
    Column("cost", ColumnKind.USD),
)
AT_US = 1_767_250_800_000_000
ROWS: list[tuple[object, ...]] = [
    ("plain", 2**53 + 1, True, AT_US, 1_500),
    ("=1+1", -1, False, AT_US + 1, 2**53 + 1),
    (None, None, None, None, None),
    ('a,"b"\r\nc', 0, True, 0, 0),
]


def written(name: str, rows: Sequence[Sequence[object]], step: int = 2) -> bytes:
    writer = KnownTableFormats().writer(name, COLUMNS)
    parts = [writer.rows(rows[start : start + step]) for start in range(0, len(rows), step)]
    return b"".join([*parts, writer.end()])


def test_csv_is_exact_and_calculates_nothing() -> None:
    table = list(csv.reader(io.StringIO(written("csv", ROWS).decode(), newline="")))

    assert table == [
        ["name", "count", "well", "at", "cost"],
        ["plain", "9007199254740993", "true", "2026-01-01T07:00:00Z", "0.0000015"],
        ["'=1+1", "-1", "false", "2026-01-01T07:00:00.000001Z", "9007199.254740993"],
        ["", "", "", "", ""],
        ['a,"b"\r\nc', "0", "true", "1970-01-01T00:00:00Z", "0"],
    ]


@pytest.mark.parametrize("sign", "=+-@\t\r")
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(sign: str) -> None:
    rows = [(f"{sign}cmd", 1, True, 0, 0)]

    (_, row) = csv.reader(io.StringIO(written("csv", rows).decode(), newline=""))

    assert row[0] == f"'{sign}cmd"


def test_json_lines_keep_every_digit_and_unknown_as_null() -> None:
    lines = [json.loads(line) for line in written("jsonl", ROWS).splitlines()]

    assert lines[1] == {
        "name": "=1+1",
        "count": -1,
        "well": False,
        "at": "2026-01-01T07:00:00.000001Z",
        "cost": "9007199.254740993",
    }
    assert set(lines[2].values()) == {None}


def test_parquet_has_decimals_and_times() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(written("parquet", ROWS)))

    assert table["cost"].to_pylist()[:2] == [Decimal("0.000001500"), Decimal("9007199.254740993")]
    assert table["at"].to_pylist()[0] == datetime(2026, 1, 1, 7, tzinfo=UTC)
    assert table["count"].to_pylist() == [2**53 + 1, -1, None, 0]


def test_parquet_is_given_away_in_pieces() -> None:
    writer = KnownTableFormats().writer("parquet", COLUMNS)
    pieces = [writer.rows([ROWS[0]] * 5000) for _ in range(2 * ROWS_PER_GROUP // 5000)]
    last = writer.end()

    assert sum(bool(piece) for piece in pieces) >= 2, "row groups leave before the end"
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join([*pieces, last])))
    assert table.num_rows == 2 * ROWS_PER_GROUP


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_a_table_without_rows_is_a_table(name: str) -> None:
    content = written(name, [])

    if name == "csv":
        assert content.strip() == b"name,count,well,at,cost"
    if name == "parquet":
        assert pyarrow.parquet.read_table(io.BytesIO(content)).num_rows == 0


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_text_that_is_not_unicode_does_not_stop_an_export(name: str) -> None:
    assert written(name, [("lone \ud800 surrogate", 1, True, 0, 0)])


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="csv, jsonl, parquet"):
        KnownTableFormats().writer("xls", COLUMNS)
