"""An OpenAPI document as plain JSON values: bounded, of a version we know, references only into itself."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from domain.errors import InvalidConfiguration

TEXT_CHARS_MAX: Final = 4 * 1024 * 1024
YAML_CHARS_MAX: Final = 64 * 1024
"""Of a document within a configuration: reading more of it would keep others waiting for seconds."""
NODES_MAX: Final = 500_000
DEPTH_MAX: Final = 64
REFERENCES_MAX: Final = 16
"""References to references, in a row."""
_PARAM: Final = "openapi.document"


class Document:
    """`old`: version 3.0, whose schemas are not quite JSON Schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Raises InvalidConfiguration."""
        self.root = root
        version = root.get("openapi")
        if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
            raise wrong("must be OpenAPI 3.0 or 3.1 (`openapi: 3.…` at its top)")
        self.old = version.startswith("3.0")

    def resolved(self, node: Any) -> Mapping[str, Any]:
        """What a node says, or what it refers to. Raises InvalidConfiguration."""
        for _ in range(REFERENCES_MAX):
            if not isinstance(node, Mapping):
                raise wrong("has something else where an object belongs")
            reference = node.get("$ref")
            if reference is None:
                return node
            node = self.at(reference)
        raise wrong("has references that lead in a circle")

    def at(self, reference: Any) -> Any:
        """Where a reference leads. Raises InvalidConfiguration."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise wrong("has a reference that leads out of the document, where nothing is fetched")
        node: Any = self.root
        for part in reference.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                raise wrong(f"has a reference to {reference[:200]!r}, which is not there")
        return node

    def section(self, *path: str) -> Mapping[str, Any]:
        """A part of the document; empty where it is not there."""
        node: Any = self.root
        for key in path:
            node = node.get(key) if isinstance(node, Mapping) else None
        return node if isinstance(node, Mapping) else {}


def read_document(given: Mapping[str, Any] | str, *, yaml_chars_max: int = YAML_CHARS_MAX) -> Document:
    """JSON, YAML, or what was read from it. Raises InvalidConfiguration."""
    value: Any = given
    if isinstance(given, str):
        if len(given) > TEXT_CHARS_MAX:
            raise wrong(f"is larger than {TEXT_CHARS_MAX} characters")
        value = _parsed(given, yaml_chars_max)
    plain = _Plain().value(value, 0)
    if not isinstance(plain, dict):
        raise wrong("is no object")
    return Document(plain)


def wrong(reason: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"{_PARAM}: {reason}", param=_PARAM)


@lru_cache(maxsize=16)
def _parsed(text: str, yaml_chars_max: int) -> Any:
    """Kept for the next time: an integration is read when it is made, and whenever it is opened."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass  # YAML in flow style, or nothing at all
    if len(text) > yaml_chars_max:
        raise wrong(
            f"is YAML of more than {yaml_chars_max} characters: send it as JSON, or import it with the "
            "command line"
        )
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        raise wrong(f"is neither JSON nor YAML{where}") from None
    except (RecursionError, ValueError):
        raise wrong("is neither JSON nor YAML") from None


class _Plain:
    """Copies what YAML gave: keys as text, dates as text, aliases as often as they are used."""

    def __init__(self) -> None:
        self._left = NODES_MAX

    def value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEPTH_MAX:
            raise wrong(f"holds more than {NODES_MAX} values, or nests deeper than {DEPTH_MAX} levels")
        if isinstance(value, Mapping):
            return {_key(key): self.value(member, depth + 1) for key, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(element, depth + 1) for element in value]
        if value is None or isinstance(value, str | int | float | bool):
            return value
        if isinstance(value, date):
            return value.isoformat()
        raise wrong(f"holds a value of a kind that JSON does not know ({type(value).__name__})")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)
