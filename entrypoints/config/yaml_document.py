"""A YAML file as plain data, with the line and column of every key and value.

Scalars stay text; which of them is a number or a boolean is decided where the type is known (`sections`, but
for `yaml_scalars`).
That way `off` and `0.10` keep the meaning and the digits they were written with. Plain empty values and
`null` are None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from entrypoints.config.interpolation import bare, interpolate, shield
from entrypoints.config.problems import ConfigPath, ConfigProblem, path_text
from entrypoints.config.yaml_scalars import scalar_at

MAX_VALUES: Final = 200_000
"""Keys and values in one file after aliases are expanded; more is a mistake or an attack."""
MAX_DEPTH: Final = 50
COMPOSED_DEPTH_MAX: Final = 2 * MAX_DEPTH
"""Nothing deeper is read at all: the parser's time grows with the square of what is open on one line."""
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Mark(NamedTuple):
    """A place in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """`keys` and `values` say where each path stands; `interpolated` paths took text from the environment.

    `references` are those whose text has `${…}`, as it was written.
    """

    data: dict[str, Any]
    keys: Mapping[ConfigPath, Mark] = field(default_factory=dict)
    values: Mapping[ConfigPath, Mark] = field(default_factory=dict)
    interpolated: frozenset[ConfigPath] = frozenset()
    references: Mapping[ConfigPath, str] = field(default_factory=dict)
    problems: tuple[ConfigProblem, ...] = ()


def read_yaml(text: str, *, origin: str, environ: Mapping[str, str]) -> YamlDocument:
    """Reads a file's text. Whatever is wrong with it stands in `problems`; nothing raises."""
    try:
        reading = YAML(typ="safe", pure=True)
        reading.Composer = _BoundedComposer
        root = reading.compose(shield(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = None if mark is None else Mark(mark.line + 1, mark.column + 1)
        return _unreadable(origin, f"not valid YAML: {error.problem or error.context}", at)
    except YAMLError as error:
        return _unreadable(origin, f"not valid YAML: {str(error).splitlines()[0]}", None)
    except (_TooDeep, RecursionError):
        return _unreadable(origin, "nested too deeply", None)
    if root is None or (isinstance(root, ScalarNode) and root.value in _NULLS):
        return YamlDocument(data={})
    if not isinstance(root, MappingNode):
        return _unreadable(origin, "the file must be a mapping (key: value)", _mark_of(root))
    reader = _Reader(origin, environ)
    data = reader.mapping(root, (), 0)
    return YamlDocument(
        data=data,
        keys=reader.keys,
        values=reader.values,
        interpolated=frozenset(reader.interpolated),
        references=reader.references,
        problems=tuple(reader.problems),
    )


def _unreadable(origin: str, message: str, mark: Mark | None) -> YamlDocument:
    line, column = (None, None) if mark is None else mark
    problem = ConfigProblem(origin=origin, path="", message=message, line=line, column=column)
    return YamlDocument(data={}, problems=(problem,))


def _mark_of(node: Node, offset: int = 0) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1 + offset)


class _TooDeep(Exception):
    """More is open at once than anybody means."""


class _BoundedComposer(Composer):
    """Stops where nodes lie too deep in each other, before the rest is read."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self._depth > COMPOSED_DEPTH_MAX:
            raise _TooDeep
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    """Walks the node tree once, collecting data, places and problems."""

    def __init__(self, origin: str, environ: Mapping[str, str]) -> None:
        self._origin = origin
        self._environ = environ
        self._left = MAX_VALUES
        self.keys: dict[ConfigPath, Mark] = {}
        self.values: dict[ConfigPath, Mark] = {}
        self.interpolated: set[ConfigPath] = set()
        self.references: dict[ConfigPath, str] = {}
        self.problems: list[ConfigProblem] = []

    def mapping(self, node: MappingNode, path: ConfigPath, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._report(path, "keys must be plain text", _mark_of(key_node))
                continue
            key = bare(str(key_node.value))
            if key == "<<":
                merged.append(value_node)
                continue
            inner = (*path, key)
            if key in data:
                first = self.keys[inner].line
                self._report(inner, f"given twice; first on line {first}", _mark_of(key_node))
                continue
            self.keys[inner] = _mark_of(key_node)
            data[key] = self.value(value_node, inner, depth + 1)
        for node_to_merge in merged:
            self._merge(data, node_to_merge, path, depth)
        return data

    def _merge(self, data: dict[str, Any], node: Node, path: ConfigPath, depth: int) -> None:
        """`<<`: what is said in place wins over what is merged in."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode):
                self._report(path, "`<<` takes a mapping or a list of mappings", _mark_of(node))
                continue
            own = MappingNode(
                source.tag,
                [(k, v) for k, v in source.value if str(k.value) not in data],
                source.start_mark,
                source.end_mark,
            )
            data.update(self.mapping(own, path, depth + 1))

    def value(self, node: Node, path: ConfigPath, depth: int) -> Any:
        self.values[path] = _mark_of(node)
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            limit = f"more than {MAX_VALUES} values" if self._left < 0 else f"nested deeper than {MAX_DEPTH}"
            if self._left >= -1:
                self._report(path, limit, _mark_of(node))
            return None
        if not str(node.tag).startswith("tag:yaml.org,2002:"):
            self._report(path, f"the tag {node.tag} is not supported", _mark_of(node))
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _scalar(self, node: ScalarNode, path: ConfigPath) -> str | int | float | bool | None:
        text = bare(str(node.value))
        plain = node.style is None
        if plain and text in _NULLS:
            return None
        result = interpolate(text, self._environ)
        for bad in result.problems:
            one_line = node.style not in ("|", ">") and node.start_mark.line == node.end_mark.line
            offset = bad.offset + (0 if plain else 1) if one_line else 0
            self._report(path, bad.message, _mark_of(node, offset))
        if result.names:
            self.interpolated.add(path)
            self.references[path] = text
            if plain and not result.text:
                return None
        return scalar_at(path, result.text) if plain else result.text

    def _report(self, path: ConfigPath, message: str, mark: Mark) -> None:
        self.problems.append(
            ConfigProblem(
                origin=self._origin,
                path=path_text(path),
                message=message,
                line=mark.line,
                column=mark.column,
            )
        )
