"""Values of databases: exact in JSON, exact in PostgreSQL's own numbers, and readable in CSV."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.databases.postgres_values import CODECS, bindable, civil
from adapters.databases.row_formats import CsvRows, JsonLines
from adapters.databases.values import json_row, json_safe, unique

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (math.inf, None),
        (math.nan, None),
        (0.5, 0.5),
        (b"\x00\xff", "AP8="),
        (memoryview(b"a"), "YQ=="),
        (date(2024, 2, 29), "2024-02-29"),
        (time(1, 2, 3), "01:02:03"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (timedelta(days=1, microseconds=5), "PT86400.000005S"),
        (timedelta(seconds=-2), "PT-2S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([Decimal(1), {"a": (b"x",)}], ["1", {"a": ["eA=="]}]),
        (2**70, 2**70),
    ],
)
def test_what_json_cannot_say_is_said_as_text_or_null(value: Any, shown: Any) -> None:
    assert json_safe(value) == shown


@given(JSON)
@settings(max_examples=150)
def test_everything_becomes_json(value: Any) -> None:
    json.dumps(json_safe(value), allow_nan=False)


def test_columns_of_the_same_name_stay_apart() -> None:
    assert unique(["id", "id", "name", "id", "id_2"]) == ["id", "id_2", "name", "id_3", "id_2_2"]


@given(st.dates())
@settings(max_examples=200)
def test_a_day_is_the_day_it_was(day: date) -> None:
    encode, decode, _ = CODECS["date"]

    assert decode(encode(day.isoformat())) == day.isoformat()
    assert civil(day.toordinal() - date(2000, 1, 1).toordinal()) == day.isoformat()


@given(st.integers(-(10**6), 10**7))
@settings(max_examples=200)
def test_days_beyond_the_calendar_follow_each_other(day: int) -> None:
    today, tomorrow = civil(day), civil(day + 1)

    assert today != tomorrow
    assert tomorrow.endswith("-01") or tomorrow[:-2] == today[:-2]


@pytest.mark.parametrize(
    ("day", "text"),
    [(0, "2000-01-01"), (-730_120, "0000-12-31"), (2_921_940, "+10000-01-01"), (-2_451_545, "-4713-11-24")],
)
def test_days_outside_of_four_digits_have_a_sign(day: int, text: str) -> None:
    assert civil(day).removeprefix("+") == text.removeprefix("+")


@given(st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=200)
def test_a_moment_is_the_moment_it_was(moment: datetime) -> None:
    encode, decode, _ = CODECS["timestamptz"]

    assert datetime.fromisoformat(decode(encode(moment.isoformat()))) == moment


@pytest.mark.parametrize("name", ["date", "timestamp", "timestamptz"])
@pytest.mark.parametrize("text", ["infinity", "-infinity"])
def test_infinity_stays_what_it_is(name: str, text: str) -> None:
    encode, decode, _ = CODECS[name]

    assert decode(encode(text)) == text


@pytest.mark.parametrize(
    ("given_text", "parts", "read"),
    [
        ("P1Y2M3DT4H5M6.5S", (14, 3, 14_706_500_000), "P1Y2M3DT14706.5S"),
        ("P2W", (0, 14, 0), "P14D"),
        ("PT0S", (0, 0, 0), "PT0S"),
        ("PT-1S", (0, 0, -1_000_000), "PT-1S"),
    ],
)
def test_intervals_keep_months_days_and_seconds_apart(
    given_text: str, parts: tuple[int, int, int], read: str
) -> None:
    encode, decode, _ = CODECS["interval"]

    assert encode(given_text) == parts
    assert decode(parts) == read


@pytest.mark.parametrize("text", ["", "P", "PT", "1 day", "P1H", "'; DROP"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        CODECS["interval"][0](text)


@pytest.mark.parametrize(
    ("value", "type_name", "bound"),
    [
        (None, "int4", None),
        (5, "int4", 5),
        (5.0, "int8", 5),
        ("9007199254740993", "int8", 9007199254740993),
        ("0.1", "numeric", Decimal("0.1")),
        (0.1, "numeric", Decimal("0.1")),
        (1, "float8", 1.0),
        (5, "text", "5"),
        (True, "text", "true"),
        (True, "bool", True),
        ("AAE=", "bytea", b"\x00\x01"),
        ({"a": 1}, "jsonb", {"a": 1}),
        ([1, 2], "int4[]", [1, 2]),
    ],
)
def test_json_becomes_what_a_place_takes(value: Any, type_name: str, bound: Any) -> None:
    assert bindable(value, type_name, "scalar") == bound


@pytest.mark.parametrize(
    ("value", "type_name"),
    [(True, "int4"), (1.5, "int4"), ("x", "int4"), ([1], "text"), ("x", "bool"), ("!", "bytea"),
     (1, "int4[]"), ("x", "numeric"), (True, "numeric"), ({}, "date")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_without_repeating_it(value: Any, type_name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        bindable(value, type_name, "scalar")


def test_csv_tells_nothing_from_an_empty_text() -> None:
    rows = CsvRows()
    rows.begin(["a"], ["text"])

    assert rows.rows([[None, "", 'a"b', "x\ny", True, 1.5, [1, None], "=1+1", " x"]]) == (
        b',"","a""b","x\ny",true,1.5,"[1,null]",=1+1," x"\r\n'
    )


def test_lines_of_json_have_unique_names() -> None:
    lines = JsonLines()
    lines.begin(["id", "id"], ["int4", "int4"])

    assert lines.rows([[1, Decimal("0.1")]]) == b'{"id":1,"id_2":"0.1"}\n'
    assert json_row([b"a"]) == ["YQ=="]
