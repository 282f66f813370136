"""Edits of JSON, with comments and trailing commas where the file has them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from entrypoints.clients.edits import MISSING, CannotEdit, Path

DEPTH_MAX: Final = 200
_BLANK: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PLAIN: Final = re.compile(r"[^\s,\]}/]+")


@dataclass(slots=True)
class _Node:
    """A value's place in the text. `members` are of objects only."""

    start: int
    end: int
    value: Any
    members: dict[str, "_Member"] = field(default_factory=dict)


@dataclass(slots=True)
class _Member:
    start: int
    node: _Node


class JsonText:
    """Keeps order, indentation and comments."""

    def get(self, text: str, path: Path) -> Any:
        found = _find(_parsed(text), path)
        return MISSING if found is None else found.value

    def put(self, text: str, path: Path, value: Any) -> str:
        if not text.strip():
            text = "{}\n"
        root = _parsed(text)
        known = _find(root, path)
        if known is not None:
            return _checked(text[: known.start] + json.dumps(value) + text[known.end :], path, value)
        depth = len(path) - 1
        while depth and _find(root, path[:depth]) is None:
            depth -= 1
        parent = _find(root, path[:depth])
        assert parent is not None, "the root is always there"
        if not isinstance(parent.value, dict):
            raise CannotEdit(f"{'.'.join(path[:depth]) or 'the file'} is not an object")
        for name in reversed(path[depth + 1 :]):
            value = {name: value}
        return _checked(_added(text, parent, path[depth], value), path[: depth + 1], value)

    def drop(self, text: str, path: Path) -> str:
        parent = _find(_parsed(text), path[:-1])
        member = None if parent is None else parent.members.get(path[-1])
        if parent is None or member is None:
            return text
        names = list(parent.members)
        place = names.index(path[-1])
        if place:
            start, end = parent.members[names[place - 1]].node.end, member.node.end
        elif len(names) > 1:
            start, end = member.start, parent.members[names[1]].start
        else:
            start, end = parent.start + 1, parent.end - 1
        return _checked(text[:start] + text[end:], path, MISSING)


def _checked(text: str, path: Path, value: Any) -> str:
    found = _find(_parsed(text), path)
    if (MISSING if found is None else found.value) != value:
        raise CannotEdit("the edit would not say what it should; the file was left alone")
    return text


def _added(text: str, parent: _Node, name: str, value: Any) -> str:
    outer = _indent_before(text, parent.start)
    unit = _unit(text)
    if parent.members:
        first = next(iter(parent.members.values()))
        last = list(parent.members.values())[-1].node.end
        own_line = text[: first.start].rpartition("\n")[2].strip() == "" and "\n" in text[: first.start]
        indent = _indent_before(text, first.start)
        lead = "\n" + indent if own_line else " "
        member = json.dumps(name) + ": " + _written(value, indent, unit)
        return f"{text[:last]},{lead}{member}{text[last:]}"
    indent = outer + unit
    member = json.dumps(name) + ": " + _written(value, indent, unit)
    return f"{text[: parent.start]}{{\n{indent}{member}\n{outer}}}{text[parent.end :]}"


def _written(value: Any, indent: str, unit: str) -> str:
    return json.dumps(value, indent=unit).replace("\n", "\n" + indent)


def _indent_before(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip())]


def _unit(text: str) -> str:
    """One step of indentation, as the file has it."""
    match = re.search(r"\n([ \t]+)\S", text)
    return match[1] if match else "  "


def _find(node: _Node, path: Path) -> _Node | None:
    for name in path:
        member = node.members.get(name)
        if member is None:
            return None
        node = member.node
    return node


def _parsed(text: str) -> _Node:
    node = _value(text, _skip(text, 0), 0)
    if _skip(text, node.end) != len(text):
        raise CannotEdit(f"not valid JSON: something follows the end at offset {node.end}")
    if not isinstance(node.value, dict):
        raise CannotEdit("not a JSON object")
    return node


def _skip(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    assert match is not None, "it matches nothing as well"
    return match.end()


def _value(text: str, place: int, depth: int) -> _Node:
    if depth > DEPTH_MAX:
        raise CannotEdit("nested too deeply")
    sign = text[place : place + 1]
    if sign == "{":
        return _object(text, place, depth)
    if sign == "[":
        return _array(text, place, depth)
    match = (_STRING if sign == '"' else _PLAIN).match(text, place)
    if match is None:
        raise CannotEdit(f"not valid JSON at offset {place}")
    return _Node(place, match.end(), _scalar(match[0], place))


def _scalar(text: str, place: int) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError:
        raise CannotEdit(f"not valid JSON at offset {place}") from None


def _object(text: str, start: int, depth: int) -> _Node:
    node = _Node(start, start, {})
    for place in _items(text, start, "}", node):
        if text[place] != '"':
            raise CannotEdit(f"not valid JSON at offset {place}: a name was expected")
        name = _value(text, place, depth + 1)
        colon = _skip(text, name.end)
        if text[colon : colon + 1] != ":":
            raise CannotEdit(f"not valid JSON at offset {colon}: a colon was expected")
        inner = _value(text, _skip(text, colon + 1), depth + 1)
        if name.value in node.members:
            raise CannotEdit(f"{name.value!r} is given twice")
        node.members[name.value] = _Member(place, inner)
        node.value[name.value] = inner.value
        node.end = inner.end
    return node


def _array(text: str, start: int, depth: int) -> _Node:
    node = _Node(start, start, [])
    for place in _items(text, start, "]", node):
        inner = _value(text, place, depth + 1)
        node.value.append(inner.value)
        node.end = inner.end
    return node


def _items(text: str, start: int, closing: str, node: _Node) -> Iterator[int]:
    """Where each item starts. `node.end` is where the last one ended, and at last behind the closing sign."""
    place = _skip(text, start + 1)
    while text[place : place + 1] != closing:
        if place >= len(text):
            raise CannotEdit("not valid JSON: it ends too early")
        yield place
        place = _skip(text, node.end)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != closing:
            raise CannotEdit(f"not valid JSON at offset {place}: a comma or {closing} was expected")
    node.end = place + 1
