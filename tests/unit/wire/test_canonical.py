"""JSON of equal meaning, and JSON that only looks alike."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.canonical import Incomparable, decoded, encoded, number_of
from tests.unit.wire.spellings import VALUES, spelt


def form(raw: bytes | str) -> bytes:
    return encoded(decoded(raw.encode() if isinstance(raw, str) else raw))


@given(value=VALUES, data=st.data())
@settings(max_examples=150, deadline=None)
def test_every_spelling_of_a_value_has_one_form(value: object, data: st.DataObject) -> None:
    assert form(spelt(value, data)) == form(spelt(value, data))


@given(one=VALUES, other=VALUES, data=st.data())
@settings(max_examples=150, deadline=None)
def test_different_values_have_different_forms(one: object, other: object, data: st.DataObject) -> None:
    same = form(spelt(one, data)) == form(spelt(other, data))
    assert same == (typed(one) == typed(other))


def typed(value: object) -> object:
    """A value whose equality tells true from 1."""
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return (isinstance(value, bool), value)


@given(raw=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_come_they_have_a_form_or_are_incomparable(raw: bytes) -> None:
    try:
        assert isinstance(form(raw), bytes)
    except Incomparable as error:
        assert str(error)


@pytest.mark.parametrize(
    "spellings",
    [
        ["1", "1.0", "1e0", "1.000000000000000000000", "10e-1", "0.1E+1"],
        ["0", "-0", "-0.0", "0e99", "0.000"],
        ["0.1", "1e-1", "0.10", "100e-3", "0.1000000000000000000"],
        ["-2.5", "-25e-1", "-2.50"],
        ["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
        ["123456789012345678901234567890", "1.2345678901234567890123456789e29"],
        ["1e400", "10e399", "0.1E401"],
        ["1e-400", "0.01e-398"],
    ],
)
def test_a_number_has_one_form_however_it_is_spelt(spellings: list[str]) -> None:
    assert len({form(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("9007199254740993", "9007199254740992"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("0.12345678901234567", "0.12345678901234568"),
        ("1e400", "1e401"),
        ("1e-400", "0"),
        ("1e-400", "1e-401"),
        ("1", "true"),
        ("1", '"1"'),
        ("null", '"null"'),
        ('"a"', '"A"'),
        ('"a"', '"a "'),
        ('"\\u00e9"', '"e\\u0301"'),
        ("[1,2]", "[2,1]"),
        ("[]", "{}"),
    ],
)
def test_what_only_looks_alike_has_another_form(one: str, other: str) -> None:
    assert form(one) != form(other)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":{"a":":","a":"::"}}',
        b'{"a\\u003a":1,"a:":1}',
        b'[{"b":"\\u003A","b":2}]',
        b'{"a":{"text":"no : here"},"a":{}}',
    ],
)
def test_a_name_that_stands_twice_cannot_be_compared(raw: bytes) -> None:
    with pytest.raises(Incomparable):
        decoded(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1] 2",
        b"NaN",
        b"-Infinity",
        b'{"a":NaN}',
        b'"\\ud800"',
        b'"\\udc00x"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'{"\xff":1}',
        b"\xef\xbb\xbf{}",
        b"01",
        b"1" * 5_000,
        b"1e" + b"9" * 30,
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_what_is_no_sound_json_cannot_be_compared(raw: bytes) -> None:
    with pytest.raises(Incomparable):
        decoded(raw)


def test_colons_in_texts_and_escapes_are_no_names() -> None:
    assert form('{"a:b":"::","c":["\\u003a",":"]}') == b'{"a:b":"::","c":[":",":"]}'
    assert form('{"a":"\\\\u003a"}') == b'{"a":"\\\\u003a"}'


def test_a_number_can_be_read_as_a_float_where_it_is_one() -> None:
    assert number_of(decoded(b"0.5")) == 0.5
    assert number_of(decoded(b"1")) == 1.0
    assert number_of(decoded(b"0.1234567890123456789")) == 0.1234567890123456789
    assert number_of(decoded(b"1" * 400)) == math.inf
    assert number_of(decoded(b"-" + b"1" * 400)) == -math.inf
    assert number_of(decoded(b"1e999")) == math.inf
    assert number_of(True) is None
    assert number_of("1") is None
    assert number_of(None) is None
