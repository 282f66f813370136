"""Bodies that are too deep or hold too much are refused before anything is built of them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.json_limits import DEPTH_MAX, ELEMENTS_MAX, check_json_limits
from domain.errors import InvalidRequest, RequestTooLarge

WORDS = st.text(alphabet='ab"[]{},\\\n\u00e9', max_size=8)
VALUES = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=40,
)
PADDING = b" " * 4096


def nested(depth: int, before: str = "") -> bytes:
    return (f"[{before}" * depth + "1" + "]" * depth).encode()


@pytest.mark.parametrize("before", ["", '"]",', '"\\"]",', '"\\\\",', '"}}}}",'])
@pytest.mark.parametrize("padding", [b"", PADDING])
def test_the_limit_is_exact_whatever_strings_pretend(before: str, padding: bytes) -> None:
    check_json_limits(nested(DEPTH_MAX, before) + padding)

    with pytest.raises(InvalidRequest, match="nested deeper"):
        check_json_limits(nested(DEPTH_MAX + 1, before) + padding)


@given(VALUES)
@settings(max_examples=200)
def test_ordinary_json_passes(value: object) -> None:
    check_json_limits(json.dumps(value).encode() + PADDING)
    check_json_limits(json.dumps([value] * 200, indent=1).encode())


@given(VALUES, st.integers(0, 3))
@settings(max_examples=100)
def test_depth_beside_anything_is_found(value: object, place: int) -> None:
    parts = [json.dumps(value), json.dumps(value), json.dumps(value)]
    parts.insert(place, nested(DEPTH_MAX + 2).decode())

    with pytest.raises(InvalidRequest, match="nested deeper"):
        check_json_limits(f"[{','.join(parts)}]".encode() + PADDING)


def test_a_million_values_are_too_many() -> None:
    with pytest.raises(RequestTooLarge):
        check_json_limits(b"[" + b"1," * ELEMENTS_MAX + b"1]")
    with pytest.raises(RequestTooLarge):
        check_json_limits(b"[" + b"[]," * ELEMENTS_MAX + b"1]")
    with pytest.raises(RequestTooLarge):
        check_json_limits(b'"' * 5 * ELEMENTS_MAX)


def test_a_long_text_with_commas_is_one_value() -> None:
    check_json_limits(b'{"a":"' + b",[" * ELEMENTS_MAX + b'"}')


def test_only_opening_brackets_end_soon() -> None:
    with pytest.raises((InvalidRequest, RequestTooLarge)):
        check_json_limits(b"[" * 4_000_000)
    with pytest.raises(InvalidRequest):
        check_json_limits(b'{"a":' * 100_000)


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b'"', b"]]]]]" * 1000, b'{"a": "' + b"[" * 5000])
def test_what_is_no_json_is_left_to_its_reader(body: bytes) -> None:
    check_json_limits(body)
