"""What ended stops were made for, so that it does not count a second time.

A conversation still begins with what its last stop was made for; without this, lifting that stop would help
for no more than one request. One that is shorter now is another one, or was compacted: there all of it
counts.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_SEPARATOR: Final = "@"


def evidence_of(mark: str, messages: int) -> str:
    """What a stop keeps: what it was made for, and how long the conversation was then."""
    return f"{mark}{_SEPARATOR}{messages}"


class Forgiven:
    """By mark, how many messages of a conversation are forgiven."""

    __slots__ = ("_lengths",)

    def __init__(self, lengths: Mapping[str, int] = MappingProxyType({})) -> None:
        self._lengths = lengths

    @classmethod
    def by(cls, evidence: Iterable[str]) -> "Forgiven":
        """From the evidence of ended stops. What cannot be read forgives nothing."""
        lengths: dict[str, int] = {}
        for text in evidence:
            mark, _, length = text.rpartition(_SEPARATOR)
            if mark and length.isascii() and length.isdigit():
                lengths[mark] = max(lengths.get(mark, 0), int(length))
        return cls(lengths)

    def since(self, mark: str, messages: int) -> int:
        """From which message on it counts, in a conversation of so many."""
        length = self._lengths.get(mark, 0)
        return length if length <= messages else 0


NOTHING_FORGIVEN: Final = Forgiven()
