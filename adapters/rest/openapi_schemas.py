"""Schemas of an OpenAPI document as JSON Schemas that stand alone.

References stay references, so that schemas that hold themselves are no problem: what a schema refers to,
directly or not, goes along in its `$defs`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.rest.openapi_document import Document, wrong
from adapters.rest.schemas import SCHEMA_BYTES_MAX

DEFINITIONS_MAX: Final = 300
_ONE: Final = frozenset(
    ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else",
     "unevaluatedProperties", "unevaluatedItems", "additionalItems")
)  # fmt: skip
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_LEFT_OUT: Final = frozenset(
    ("$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$vocabulary", "$comment",
     "discriminator", "xml", "externalDocs", "nullable", "readOnly", "writeOnly", "deprecated")
)  # fmt: skip
_BOUNDS: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class Schemas:
    """Of one document. Each reference is converted once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._converted: dict[str, tuple[Any, frozenset[str]]] = {}
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def alone(self, node: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """(the schema, its `$defs`). Raises InvalidConfiguration."""
        used: set[str] = set()
        schema = self._schema(node, used)
        definitions: dict[str, Any] = {}
        pending = list(used)
        while pending:
            reference = pending.pop()
            name = self._name(reference)
            if name in definitions:
                continue
            found, more = self._definition(reference)
            definitions[name] = found
            if len(definitions) > DEFINITIONS_MAX:
                return {}, {}
            pending.extend(more)
        if len(msgspec.json.encode((schema, definitions))) > SCHEMA_BYTES_MAX // 2:
            return {}, {}
        return (schema if isinstance(schema, dict) else {}), definitions

    def _definition(self, reference: str) -> tuple[Any, frozenset[str]]:
        known = self._converted.get(reference)
        if known is None:
            used: set[str] = set()
            found = self._schema(self._document.at(reference), used)
            known = self._converted[reference] = (found, frozenset(used))
        return known

    def _name(self, reference: str) -> str:
        name = self._names.get(reference)
        if name is None:
            base = re.sub(r"[^A-Za-z0-9_.-]", "_", reference.rpartition("/")[2])[:100] or "root"
            name, number = base, 2
            while name in self._taken:
                name, number = f"{base}_{number}", number + 1
            self._names[reference] = name
            self._taken.add(name)
        return name

    def _schema(self, node: Any, used: set[str]) -> Any:
        if isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise wrong("has something else where a schema belongs")
        made: dict[str, Any] = {}
        reference = node.get("$ref")
        if reference is not None:
            self._document.at(reference)
            used.add(reference)
            made["$ref"] = f"#/$defs/{self._name(reference)}"
            if self._document.old:
                return made  # what stands beside a reference counts only since 3.1
        for key, value in node.items():
            if key in _LEFT_OUT or key == "$ref" or key.startswith("x-"):
                continue
            if key in _NAMED and isinstance(value, Mapping):
                made[key] = {name: self._schema(each, used) for name, each in value.items()}
            elif key in _MANY and isinstance(value, list):
                made[key] = [self._schema(each, used) for each in value]
            elif key in _ONE and isinstance(value, Mapping | bool):
                made[key] = self._schema(value, used)
            else:
                made[key] = value
        _without_read_only(node, made)
        return _newer(node, made) if self._document.old else made


def _without_read_only(node: Mapping[str, Any], made: dict[str, Any]) -> None:
    """What only the other side sets is nothing to ask callers for."""
    properties = node.get("properties")
    if not isinstance(properties, Mapping):
        return
    only_read = {
        name
        for name, each in properties.items()
        if isinstance(each, Mapping) and each.get("readOnly") is True
    }
    if not only_read:
        return
    made["properties"] = {name: each for name, each in made["properties"].items() if name not in only_read}
    if isinstance(made.get("required"), list):
        made["required"] = [name for name in made["required"] if name not in only_read]


def _newer(node: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """What 3.0 says in its own way."""
    for exclusive, bound in _BOUNDS.items():
        said = made.get(exclusive)
        if isinstance(said, bool):
            del made[exclusive]
            if said and bound in made:
                made[exclusive] = made.pop(bound)
    if "example" in made:
        made["examples"] = [made.pop("example")]
    if node.get("nullable") is not True:
        return made
    kind = made.get("type")
    if not isinstance(kind, str):
        return {"anyOf": [made, {"type": "null"}]}
    made["type"] = [kind, "null"]
    if isinstance(made.get("enum"), list) and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    return made
