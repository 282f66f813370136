"""How often one place of a value may have to be looked at to hold it against a JSON Schema.

References make schemas graphs, and who validates walks every way through them: twenty definitions that each
name the next one twice make a million ways out of one kilobyte, and nothing stops the walk once it began.
So the ways are counted before anything is compared, for schemas come from servers nobody vouches for.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

LOOKS_MAX: Final = 1000
"""At one place and above it, on the way from the root."""
NODES_MAX: Final = 5000
CLOSURES_MAX: Final = 30_000
"""All that is looked at for one place, of all places together: what counting itself may take."""
DEPTH_MAX: Final = 128
"""As deep as JSON from callers may be."""
_HERE: Final = ("allOf", "anyOf", "oneOf")
_HERE_ONE: Final = ("not", "if", "then", "else")
_EVERY_MEMBER: Final = ("additionalProperties", "unevaluatedProperties")
_EVERY_ELEMENT: Final = ("items", "contains", "additionalItems", "unevaluatedItems")
_OTHER_WAYS: Final = ("$dynamicRef", "$recursiveRef")
_MEMBER: Final = "{}"
_ELEMENT: Final = "[]"
_NAME: Final = "name"


class TooManyWays(ValueError):
    """A schema that leads into itself at one place, or to one place in too many ways."""


class _Node(NamedTuple):
    here: Sequence[int]
    """Schemas of the same place."""
    below: Sequence[tuple[str, int]]
    """(which members or elements, schema)"""


def depth_allowed(schema: Any) -> int | None:
    """How deep a value may be nested for this schema; None: as deep as any.

    Raises TooManyWays, also for references that cannot be followed.
    """
    if not isinstance(schema, Mapping):
        return None
    nodes = _Graph(schema).nodes
    looks = _looks_here(nodes)
    if max(looks) > LOOKS_MAX:
        raise TooManyWays("its references lead to one place in too many ways")
    below = [_below(each, nodes) for each in _closures(nodes)]
    ways = looks
    for depth in range(1, DEPTH_MAX + 1):
        deeper = [
            looks[index] + max((sum(n * ways[to] for to, n in each.items()) for each in labels), default=0)
            for index, labels in enumerate(below)
        ]
        if deeper[0] > LOOKS_MAX:
            return depth - 1
        # What lies above the bound anywhere is never reached within it; numbers need not grow further.
        deeper = [min(each, LOOKS_MAX + 1) for each in deeper]
        if deeper == ways:
            return None
        ways = deeper
    return None


def depth_of(value: Any, most: int) -> int:
    """How deep a value is nested; `most` + 1 for everything deeper."""
    level, depth = [value], 0
    while level and depth <= most:
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        depth += bool(level)
    return depth


class _Graph:
    """The schema as numbered nodes; the root is 0."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._numbers: dict[int, int] = {}
        self._found: list[Mapping[str, Any]] = []
        self.nodes: list[_Node] = []
        self._number(root)
        while len(self.nodes) < len(self._found):
            schema = self._found[len(self.nodes)]
            self.nodes.append(_Node(tuple(self._here(schema)), tuple(self._below(schema))))

    def _number(self, schema: Any) -> int:
        known = self._numbers.get(id(schema))
        if known is None:
            if len(self._found) >= NODES_MAX:
                raise TooManyWays(f"it has more than {NODES_MAX} parts")
            if schema is not self._root and isinstance(schema.get("$id"), str):
                raise TooManyWays("a part of it has an $id of its own")
            known = self._numbers[id(schema)] = len(self._found)
            self._found.append(schema)
        return known

    def _here(self, schema: Mapping[str, Any]) -> Iterator[int]:
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._numbers_of(self._at(reference))
        if any(key in schema for key in _OTHER_WAYS):
            raise TooManyWays("references that depend on the way are not followed")
        for key in _HERE:
            yield from self._numbers_of(*_listed(schema.get(key)))
        for key in _HERE_ONE:
            yield from self._numbers_of(schema.get(key))
        for key in ("dependentSchemas", "dependencies"):
            yield from self._numbers_of(*_values(schema.get(key)))

    def _below(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
        named = schema.get("properties")
        if isinstance(named, Mapping):
            for name, each in named.items():
                yield from ((f".{name}", number) for number in self._numbers_of(each))
        for each in _values(schema.get("patternProperties")):
            yield from ((_MEMBER, number) for number in self._numbers_of(each))
        for key in _EVERY_MEMBER:
            yield from ((_MEMBER, number) for number in self._numbers_of(schema.get(key)))
        for key in _EVERY_ELEMENT:
            found = schema.get(key)
            for each in _listed(found) if isinstance(found, list) else (found,):
                yield from ((_ELEMENT, number) for number in self._numbers_of(each))
        for each in _listed(schema.get("prefixItems")):
            yield from ((_ELEMENT, number) for number in self._numbers_of(each))
        yield from ((_NAME, number) for number in self._numbers_of(schema.get("propertyNames")))

    def _numbers_of(self, *schemas: Any) -> Iterator[int]:
        for each in schemas:
            if isinstance(each, Mapping):
                yield self._number(each)

    def _at(self, reference: str) -> Any:
        own = self._root.get("$id")
        path = reference.removeprefix(own) if isinstance(own, str) and own else reference
        if not path.startswith("#"):
            raise TooManyWays(f"the reference {reference[:80]!r} leads out of it")
        path = unquote(path[1:])
        if path and not path.startswith("/"):
            raise TooManyWays(f"the reference {reference[:80]!r} is no path")
        at: Any = self._root
        for step in path.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(at, Mapping) and step in at:
                at = at[step]
            elif isinstance(at, list) and step.isdecimal() and int(step) < len(at):
                at = at[int(step)]
            else:
                raise TooManyWays(f"the reference {reference[:80]!r} leads nowhere")
        return at


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _values(value: Any) -> Sequence[Any]:
    return tuple(value.values()) if isinstance(value, Mapping) else ()


def _in_order(nodes: Sequence[_Node]) -> list[int]:
    """Each after all that it names for the same place. Raises TooManyWays for a circle."""
    order: list[int] = []
    state = [0] * len(nodes)
    for start in range(len(nodes)):
        if state[start]:
            continue
        state[start] = 1
        pending = [(start, iter(nodes[start].here))]
        while pending:
            node, inner = pending[-1]
            following = next(inner, None)
            if following is None:
                pending.pop()
                state[node] = 2
                order.append(node)
            elif state[following] == 1:
                raise TooManyWays("it refers to itself at one place")
            elif not state[following]:
                state[following] = 1
                pending.append((following, iter(nodes[following].here)))
    return order


def _looks_here(nodes: Sequence[_Node]) -> list[int]:
    looks = [1] * len(nodes)
    for node in _in_order(nodes):
        looks[node] = min(1 + sum(looks[each] for each in nodes[node].here), LOOKS_MAX + 1)
    return looks


def _closures(nodes: Sequence[_Node]) -> list[Mapping[int, int]]:
    """What is looked at for the same place as each node, and how often."""
    found: list[Mapping[int, int]] = [{}] * len(nodes)
    size = 0
    for node in _in_order(nodes):
        times: dict[int, int] = defaultdict(int)
        times[node] = 1
        for each in nodes[node].here:
            for other, count in found[each].items():
                times[other] += count
        found[node] = times
        size += len(times)
        if size > CLOSURES_MAX:
            raise TooManyWays("its references lead to the same places over and over")
    return found


def _below(closure: Mapping[int, int], nodes: Sequence[_Node]) -> list[Mapping[int, int]]:
    """Of one node: for each kind of place right below, which schemas look at it, and how often."""
    by_label: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for node, count in closure.items():
        for label, to in nodes[node].below:
            by_label[label][to] += count
    every = by_label.get(_MEMBER)
    if every:
        for label, times in by_label.items():
            if label.startswith("."):
                for to, count in every.items():
                    times[to] += count
    return list(by_label.values())
