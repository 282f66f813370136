"""Edits of TOML: keys above the first table, and whole tables at the end."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from entrypoints.clients.edits import MISSING, CannotEdit, Path

_BLANK: Final = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*")
_HEADER: Final = re.compile(r"\[\[?[^\n]*")
_STRINGS: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_NAME_PART: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)')
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


class _Statement(NamedTuple):
    """A key with its value, or a table's header. `end` is behind its line."""

    start: int
    end: int
    name: str
    value_start: int
    value_end: int
    header: bool


class TomlText:
    """Keeps comments, order and spelling. A path of one name is a key above the tables; a longer one a table,
    whose value is a mapping of plain values and of mappings one level deeper."""

    def get(self, text: str, path: Path) -> Any:
        here: Any = _parsed(text)
        for name in path:
            if not isinstance(here, Mapping) or name not in here:
                return MISSING
            here = here[name]
        return here

    def put(self, text: str, path: Path, value: Any) -> str:
        if len(path) == 1:
            return self._checked(self._put_key(text, path[0], value), path, value)
        text = self.drop(text, path)
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return self._checked(f"{text}{gap}{_table(path, value)}", path, value)

    def drop(self, text: str, path: Path) -> str:
        if len(path) == 1:
            known = _key(text, path[0])
            return (
                text
                if known is None
                else self._checked(text[: known.start] + text[known.end :], path, MISSING)
            )
        if self.get(text, path) is MISSING:
            return text
        statements = _statements(text)
        kept: list[str] = []
        place, inside = 0, False
        for statement in statements:
            if not statement.header:
                continue
            begins = _named(statement.name)[: len(path)] == tuple(path)
            if begins and not inside:
                kept.append(text[place : statement.start].rstrip("\n") + "\n")
            if not begins and inside:
                place = statement.start
                kept.append("\n")
            inside = begins
        if not inside:
            kept.append(text[place:])
        whole = "".join(kept)
        return self._checked("" if not whole.strip() else whole, path, MISSING)

    def _put_key(self, text: str, name: str, value: Any) -> str:
        known = _key(text, name)
        if known is not None:
            return text[: known.value_start] + _literal(value) + text[known.value_end :]
        line = f"{name} = {_literal(value)}\n"
        above = _above_tables(text)
        if above:
            end = above[-1].end
            lead = "" if text[:end].endswith("\n") else "\n"
            return text[:end] + lead + line + text[end:]
        tables = [s for s in _statements(text) if s.header]
        if not tables:
            return text + ("" if not text or text.endswith("\n") else "\n") + line
        return text[: tables[0].start] + line + "\n" + text[tables[0].start :]

    def _checked(self, text: str, path: Path, value: Any) -> str:
        if self.get(text, path) != value:
            raise CannotEdit("the edit would not say what it should; the file was left alone")
        return text


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(f"not valid TOML: {error}") from None


def _key(text: str, name: str) -> _Statement | None:
    return next((s for s in _above_tables(text) if _named(s.name) == (name,)), None)


def _above_tables(text: str) -> list[_Statement]:
    found: list[_Statement] = []
    for statement in _statements(text):
        if statement.header:
            break
        found.append(statement)
    return found


def _named(name: str) -> tuple[str, ...]:
    """The parts of a dotted name; of a header without its brackets."""
    inner = name.strip().strip("[]").strip()
    return tuple(
        next(part for part in match.groups() if part is not None) for match in _NAME_PART.finditer(inner)
    )


def _statements(text: str) -> list[_Statement]:
    _parsed(text)
    found: list[_Statement] = []
    place = 0
    while True:
        blank = _BLANK.match(text, place)
        start = blank.end() if blank else place
        if start >= len(text):
            return found
        if text[start] == "[":
            header = _HEADER.match(text, start)
            assert header is not None, "it begins with a bracket"
            end = min(header.end() + 1, len(text))
            name = header[0].partition("#")[0]
            found.append(_Statement(start, end, name, start, header.end(), header=True))
        elif text[start] == "#":
            return found
        else:
            found.append(_assignment(text, start))
        place = found[-1].end


def _assignment(text: str, start: int) -> _Statement:
    place = start
    while text[place] != "=":
        string = _STRINGS.match(text, place)
        place = string.end() if string else place + 1
    name = text[start:place]
    value_start = place + 1
    while text[value_start : value_start + 1] in (" ", "\t"):
        value_start += 1
    place, depth, value_end = value_start, 0, value_start
    while place < len(text):
        string = _STRINGS.match(text, place)
        if string:
            place = value_end = string.end()
            continue
        sign = text[place]
        if sign == "#":
            place = text.find("\n", place)
            place = len(text) if place < 0 else place
            continue
        if sign == "\n" and not depth:
            break
        depth += (sign in "[{") - (sign in "]}")
        place += 1
        if not sign.isspace():
            value_end = place
    return _Statement(start, min(place + 1, len(text)), name, value_start, value_end, header=False)


def _table(path: Path, value: Mapping[str, Any]) -> str:
    lines = [f"[{'.'.join(_quoted(name) for name in path)}]"]
    deeper: list[str] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            deeper.append("\n" + _table((*path, name), inner))
        else:
            lines.append(f"{_quoted(name)} = {_literal(inner)}")
    return "\n".join(lines) + "\n" + "".join(deeper)


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _literal(value: Any) -> str:
    """A plain value; JSON's strings, numbers and booleans are TOML's too."""
    if isinstance(value, list):
        return "[" + ", ".join(_literal(inner) for inner in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(n)} = {_literal(v)}" for n, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
