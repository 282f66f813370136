"""Templates put values in their places and nowhere else."""

from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.connectors.rest.percent import pairs_encoded
from domain.connectors.rest.templates import (
    MISSING,
    filled_header,
    filled_path,
    filled_text,
    filled_tree,
    names_in,
    parse_path,
    parse_template,
    parse_tree,
)
from domain.errors import InvalidParameters

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=150)
@given(TEXTS)
def test_a_value_in_a_path_is_one_segment_or_refused(value: str) -> None:
    template = parse_path("/a/{x}/z")

    try:
        path = filled_path(template, {"x": value})
    except InvalidParameters:
        return

    before, segment, after = path[1:].split("/")
    assert (before, after) == ("a", "z")
    assert unquote(segment) == value
    assert not {"?", "#", " ", "\r", "\n"} & set(path)
    assert segment not in (".", "..", "")


@pytest.mark.parametrize(
    "value",
    ["..", ".", "", "../x", "a/../b", "..\\x", "a/..", "a\r\nHost: x", "\x00", "a/.", None, [], {"a": 1}],
)
def test_what_climbs_or_breaks_lines_is_no_segment(value: Any) -> None:
    with pytest.raises(InvalidParameters) as caught:
        filled_path(parse_path("/a/{x}"), {"x": value})

    assert caught.value.param == "parameters.x"


def test_a_slash_in_a_segment_is_encoded() -> None:
    assert filled_path(parse_path("/p/{x}"), {"x": "group/project"}) == "/p/group%2Fproject"


def test_a_spread_value_is_several_segments() -> None:
    template = parse_path("/files/{+path}")

    assert filled_path(template, {"path": "docs/a b.md"}) == "/files/docs/a%20b.md"
    for climbing in ("docs/../etc", "/etc", "a//b", "a/", "..\\x", "a\\b"):
        with pytest.raises(InvalidParameters):
            filled_path(template, {"path": climbing})


@pytest.mark.parametrize(
    "text",
    ["a/b", "/a?x=1", "/a#b", "/a b", "/../a", "/a/./b", "/%2e%2e/a", "//a", "/{a", "/{}", "/{*}", "/é"],
)
def test_a_path_that_could_lead_elsewhere_is_not_taken(text: str) -> None:
    with pytest.raises(ValueError):
        parse_path(text)


def test_a_text_that_is_one_placeholder_keeps_the_type() -> None:
    tree = parse_tree({"a": "{n}", "b": ["{l}", "x-{n}"], "c": True, "d": {"e": "{missing}"}})

    filled = filled_tree(tree, {"n": 3, "l": [1, 2]}, {})

    assert filled == {"a": 3, "b": [[1, 2], "x-3"], "c": True, "d": {}}


def test_what_is_absent_takes_its_member_along() -> None:
    tree = parse_tree({"a": "{x}", "b": "pre {x}", "c": ["{x}", "{y}"]})

    assert filled_tree(tree, {"x": None, "y": 1}, {}) == {"c": [1]}
    assert filled_tree(parse_tree("{x}"), {}, {}) is MISSING


def test_the_rest_is_an_object_of_its_own() -> None:
    assert filled_tree(parse_tree({"all": "{*}"}), {"a": 1}, {"b": 2}) == {"all": {"b": 2}}


def test_doubled_braces_are_braces() -> None:
    template = parse_template('{{"a": "{x}"}}')

    assert filled_text(template, {"x": "1"}) == '{"a": "1"}'
    assert set(names_in(parse_tree(["{a}", {"b": "{c}"}]))) == {"a", "c"}


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "\x00", "ŝ", "a\x7f"])
def test_a_header_is_one_line_of_latin_1(value: str) -> None:
    with pytest.raises(InvalidParameters):
        filled_header(parse_template("v {x}"), {"x": value})


@settings(max_examples=100)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_pairs_are_read_back_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    encoded = pairs_encoded(pairs)

    assert parse_qsl(encoded, keep_blank_values=True) == pairs
    assert encoded.isascii() and encoded.isprintable()


def test_a_tree_has_a_bottom() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError, match="deeper"):
        parse_tree(deep)
