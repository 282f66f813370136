"""Tools of a server nobody here vouches for, held against what they were when somebody looked.

A description is read by models and believed: one that changes after it was accepted can tell them anything.
So a tool is pinned by all that is said of it, and one that says something else is withheld until a person
has looked again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from domain.connectors.tool import Tool

_DEPTH_MAX = 64


class PinVerdict(NamedTuple):
    """Names of tools. `usable` may be called; `changed` and `new` wait to be accepted; `gone` are pinned and
    not there any more. `digests` are of all that are there."""

    usable: frozenset[str]
    changed: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    digests: Mapping[str, str] = {}

    @property
    def withheld(self) -> tuple[str, ...]:
        return (*self.changed, *self.new)

    @property
    def withheld_digests(self) -> Mapping[str, str]:
        """Of what waits to be accepted: another one where it says something else by now."""
        return {name: self.digests[name] for name in self.withheld}


NOTHING_USABLE = PinVerdict(frozenset(), (), (), ())


def fingerprint(tool: Tool) -> str:
    """SHA-256, hexadecimal, of everything a model is told of a tool. Equal for equal words in every
    process."""
    told = (tool.name, tool.description, _plain(tool.parameters, _DEPTH_MAX), _plain(tool.result, _DEPTH_MAX))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()


def judge(pins: Mapping[str, str], tools: Iterable[Tool], *, allow_new: bool) -> PinVerdict:
    """What of `tools` may be used. Without any pin nothing was looked at yet: all of it counts as new, and
    `allow_new` has no say."""
    usable: set[str] = set()
    changed: list[str] = []
    new: list[str] = []
    there: dict[str, str] = {}
    for tool in tools:
        digest = there[tool.name] = fingerprint(tool)
        pinned = pins.get(tool.name)
        if pinned is None:
            if allow_new and pins:
                usable.add(tool.name)
            else:
                new.append(tool.name)
        elif pinned == digest:
            usable.add(tool.name)
        else:
            changed.append(tool.name)
    gone = tuple(sorted(name for name in pins if name not in there))
    return PinVerdict(frozenset(usable), tuple(sorted(changed)), tuple(sorted(new)), gone, there)


def pins_of(tools: Iterable[Tool]) -> dict[str, str]:
    """Pins of all of them."""
    return {tool.name: fingerprint(tool) for tool in tools}


def _plain(value: Any, levels: int) -> Any:
    """JSON as tuples, members by name, so that its spelling says what it holds and nothing else."""
    if levels == 0:
        return "..."
    if isinstance(value, Mapping):
        return ("{", *((str(key), _plain(value[key], levels - 1)) for key in sorted(value, key=str)))
    if isinstance(value, list | tuple):
        return ("[", *(_plain(each, levels - 1) for each in value))
    return (type(value).__name__, value)
