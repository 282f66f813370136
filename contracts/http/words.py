"""Short words for JSON Schema, so that the schemas read as data."""

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]


def obj(
    properties: Mapping[str, Schema],
    *,
    optional: Iterable[str] = (),
    description: str = "",
    example: object = None,
) -> Schema:
    """An object whose properties are required but for `optional`. More may follow in later versions."""
    missing_allowed = set(optional)
    required = [name for name in properties if name not in missing_allowed]
    schema: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = required
    if description:
        schema["description"] = description
    if example is not None:
        schema["examples"] = [example]
    return schema


def closed(schema: Schema) -> Schema:
    """The same without room for unknown properties."""
    return {**schema, "additionalProperties": False}


def text(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def integer(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def number(description: str = "", **more: Any) -> Schema:
    return _described({"type": "number", **more}, description)


def boolean(description: str = "", **more: Any) -> Schema:
    return _described({"type": "boolean", **more}, description)


def array(items: Schema, description: str = "", **more: Any) -> Schema:
    return _described({"type": "array", "items": items, **more}, description)


def one_of(values: Iterable[str], description: str = "") -> Schema:
    """A text from a closed list."""
    return text(description, enum=list(values))


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"], "enum": [*schema["enum"], None]}
    return {"anyOf": [schema, {"type": "null"}]}


def anything(description: str = "") -> Schema:
    return _described({}, description)


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _described(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description} if description else schema
