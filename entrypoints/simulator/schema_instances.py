"""A deterministic instance of a JSON schema, for tool arguments and structured answers.

Covers what providers accept in tools and structured outputs: types, enum, const, default, properties,
items, bounds, common formats, anyOf/oneOf/allOf and local `$ref`. Recursion is cut at `DEPTH_MAX`.
"""

from typing import Any

DEPTH_MAX = 12

_FORMATS = {
    "date": "2024-05-17",
    "time": "12:30:00Z",
    "date-time": "2024-05-17T12:30:00Z",
    "duration": "PT5M",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "uri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000007",
}


def instance_of(schema: Any, *, draw: int, text: str = "simulated") -> Any:
    """A value that satisfies `schema`; `draw` chooses among what it allows, `text` fills free strings."""
    return _Builder(schema, draw, text).value(schema, 0, "value")


class _Builder:
    def __init__(self, root: Any, draw: int, text: str) -> None:
        self._root = root if isinstance(root, dict) else {}
        self._draw = draw
        self._text = text

    def value(self, schema: Any, depth: int, name: str) -> Any:
        if not isinstance(schema, dict) or depth > DEPTH_MAX:
            return None
        if "$ref" in schema:
            return self.value(self._resolved(str(schema["$ref"])), depth + 1, name)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            allowed = schema["enum"]
            return allowed[self._draw % len(allowed)]
        if "default" in schema:
            return schema["default"]
        if schema.get("allOf"):
            return self.value(
                _merged(schema, [self._followed(part) for part in schema["allOf"]]), depth + 1, name
            )
        for alternatives in ("anyOf", "oneOf"):
            if schema.get(alternatives):
                return self.value(self._simplest(schema[alternatives], depth), depth + 1, name)
        return self._typed(schema, depth, name)

    def _typed(self, schema: dict[str, Any], depth: int, name: str) -> Any:
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        match str(kind).lower():
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth, name)
            case "integer":
                return int(self._number(schema, whole=True))
            case "number":
                return self._number(schema, whole=False)
            case "boolean":
                return self._draw % 2 == 0
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        # Deep optional parts are left out, which also ends recursive schemas.
        return {
            name: self.value(part, depth + 1, name)
            for name, part in properties.items()
            if name in required or depth < DEPTH_MAX // 3
        }

    def _array(self, schema: dict[str, Any], depth: int, name: str) -> list[Any]:
        least = int(schema.get("minItems") or 0)
        most = int(schema.get("maxItems", max(least, 1)))
        size = max(least, min(1, most)) if depth < DEPTH_MAX // 2 else least
        prefix = schema.get("prefixItems") or []
        items = [self.value(part, depth + 1, name) for part in prefix]
        while len(items) < size:
            items.append(self.value(schema.get("items", {}), depth + 1, name))
        return items

    def _number(self, schema: dict[str, Any], *, whole: bool) -> float:
        low, high = schema.get("minimum"), schema.get("maximum")
        step = 1 if whole else 0.5
        if low is None and schema.get("exclusiveMinimum") is not None:
            low = schema["exclusiveMinimum"] + step
        if high is None and schema.get("exclusiveMaximum") is not None:
            high = schema["exclusiveMaximum"] - step
        wanted = self._draw % 10 + (0 if whole else 0.5)
        multiple = schema.get("multipleOf")
        if multiple:
            first = -(-(low if low is not None else 0) // multiple)
            return float(first * multiple) if not whole else first * multiple
        if low is not None and wanted < low:
            wanted = low
        if high is not None and wanted > high:
            wanted = high
        return wanted

    def _string(self, schema: dict[str, Any], name: str) -> str:
        given = _FORMATS.get(str(schema.get("format", "")))
        text = given if given is not None else (self._text if len(name) < 2 else f"{name}: {self._text}")
        least, most = int(schema.get("minLength") or 0), schema.get("maxLength")
        if len(text) < least:
            text += "x" * (least - len(text))
        return text[: int(most)] if most is not None else text

    def _resolved(self, pointer: str) -> Any:
        node: Any = self._root
        for part in pointer.removeprefix("#").strip("/").split("/"):
            if part:
                key = part.replace("~1", "/").replace("~0", "~")
                node = node.get(key) if isinstance(node, dict) else None
        return node

    def _followed(self, part: Any) -> Any:
        return self._resolved(str(part["$ref"])) if isinstance(part, dict) and "$ref" in part else part

    def _simplest(self, alternatives: list[Any], depth: int) -> Any:
        """The first that is not null; null itself when the nesting is already deep."""
        nulls = [one for one in alternatives if isinstance(one, dict) and one.get("type") == "null"]
        if nulls and depth >= DEPTH_MAX // 3:
            return nulls[0]
        return next((one for one in alternatives if one not in nulls), alternatives[0])


def _merged(schema: dict[str, Any], parts: list[Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in parts:
        if not isinstance(part, dict):
            continue
        for key, value in part.items():
            if key == "properties":
                merged["properties"] = {**merged.get("properties", {}), **value}
            elif key == "required":
                merged["required"] = [*merged.get("required", []), *value]
            else:
                merged[key] = value
    return merged
