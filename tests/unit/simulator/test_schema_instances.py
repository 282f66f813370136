from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from entrypoints.simulator.answers import pieces_of
from entrypoints.simulator.schema_instances import instance_of

TREE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["name", "next"],
}
SCHEMAS: list[dict[str, Any]] = [
    TREE,
    {
        "$defs": {"p": {"type": "integer", "minimum": 3}},
        "type": "array",
        "items": {"$ref": "#/$defs/p"},
        "minItems": 2,
    },
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"const": 4}}, "required": ["a"]},
            {"properties": {"b": {}}},
        ]
    },
    {"type": ["null", "string"], "minLength": 40, "maxLength": 50},
    {"oneOf": [{"type": "null"}, {"enum": ["x", "y"]}]},
    {"type": "number", "exclusiveMinimum": 2, "maximum": 3},
    {"type": "integer", "multipleOf": 7, "minimum": 8},
    {
        "type": "array",
        "prefixItems": [{"type": "boolean"}, {"type": "string", "format": "email"}],
        "maxItems": 2,
    },
    {
        "type": "object",
        "properties": {"d": {"default": 5}, "when": {"type": "string", "format": "date-time"}},
    },
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("draw", [0, 1, 12345])
def test_an_instance_fits_its_schema(schema: dict[str, Any], draw: int) -> None:
    made = instance_of(schema, draw=draw)

    Draft202012Validator(schema).validate(made)
    assert made == instance_of(schema, draw=draw)


leaf = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer", "minimum": -5, "maximum": 5},
        {"type": "number"},
        {"type": "boolean"},
        {"enum": [1, "two", None]},
    ]
)
schemas = st.recursive(
    leaf,
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 1}),
        st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3).map(
            lambda parts: {"type": "object", "properties": parts, "required": sorted(parts)}
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(schemas, st.integers(min_value=0, max_value=2**64))
def test_any_schema_of_the_common_kind_gets_a_fitting_instance(schema: dict[str, Any], draw: int) -> None:
    Draft202012Validator(schema).validate(instance_of(schema, draw=draw))


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    pieces = pieces_of(text)

    assert "".join(pieces) == text
    assert all(pieces)
