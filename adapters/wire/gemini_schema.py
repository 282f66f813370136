"""JSON Schema cut down to the part of OpenAPI that Gemini's schemas understand."""

from typing import Any, Final

Json = dict[str, Any]

_KEPT: Final = frozenset(
    {
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "propertyOrdering",
    }
)
_STRING_FORMATS: Final = frozenset({"enum", "date-time"})
_DEPTH_MAX: Final = 32


def reduced(schema: Json) -> Json:
    """The same schema with references put in place and unknown keywords left out.

    A reference that contains itself is cut at the point of recursion to a plain object.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _reduced(schema, definitions, frozenset(), 0)


def _reduced(schema: Any, definitions: Json, open_names: frozenset[str], depth: int) -> Json:
    if not isinstance(schema, dict) or depth > _DEPTH_MAX:
        return {"type": "object"} if schema is not True else {}
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        if name in open_names or name not in definitions:
            return {"type": "object"}
        merged = {**definitions[name], **{key: value for key, value in schema.items() if key != "$ref"}}
        return _reduced(merged, definitions, open_names | {name}, depth + 1)

    def below(inner: Any) -> Json:
        return _reduced(inner, definitions, open_names, depth + 1)

    found: Json = {key: value for key, value in schema.items() if key in _KEPT}
    if "const" in schema:
        found["enum"] = [schema["const"]]
    if "properties" in schema:
        found["properties"] = {name: below(inner) for name, inner in schema["properties"].items()}
    if "items" in schema:
        found["items"] = below(schema["items"])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        kept = [below(inner) for inner in alternatives if inner.get("type") != "null"]
        if len(kept) < len(alternatives):
            found["nullable"] = True
        found = {**kept[0], **found} if len(kept) == 1 else {**found, "anyOf": kept}
    if isinstance(schema.get("allOf"), list):
        for inner in schema["allOf"]:
            found = {**below(inner), **found}
    _settle_type(found)
    return found


def _settle_type(found: Json) -> None:
    """One type per schema; `null` among several becomes `nullable`, enums are of strings."""
    kind = found.get("type")
    if isinstance(kind, list):
        kinds = [name for name in kind if name != "null"]
        if len(kinds) < len(kind):
            found["nullable"] = True
        if len(kinds) == 1:
            found["type"] = kinds[0]
        else:
            del found["type"]
            found["anyOf"] = [{"type": name} for name in kinds]
    if found.get("type", "string") == "string" and found.get("format") not in _STRING_FORMATS:
        found.pop("format", None)
    if "enum" in found:
        if any(not isinstance(value, str) for value in found["enum"]):
            # Only texts can be enumerated; the type alone still holds for the rest.
            del found["enum"]
        else:
            found.setdefault("type", "string")


_OPEN_API_ONLY: Final = frozenset({"nullable", "propertyOrdering", "example"})
_RENAMED: Final[dict[str, str]] = {"defs": "$defs", "ref": "$ref"}
_COUNTS: Final = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def json_schema(schema: Any, depth: int = 0) -> Json:
    """A schema of Gemini's as the JSON Schema other families read: small type names, `null` as a type.

    Both spellings of names are read; counts, which Google's JSON writes as texts, become numbers.
    """
    if not isinstance(schema, dict) or depth > _DEPTH_MAX:
        return {}
    found: Json = {}
    for given, value in schema.items():
        name = _spelled(given)
        if name in _OPEN_API_ONLY or value is None:
            continue
        match name:
            case "type":
                if str(value).upper() != "TYPE_UNSPECIFIED":
                    found["type"] = str(value).lower()
            case "properties" | "$defs":
                found[name] = {key: json_schema(inner, depth + 1) for key, inner in value.items()}
            case "items":
                found["items"] = json_schema(value, depth + 1)
            case "anyOf":
                found["anyOf"] = [json_schema(inner, depth + 1) for inner in value]
            case _:
                found[name] = int(value) if name in _COUNTS else value
    if schema.get("nullable"):
        _allow_null(found)
    return found


def _spelled(name: str) -> str:
    head, *rest = name.split("_")
    camel = head + "".join(part.capitalize() for part in rest) if head else name
    return _RENAMED.get(camel, camel)


def _allow_null(found: Json) -> None:
    if "type" in found:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    elif "anyOf" in found:
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
