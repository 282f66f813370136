"""The JSON Schema of the configuration file, for editors and for checks outside."""

from typing import Any

from entrypoints.config.root import Settings

_SCALARS = frozenset({"integer", "number", "boolean"})
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}"}


def json_schema() -> dict[str, Any]:
    """A draft 2020-12 schema. Where a number or a boolean is expected, `${NAME}` is accepted too."""
    schema = _with_references(Settings.model_json_schema())
    assert isinstance(schema, dict)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Interchange configuration",
    }


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    kind = node.get("type")
    if isinstance(kind, str) and kind in _SCALARS:
        outside = {key: node[key] for key in ("description", "default", "title") if key in node}
        inside = {key: value for key, value in node.items() if key not in outside}
        return {**outside, "anyOf": [inside, dict(_REFERENCE)]}
    return {key: _with_references(value) for key, value in node.items()}
