"""A declared tool, compiled: what discovery shows of it, and how its parameters become requests."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from adapters.rest.draft import Draft
from adapters.rest.schemas import AnswerSchema, compiled
from adapters.rest.tool_section import ToolSection
from domain.connectors.rest.paging import Paging, Step
from domain.connectors.rest.percent import pairs_encoded, percent_encoded
from domain.connectors.rest.retrying import IDEMPOTENT_METHODS, READING_METHODS
from domain.connectors.rest.templates import (
    MISSING,
    THE_REST,
    as_text,
    filled_header,
    filled_path,
    filled_text,
    filled_tree,
    names_in,
    parse_path,
    parse_template,
    parse_tree,
)
from domain.connectors.terms import cost_of
from domain.connectors.tool import Tool
from domain.errors import InvalidConfiguration, InvalidParameters

_FORM_DEPTH_MAX: Final = 8
_USUAL: Final = {"user-agent": "interchange", "accept": "application/json"}


def fixed_headers(own: Mapping[str, str]) -> list[tuple[str, str]]:
    """What every request of an integration carries; its own headers win."""
    return list({**_USUAL, **own}.items())


class ToolPlan:
    """One tool of one connector. Immutable."""

    def __init__(self, name: str, section: ToolSection, prefix: str, headers: Mapping[str, str]) -> None:
        """`prefix` is the base path, `headers` what every request carries. Raises InvalidConfiguration."""
        self.section = section
        self._prefix = prefix
        self._path = parse_path(section.path)
        self._query = parse_tree(section.query)
        self._headers = {key: parse_template(text) for key, text in section.headers.items()}
        self._cookies = {key: parse_template(text) for key, text in section.cookies.items()}
        self._body = parse_tree(section.body)
        self._fixed = fixed_headers(headers)
        self.paging = _paging(section)
        self._used = self._names()
        schema = section.parameters if section.parameters is not None else self._derived()
        self._check(name, schema)
        properties = schema.get("properties", {})
        self._defaults = {
            key: each["default"]
            for key, each in properties.items()
            if isinstance(each, Mapping) and "default" in each
        }
        response = section.response.json_schema
        try:
            self.answer_schema = None if response is None else AnswerSchema(response)
        except ValueError as error:
            param = f"tools.{name}.response.schema"
            raise InvalidConfiguration(f"{param}: {error}", param=param) from None
        self.tool = _tool(name, section, schema)
        self.repeatable = section.method in IDEMPOTENT_METHODS or self.tool.repeatable

    def draft(self, given: Mapping[str, Any], step: Step, target: str | None, key: str) -> Draft:
        """The request of one page. `target` replaces path and query where a link said so; `key` is for the
        header of idempotency. Raises InvalidParameters."""
        section = self.section
        parameters = {**self._defaults, **given} if self._defaults else given
        paged_in_body = section.pagination is not None and section.pagination.place == "body"
        if target is None:
            target = self._prefix + filled_path(self._path, parameters)
            pairs = self._pairs(parameters, () if paged_in_body else step.values)
            if pairs:
                target += "?" + _encoded(pairs)
        draft = Draft(method=section.method, target=target, headers=list(self._fixed))
        for name, template in self._headers.items():
            if (value := filled_header(template, parameters)) is not None:
                draft.set_header(name, value)
        if self._cookies and (cookie := self._cookie(parameters)):
            draft.set_header("cookie", cookie)
        if section.idempotency_header and key:
            draft.set_header(section.idempotency_header, key)
        if section.body is not None:
            self._add_body(draft, parameters, step if paged_in_body else Step())
        return draft

    def _add_body(self, draft: Draft, parameters: Mapping[str, Any], step: Step) -> None:
        rest = {name: value for name, value in parameters.items() if name not in self._used}
        value = filled_tree(self._body, parameters, rest)
        if value is MISSING:
            return
        if step.values:
            value = {**value, **dict(step.values)} if isinstance(value, dict) else value
        if self.section.content_type == "form":
            if not isinstance(value, dict):
                raise InvalidParameters("a form is made of an object", param="parameters")
            draft.body = _encoded(list(_flat("", value, self.section.arrays))).encode()
            draft.set_header("content-type", "application/x-www-form-urlencoded")
            return
        try:
            draft.body = msgspec.json.encode(value)
        except (UnicodeEncodeError, ValueError, RecursionError):
            raise InvalidParameters("cannot be written as JSON", param="parameters") from None
        draft.set_header("content-type", "application/json")

    def _pairs(
        self, parameters: Mapping[str, Any], paged: Iterable[tuple[str, Any]]
    ) -> list[tuple[str, str]]:
        filled = filled_tree(self._query, parameters, {})
        whole = filled.pop(THE_REST, None)
        if isinstance(whole, Mapping):
            filled.update(whole)
        for name, value in paged:
            filled[name] = value
        return [pair for name, value in filled.items() for pair in _flat_at(name, value, self.section.arrays)]

    def _cookie(self, parameters: Mapping[str, Any]) -> str:
        said = []
        for name, template in self._cookies.items():
            if (value := filled_text(template, parameters)) is not None:
                said.append(f"{name}={_encoded_text(value)}")
        return "; ".join(said)

    def _names(self) -> frozenset[str]:
        templates = (*self._headers.values(), *self._cookies.values(), self._path)
        used = {name for template in templates for name in template.names}
        return frozenset(used | set(names_in(self._query)) | (set(names_in(self._body)) - {THE_REST}))

    def _derived(self) -> dict[str, Any]:
        """Of a tool that declares none: what its templates name, of any type."""
        needed = sorted(self._path.names)
        scalar = {"type": ["string", "integer", "number", "boolean"]}
        return {
            "type": "object",
            "properties": {name: scalar if name in needed else {} for name in sorted(self._used)},
            "required": needed,
            "additionalProperties": THE_REST in set(names_in(self._body)),
        }

    def _check(self, name: str, schema: Mapping[str, Any]) -> None:
        param = f"tools.{name}.parameters"
        properties = schema.get("properties", {})
        if schema.get("type", "object") != "object" or not isinstance(properties, Mapping):
            raise InvalidConfiguration(f"{param}: must be the schema of an object", param=param)
        try:
            compiled(schema)
        except ValueError as error:
            raise InvalidConfiguration(f"{param}: {error}", param=param) from None
        unknown = self._used - set(properties)
        if unknown and properties and schema.get("additionalProperties") is not True:
            raise InvalidConfiguration(
                f"{param}: the templates name {min(unknown)[:80]!r}, which is no property", param=param
            )


def _tool(name: str, section: ToolSection, schema: Mapping[str, Any]) -> Tool:
    reads = section.read_only if section.read_only is not None else section.method in READING_METHODS
    repeats = section.idempotent
    if repeats is None:
        repeats = section.method in IDEMPOTENT_METHODS or bool(section.idempotency_header)
    removes = section.destructive if section.destructive is not None else section.method == "DELETE"
    data = section.response.json_schema if not section.response.select and not section.pagination else None
    return Tool(
        name=name,
        description=section.description or f"{section.method} {section.path}",
        parameters={"type": "object", **schema},
        result={"type": "object", "properties": {"status": {"type": "integer"}, "data": data or {}}},
        examples=tuple(section.examples),
        read_only=reads,
        idempotent=repeats,
        destructive=removes,
        cost_nano_usd=None
        if section.cost_usd is None
        else cost_of(section.cost_usd, f"tools.{name}.cost_usd"),
        cache_ttl_s=section.cache_ttl_s,
        timeout_s=section.timeout_s,
    )


def _paging(section: ToolSection) -> Paging | None:
    pages = section.pagination
    if pages is None:
        return None
    return Paging(
        kind=pages.kind,
        param=pages.param,
        size_param=pages.size_param,
        size=pages.size,
        first=pages.first,
        in_body=pages.place == "body",
        pages_max=pages.pages_max,
    )


def _flat(prefix: str, value: Mapping[str, Any], arrays: str, depth: int = 0) -> Iterable[tuple[str, str]]:
    if depth > _FORM_DEPTH_MAX:
        raise InvalidParameters("is nested too deeply for a form", param="parameters")
    for key, member in value.items():
        yield from _flat_at(f"{prefix}[{key}]" if prefix else str(key), member, arrays, depth + 1)


def _flat_at(name: str, value: Any, arrays: str, depth: int = 0) -> Iterable[tuple[str, str]]:
    """`a=1`, `a=1&a=2`, `a=1,2`, `a[]=1`, `a[b]=1`: how queries and forms write what is no scalar."""
    if value is None:
        return
    if isinstance(value, Mapping):
        yield from _flat(name, value, arrays, depth)
    elif isinstance(value, list | tuple):
        if arrays == "comma":
            yield name, ",".join(as_text(element, name) for element in value)
            return
        for position, element in enumerate(value):
            if isinstance(element, Mapping):
                yield from _flat(f"{name}[{position}]", element, arrays, depth)
            else:
                yield name + ("[]" if arrays == "brackets" else ""), as_text(element, name)
    else:
        yield name, as_text(value, name)


def _encoded(pairs: list[tuple[str, str]]) -> str:
    try:
        return pairs_encoded(pairs)
    except UnicodeEncodeError:
        raise InvalidParameters("is not well-formed Unicode", param="parameters") from None


def _encoded_text(text: str) -> str:
    try:
        return percent_encoded(text)
    except UnicodeEncodeError:
        raise InvalidParameters("is not well-formed Unicode", param="parameters") from None
