"""How well two texts cover each other, word by word: what one vector for each text cannot tell.

Failure policy: open; without these numbers a pair is judged by the rest of its features.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.caching.alignment import Alignment


class PairReader(Protocol):
    @abstractmethod
    async def align(self, pairs: Sequence[tuple[str, str]]) -> list[Alignment]:
        """One for each pair (new, kept). Works beside the event loop; what was read lately is remembered.

        Raises StoreUnavailable: the model is not there, a text is longer than it reads, or too many wait.
        """
        ...
