"""JMESPath from a configuration: parsed once, and bounded in what it can make of an answer.

The language has no loops, but `[@, @] | [@, @] | …` doubles with each step. So the product of such steps is
bounded before anything runs.
"""

from functools import lru_cache
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from domain.errors import ToolFailed

CHARS_MAX: Final = 4000
GROWTH_MAX: Final = 256
"""How many copies of its input a result can consist of, at most."""
_NODES_MAX: Final = 1000
_MANY: Final = frozenset({"multi_select_list", "multi_select_dict"})


@lru_cache(maxsize=4096)
def expression(text: str) -> Any:
    """A compiled expression. Raises ValueError for what is none, or could make too much of little."""
    if len(text) > CHARS_MAX:
        raise ValueError(f"is longer than {CHARS_MAX} characters")
    try:
        compiled = jmespath.compile(text)
        nodes, growth = _measured(compiled.parsed)
    except JMESPathError as error:
        raise ValueError(f"is no JMESPath: {str(error).splitlines()[0][:200]}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if nodes > _NODES_MAX or growth > GROWTH_MAX:
        raise ValueError("could make too much of an answer: fewer parts, or fewer copies of them")
    return compiled


def found_in(text: str, value: Any) -> Any:
    """What an expression finds. Raises ToolFailed where the answer's types do not fit it."""
    try:
        return expression(text).search(value)
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
        return nodes, max(1, sum(copies for _, copies in measured))
    growth = 1
    for _, copies in measured:
        growth *= copies
    return nodes, min(growth, GROWTH_MAX * 2)
