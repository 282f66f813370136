"""Tools from an OpenAPI document: each operation that can be asked with JSON or a form becomes one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from adapters.rest.openapi_document import (
    TEXT_CHARS_MAX,
    YAML_CHARS_MAX,
    Document,
    read_document,
    wrong,
)
from adapters.rest.openapi_operation import CannotBeTool, Operation, tool_of
from adapters.rest.openapi_schemas import Schemas
from adapters.rest.openapi_security import authentication_of
from adapters.rest.tool_section import ToolSection
from domain.connectors.tool import TOOL_SHAPE
from domain.errors import InvalidConfiguration

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
_NAME_CHARS_MAX: Final = 64


class OpenApiImport(NamedTuple):
    """`declared` are the tools as a configuration would write them, `tools` the same, read. `authentication`
    is without its secrets, `server` the first base address; None and empty where the document says nothing
    usable. `left_out` says which operations are no tools, and why."""

    declared: Mapping[str, dict[str, Any]]
    tools: Mapping[str, ToolSection]
    authentication: dict[str, Any] | None
    server: str
    title: str
    left_out: Sequence[str]


def tools_of_openapi(
    given: Mapping[str, Any] | str,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    yaml_chars_max: int = YAML_CHARS_MAX,
) -> OpenApiImport:
    """Version 3.0 or 3.1, as JSON, YAML or what was read from it. `include` and `exclude` hold operationIds,
    tags, names of tools, and paths, which may end in `*`.

    Raises InvalidConfiguration.
    """
    document = read_document(given, yaml_chars_max=yaml_chars_max)
    schemas = Schemas(document)
    declared: dict[str, dict[str, Any]] = {}
    tools: dict[str, ToolSection] = {}
    left_out: list[str] = []
    used: set[str] = set()
    for operation in _operations(document):
        name = _name(operation, declared)
        labels = _labels(operation, name)
        chosen = [each for each in include if _matches(each, labels, operation.path)]
        used.update(chosen)
        if (include and not chosen) or any(_matches(each, labels, operation.path) for each in exclude):
            continue
        try:
            made = tool_of(operation, document, schemas)
            tools[name] = ToolSection.model_validate(made)
        except CannotBeTool as error:
            left_out.append(f"{operation.method.upper()} {operation.path}: {error}")
            continue
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
            left_out.append(f"{operation.method.upper()} {operation.path}: {said}")
            continue
        declared[name] = made
    if unknown := [each for each in include if each not in used]:
        raise InvalidConfiguration(
            f"openapi.include: nothing is called {unknown[0][:200]!r}", param="openapi.include"
        )
    if not tools:
        raise wrong("has no operation that can be a tool")
    title = str(document.section("info").get("title", ""))[:200]
    return OpenApiImport(
        declared, tools, authentication_of(document), _server(document), title, tuple(left_out)
    )


def configuration_of_openapi(
    text: str,
    *,
    endpoint: str = "",
    authentication: Mapping[str, Any] | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> tuple[dict[str, Any], Sequence[str]]:
    """A whole configuration for an integration of type `api`, and what was left out.

    `authentication` is what no document says, such as `client_id` and secrets; a `type` in it replaces what
    the document demands. May take a second per 64 KiB of YAML: for the command line.

    Raises InvalidConfiguration, also where neither the document nor `endpoint` says where the API is.
    """
    imported = tools_of_openapi(text, include=include, exclude=exclude, yaml_chars_max=TEXT_CHARS_MAX)
    where = endpoint or imported.server
    if not where:
        raise InvalidConfiguration("endpoint: the document names no server; say where", param="endpoint")
    demanded, own = imported.authentication or {"type": "none"}, dict(authentication or {})
    configuration = {
        "endpoint": where,
        "authentication": own if "type" in own else {**demanded, **own},
        "tools": dict(imported.declared),
    }
    return configuration, imported.left_out


def _operations(document: Document) -> Iterator[Operation]:
    for path, item in document.section("paths").items():
        entry = document.resolved(item)
        shared = entry.get("parameters", [])
        for method in METHODS:
            operation = entry.get(method)
            if isinstance(operation, Mapping):
                yield Operation(path, method, operation, shared if isinstance(shared, list) else [])


def _name(operation: Operation, taken: Mapping[str, Any]) -> str:
    said = operation.node.get("operationId")
    text = said if isinstance(said, str) and said else f"{operation.method}_{operation.path.strip('/')}"
    base = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")
    base = base if base[:1].isalpha() else f"{operation.method}_{base}"
    name, number = base[:_NAME_CHARS_MAX], 2
    while name in taken or not TOOL_SHAPE.fullmatch(name):
        end = f"_{number}"
        name, number = base[: _NAME_CHARS_MAX - len(end)] + end, number + 1
    return name


def _labels(operation: Operation, name: str) -> frozenset[str]:
    tags = operation.node.get("tags")
    said = operation.node.get("operationId")
    return frozenset([name, str(said or name), *(map(str, tags) if isinstance(tags, list) else ())])


def _matches(wanted: str, labels: frozenset[str], path: str) -> bool:
    if wanted in labels or wanted == path:
        return True
    return wanted.startswith("/") and wanted.endswith("*") and path.startswith(wanted[:-1])


def _server(document: Document) -> str:
    servers = document.root.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    if not isinstance(first, Mapping) or not isinstance(first.get("url"), str):
        return ""
    variables = first.get("variables")
    url = str(first["url"])
    for name, variable in variables.items() if isinstance(variables, Mapping) else ():
        if isinstance(variable, Mapping):
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return url if url.startswith(("http://", "https://")) and "{" not in url else ""
