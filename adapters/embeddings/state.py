"""What a model makes of a text, and what is asked of whatever runs it. Imports nothing heavy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from adapters.embeddings.wordpiece import Reading
from domain.caching.alignment import Alignment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class State(NamedTuple):
    """What the model made of one text. `pieces`: a row for each id, in half precision."""

    vector: bytes
    pieces: "NDArray[np.float16]"


ReadText = tuple[Reading, State]


class Model(Protocol):
    """What computes. Blocking; called in one thread only."""

    def compute(self, texts: Sequence[Sequence[int]]) -> list[State]:
        """One state for each text's ids."""
        ...

    def align(self, pairs: Sequence[tuple[ReadText, ReadText]]) -> list[Alignment]:
        """One for each pair (new, kept)."""
        ...
