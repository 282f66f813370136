"""Schemas whose references multiply are refused before anything is compared with them."""

from typing import Any

import pytest

from adapters.rest.schemas import AnswerSchema, compiled
from adapters.wire.json_schemas import CompiledParameterSchemas
from adapters.wire.schema_growth import TooManyWays, depth_allowed, depth_of
from domain.errors import ToolFailed


def doubling(levels: int, keyword: str) -> dict[str, Any]:
    """Each definition names the next one twice."""
    found: dict[str, Any] = {
        f"a{level}": {keyword: [{"$ref": f"#/$defs/a{level + 1}"}, {"$ref": f"#/$defs/a{level + 1}"}]}
        for level in range(levels)
    }
    found[f"a{levels}"] = {"type": "string"}
    return {"type": "object", "$defs": found, "$ref": "#/$defs/a0"}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"b": 1}
    for _ in range(levels):
        value = {"a": value}
    return value


TREE = {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}}}
FILTERS = {"type": "array", "items": {"$ref": "#/$defs/filter"}}
FILTER = {
    "type": "object",
    "properties": {"filter": {"$ref": "#/$defs/filter"}},
    "$defs": {
        "filter": {
            "anyOf": [
                {"type": "object", "properties": {"and": FILTERS}},
                {"type": "object", "properties": {"or": FILTERS}},
                {"type": "object", "properties": {"field": {"type": "string"}}},
            ]
        }
    },
}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_definitions_that_double_are_never_compared_with_anything(keyword: str) -> None:
    schema = doubling(40, keyword)
    schemas = CompiledParameterSchemas()

    problem = schemas.problem(schema, {"x": 1})

    assert problem is not None
    assert "cannot be compared" in problem.message
    assert "too many ways" in schemas.unusable(schema)
    with pytest.raises(ValueError, match="references"):
        compiled(schema)


@pytest.mark.parametrize("keyword", ["not", "if", "then"])
def test_a_schema_that_refers_to_itself_at_one_place_is_refused(keyword: str) -> None:
    with pytest.raises(TooManyWays):
        depth_allowed({"type": "object", keyword: {"$ref": "#"}})


def test_values_are_only_so_deep_where_each_level_doubles_the_ways() -> None:
    allowed = depth_allowed(TREE)
    schemas = CompiledParameterSchemas()

    assert allowed is not None
    assert 5 <= allowed <= 10
    assert schemas.problem(TREE, nested(2)) is None
    deep = schemas.problem(TREE, nested(60))
    assert deep is not None
    assert f"nested {allowed} deep" in deep.message
    with pytest.raises(ToolFailed, match="nested too deeply"):
        AnswerSchema(TREE).check(nested(60))


def test_trees_whose_branches_are_told_apart_by_their_members_may_be_as_deep_as_any() -> None:
    assert depth_allowed(FILTER) is None
    schemas = CompiledParameterSchemas()
    assert schemas.problem(FILTER, {"filter": {"and": [{"or": [{"field": "x"}]}]}}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "$ref": "https://elsewhere.example/a.json"},
        {"type": "object", "$ref": "#/$defs/none"},
        {"type": "object", "$dynamicRef": "#a"},
        {"type": "object", "properties": {"a": {"$id": "x", "anyOf": [{"$ref": "#"}]}}},
    ],
)
def test_references_that_cannot_be_followed_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(TooManyWays):
        depth_allowed(schema)


def test_usual_schemas_hold_for_values_of_any_depth() -> None:
    usual = {
        "type": "object",
        "properties": {"$id": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "additionalProperties": {"type": ["integer", "null"]},
    }
    assert depth_allowed(usual) is None
    assert depth_allowed(True) is None


def test_depth_counts_objects_and_arrays() -> None:
    assert depth_of(1, 9) == 0
    assert depth_of({"a": [1]}, 9) == 2
    assert depth_of(nested(50), 9) == 10


def test_counting_itself_takes_no_more_than_so_much() -> None:
    chain: dict[str, Any] = {f"c{number}": {"$ref": f"#/$defs/c{number + 1}"} for number in range(600)}
    chain["c600"] = {"type": "string"}
    many = {f"p{number}": {"$ref": "#/$defs/c0"} for number in range(3000)}

    with pytest.raises(TooManyWays):
        depth_allowed({"type": "object", "$defs": chain, "properties": many})
