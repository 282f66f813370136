"""One operation of an OpenAPI document as the declaration of a tool."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from adapters.rest.openapi_document import Document, wrong
from adapters.rest.openapi_schemas import Schemas

DESCRIPTION_CHARS_MAX: Final = 2000
PARAMETERS_MAX: Final = 200
_FORM: Final = "application/x-www-form-urlencoded"
_IGNORED_HEADERS: Final = frozenset({"accept", "content-type", "authorization"})
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_ARGUMENT: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_ARGUMENT_CHARS_MAX: Final = 60


class CannotBeTool(Exception):
    """Says why not."""


class Operation(NamedTuple):
    """Where it stands, what it says, and what its path says for all of its operations."""

    path: str
    method: str
    node: Mapping[str, Any]
    shared: Sequence[Any]


class _Arguments:
    """What a tool's callers give, by names that models can write."""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        self.definitions: dict[str, Any] = {}

    def add(self, wire_name: str, place: str, schema: dict[str, Any], *, required: bool) -> str:
        base = _ARGUMENT.sub("_", wire_name).strip("_.-")[:_ARGUMENT_CHARS_MAX] or place
        name, number = base, 2
        if name in self.properties:
            name = f"{base}_{place}"[: _ARGUMENT_CHARS_MAX + 4]
        while name in self.properties:
            name, number = f"{base}_{number}", number + 1
        self.properties[name] = schema
        if required:
            self.required.append(name)
        return name

    def schema(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": False,
        }
        if self.definitions:
            made["$defs"] = self.definitions
        return made


def tool_of(operation: Operation, document: Document, schemas: Schemas) -> dict[str, Any]:
    """Raises CannotBeTool, and InvalidConfiguration for a document that is broken there."""
    arguments = _Arguments()
    made: dict[str, Any] = {
        "description": _description(operation),
        "method": operation.method.upper(),
        "query": {},
        "headers": {},
        "cookies": {},
    }
    in_path: dict[str, str] = {}
    for parameter in _parameters(operation, document):
        name, place = str(parameter.get("name", "")), parameter.get("in")
        if place == "header" and name.lower() in _IGNORED_HEADERS:
            continue
        schema = _schema(parameter, schemas, arguments)
        needed = place == "path" or parameter.get("required") is True
        argument = arguments.add(name, str(place), schema, required=needed)
        if place == "path":
            in_path[name] = argument
        elif place == "query":
            made["query"][name] = f"{{{argument}}}"
            _note_arrays(made, parameter, schema)
        elif place == "header":
            made["headers"][name] = f"{{{argument}}}"
        elif place == "cookie":
            made["cookies"][name] = f"{{{argument}}}"
        else:
            raise CannotBeTool(f"a parameter in {str(place)[:40]!r}")
    made["path"] = _path(operation.path, in_path, arguments)
    if operation.method not in ("get", "head"):
        _add_body(made, operation, document, schemas, arguments)
    made["parameters"] = arguments.schema()
    return {key: value for key, value in made.items() if value not in ({}, None)}


def _parameters(operation: Operation, document: Document) -> list[Mapping[str, Any]]:
    own = operation.node.get("parameters", [])
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for node in (*operation.shared, *(own if isinstance(own, list) else ())):
        parameter = document.resolved(node)
        found[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    if len(found) > PARAMETERS_MAX:
        raise CannotBeTool(f"more than {PARAMETERS_MAX} parameters")
    return list(found.values())


def _schema(parameter: Mapping[str, Any], schemas: Schemas, arguments: _Arguments) -> dict[str, Any]:
    node = parameter.get("schema")
    if node is None:
        content = parameter.get("content")
        if isinstance(content, Mapping) and content:
            raise CannotBeTool("a parameter that is a document of its own")
        node = {}
    schema, definitions = schemas.alone(node)
    arguments.definitions.update(definitions)
    said = parameter.get("description")
    if isinstance(said, str) and said and "description" not in schema and "$ref" not in schema:
        schema = {**schema, "description": said[:DESCRIPTION_CHARS_MAX]}
    return schema


def _note_arrays(made: dict[str, Any], parameter: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """One way for the whole tool: that of its first list."""
    if schema.get("type") == "array" and "arrays" not in made:
        style = parameter.get("style", "form")
        together = parameter.get("explode", style == "form") is False
        made["arrays"] = "comma" if together else "repeat"


def _path(path: str, in_path: Mapping[str, str], arguments: _Arguments) -> str:
    def slot(found: "re.Match[str]") -> str:
        name = found.group(1)
        argument = in_path.get(name)
        if argument is None:
            argument = arguments.add(name, "path", {"type": "string"}, required=True)
        return f"{{{argument}}}"

    if "?" in path or "#" in path:
        raise CannotBeTool("a path with a query in it")
    return _PLACE.sub(slot, path)


def _add_body(
    made: dict[str, Any], operation: Operation, document: Document, schemas: Schemas, arguments: _Arguments
) -> None:
    if "requestBody" not in operation.node:
        return
    body = document.resolved(operation.node["requestBody"])
    content = body.get("content")
    if not isinstance(content, Mapping):
        raise wrong("has a requestBody without content")
    kinds = {str(kind).partition(";")[0].strip().lower(): media for kind, media in content.items()}
    json_kind = next((kind for kind in kinds if kind == "application/json" or kind.endswith("+json")), None)
    kind = json_kind or (_FORM if _FORM in kinds else "*/*" if "*/*" in kinds else None)
    if kind is None:
        if body.get("required") is True:
            raise CannotBeTool(f"a body of type {next(iter(kinds), 'nothing')[:60]}")
        return
    media = document.resolved(kinds[kind])
    schema, definitions = schemas.alone(media.get("schema", {}))
    arguments.definitions.update(definitions)
    argument = arguments.add("body", "content", schema, required=body.get("required") is True)
    made["body"] = f"{{{argument}}}"
    made["content_type"] = "form" if kind == _FORM else "json"


def _description(operation: Operation) -> str:
    said = [operation.node.get(key) for key in ("summary", "description")]
    text = "\n".join(each.strip() for each in said if isinstance(each, str) and each.strip())
    if operation.node.get("deprecated") is True:
        text = f"Deprecated. {text}"
    return text[:DESCRIPTION_CHARS_MAX]
