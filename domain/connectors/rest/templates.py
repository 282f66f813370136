"""Templates of requests: text with `{parameter}` in it, and JSON whose texts are such templates.

A text that is nothing but one placeholder becomes the parameter itself, whatever its type. Parameters that
are absent or null take with them what cannot be said without them: the member of an object, the element of a
list, the query parameter. `{{` and `}}` are braces. In bodies `{*}` is an object of every parameter that
stands nowhere else.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from domain.connectors.rest.percent import percent_encoded
from domain.errors import InvalidParameters

TEMPLATE_CHARS_MAX: Final = 16 * 1024
TREE_DEPTH_MAX: Final = 32
THE_REST: Final = "*"
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME: Final = re.compile(r"\+?[^{}\s+*][^{}\s]{0,127}|\*")
_PATH_TEXT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_HEADER_TEXT: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_DOTS: Final = frozenset((".", ".."))
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


class Slot(NamedTuple):
    """Where a parameter goes. `spread`: its slashes part segments (`{+path}`)."""

    name: str
    spread: bool = False


class Template(NamedTuple):
    """Texts and slots in order."""

    parts: tuple[str | Slot, ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts if isinstance(part, Slot))

    @property
    def alone(self) -> str | None:
        """The parameter that is all of it."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Slot):
            return self.parts[0].name
        return None


class Missing:
    """What is left of something that cannot be said."""


MISSING: Final = Missing()


def parse_template(text: str) -> Template:
    """Raises ValueError, in words for whoever wrote it."""
    if len(text) > TEMPLATE_CHARS_MAX:
        raise ValueError(f"is longer than {TEMPLATE_CHARS_MAX} characters")
    parts: list[str | Slot] = []
    literal: list[str] = []
    end = 0
    for found in _PIECE.finditer(text):
        literal.append(text[end : found.start()])
        end = found.end()
        piece = found.group()
        if piece in ("{{", "}}"):
            literal.append(piece[0])
            continue
        name = found.group(1)
        if name is None or not _NAME.fullmatch(name):
            raise ValueError("has a brace that is no placeholder; write {{ and }} for braces")
        if said := "".join(literal):
            parts.append(said)
        literal = []
        parts.append(Slot(name.removeprefix("+"), name.startswith("+")))
    literal.append(text[end:])
    if said := "".join(literal):
        parts.append(said)
    return Template(tuple(parts))


def parse_path(text: str) -> Template:
    """A template of a path below a base. Raises ValueError."""
    template = parse_template(text)
    if not text.startswith("/"):
        raise ValueError("must start with /")
    for part in template.parts:
        if isinstance(part, str) and not _PATH_TEXT.fullmatch(part):
            raise ValueError("may hold no query, fragment, blank or character that has to be percent-encoded")
    plain = "".join(part if isinstance(part, str) else "x" for part in template.parts)
    if "//" in plain or _DOTS & set(plain.replace("%2e", ".").replace("%2E", ".").split("/")):
        raise ValueError("may hold no empty segment and no . or ..")
    if THE_REST in template.names:
        raise ValueError("cannot hold {*}")
    return template


def parse_tree(value: Any, depth: int = 0) -> Any:
    """JSON with every text as a template. Raises ValueError."""
    if depth > TREE_DEPTH_MAX:
        raise ValueError(f"is nested deeper than {TREE_DEPTH_MAX} levels")
    if isinstance(value, str):
        return parse_template(value)
    if isinstance(value, Mapping):
        return {str(key): parse_tree(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [parse_tree(element, depth + 1) for element in value]
    return value


def names_in(tree: Any) -> Iterator[str]:
    """Parameters that a parsed tree uses."""
    if isinstance(tree, Template):
        yield from tree.names
    elif isinstance(tree, dict):
        for member in tree.values():
            yield from names_in(member)
    elif isinstance(tree, list):
        for element in tree:
            yield from names_in(element)


def filled_path(template: Template, parameters: Mapping[str, Any]) -> str:
    """A clean path: every value is one segment, or several for `{+name}`, and climbs nowhere.

    Raises InvalidParameters.
    """
    return "".join([part if isinstance(part, str) else _segment(part, parameters) for part in template.parts])


def filled_text(template: Template, parameters: Mapping[str, Any]) -> str | None:
    """None: a parameter is absent. Raises InvalidParameters for an object or a list in a text."""
    said = []
    for part in template.parts:
        if isinstance(part, str):
            said.append(part)
            continue
        value = parameters.get(part.name)
        if value is None:
            return None
        said.append(as_text(value, part.name))
    return "".join(said)


def filled_header(template: Template, parameters: Mapping[str, Any]) -> str | None:
    """As `filled_text`, for the value of a header: one line of Latin-1. Raises InvalidParameters."""
    text = filled_text(template, parameters)
    if text is not None and not _HEADER_TEXT.fullmatch(text):
        raise InvalidParameters(
            "goes into a header, which has no line breaks, control characters or characters outside Latin-1",
            param=_param(next(iter(template.names), "")),
        )
    return text


def filled_tree(tree: Any, parameters: Mapping[str, Any], rest: Mapping[str, Any]) -> Any:
    """The JSON value, or MISSING. `rest` is what `{*}` stands for. Raises InvalidParameters."""
    if isinstance(tree, Template):
        name = tree.alone
        if name == THE_REST:
            return dict(rest)
        if name is not None:
            value = parameters.get(name)
            return MISSING if value is None else value
        text = filled_text(tree, parameters)
        return MISSING if text is None else text
    if isinstance(tree, dict):
        members = ((key, filled_tree(member, parameters, rest)) for key, member in tree.items())
        return {key: value for key, value in members if value is not MISSING}
    if isinstance(tree, list):
        elements = (filled_tree(element, parameters, rest) for element in tree)
        return [value for value in elements if value is not MISSING]
    return tree


def as_text(value: Any, name: str) -> str:
    """A value as URLs, headers and forms write it. Raises InvalidParameters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise InvalidParameters("must be a text, a number or a boolean here", param=_param(name))


def _segment(slot: Slot, parameters: Mapping[str, Any]) -> str:
    value = parameters.get(slot.name)
    if value is None:
        raise InvalidParameters("is part of the path and has to be given", param=_param(slot.name))
    text = as_text(value, slot.name)
    pieces = text.replace("\\", "/").split("/")
    # Servers that decode %2F before they look at dots would climb too.
    if not text or _DOTS & set(pieces) or _CONTROLS.search(text):
        raise InvalidParameters(
            "is part of the path: not empty, no control characters, no . or .. between slashes",
            param=_param(slot.name),
        )
    if slot.spread and ("" in pieces or "\\" in text):
        raise InvalidParameters("is a path of non-empty segments", param=_param(slot.name))
    try:
        encoded = [percent_encoded(piece) for piece in (pieces if slot.spread else [text])]
    except UnicodeEncodeError:
        raise InvalidParameters("is not well-formed Unicode", param=_param(slot.name)) from None
    return "/".join(encoded)


def _param(name: str) -> str:
    return f"parameters.{name}" if name else "parameters"
