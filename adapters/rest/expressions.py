"""JMESPath from a configuration: parsed once, and bounded in what it can make of an answer.

The language has no loops, but `[@, @] | [@, @] | …` doubles with each step. So it is bounded before anything
runs how many copies of its input a result can consist of.
"""

from functools import lru_cache
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from domain.errors import ToolFailed

CHARS_MAX: Final = 4000
GROWTH_MAX: Final = 64
"""How many copies of its input a result can consist of, at most."""
MADE_BYTES_MAX: Final = 128 * 1024 * 1024
"""Copies times the size of the answer: what one transformation may come to need."""
_NODES_MAX: Final = 1000
_MANY: Final = frozenset({"multi_select_list", "multi_select_dict"})


class _Expression:
    __slots__ = ("growth", "search")

    def __init__(self, text: str) -> None:
        compiled = jmespath.compile(text)
        nodes, self.growth = _measured(compiled.parsed)
        if nodes > _NODES_MAX or self.growth > GROWTH_MAX:
            raise ValueError("could make too much of an answer: fewer parts, or fewer copies of them")
        self.search = compiled.search


@lru_cache(maxsize=4096)
def expression(text: str) -> _Expression:
    """A compiled expression. Raises ValueError for what is none, or could make too much of little."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"is longer than {CHARS_MAX} characters")
    try:
        return _Expression(text)
    except JMESPathError as error:
        raise ValueError(f"is no JMESPath: {str(error).splitlines()[0][:200]}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def found_in(text: str, value: Any, *, size_bytes: int = 0) -> Any:
    """What an expression finds in a value that was `size_bytes` large. Raises ToolFailed where the answer's
    types do not fit it, and where too much could come of it."""
    compiled = expression(text)
    if size_bytes * compiled.growth > MADE_BYTES_MAX:
        raise ToolFailed("the answer is too large for the integration's JMESPath")
    try:
        return compiled.search(value)
    except (JMESPathError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise ToolFailed(
            f"the answer is not what the integration's JMESPath expects ({type(error).__name__})"
        ) from None


def _measured(node: Any) -> tuple[int, int]:
    """(nodes, bound of copies)."""
    if not isinstance(node, dict):
        return 1, 1
    measured = [_measured(child) for child in node["children"]]
    nodes = 1 + sum(count for count, _ in measured)
    if node["type"] in _MANY:
        return nodes, _many(node["children"], [copies for _, copies in measured])
    growth = 1
    for _, copies in measured:
        growth *= copies
    return nodes, min(growth, GROWTH_MAX * 2)


def _many(children: list[Any], copies: list[int]) -> int:
    """Different members of one object are no copies of each other."""
    by_member: dict[str, int] = {}
    whole = 0
    for child, each in zip(children, copies, strict=True):
        member = _member(child["children"][0] if child["type"] == "key_val_pair" else child)
        if member:
            by_member[member] = by_member.get(member, 0) + each
        else:
            whole += each
    return max(1, whole + max(by_member.values(), default=0))


def _member(node: Any) -> str:
    """`a.b` of an expression that is only that."""
    if node["type"] == "field":
        return str(node["value"])
    if node["type"] == "subexpression":
        parts = [_member(child) for child in node["children"]]
        return ".".join(parts) if all(parts) else ""
    return ""
