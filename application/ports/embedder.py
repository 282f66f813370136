"""Texts as vectors. Failure policy: open; without vectors only exact answers are found."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

Vector = bytes
"""Little-endian float32 numbers of unit length."""


class Embedder(Protocol):
    """`id` names model and precision, such as `minilm-l6-v2/int8`: vectors of different ids are never
    compared. `tokens_max` is how much of a text it reads; longer ones must not be embedded."""

    id: str
    dimensions: int
    tokens_max: int

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text. Works beside the event loop; equal texts are computed once.

        Raises StoreUnavailable: the model is not there, or too many wait for it already.
        """
        ...

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """How many pieces the model sees; the work is bounded for any text."""
        ...

    @abstractmethod
    async def aclose(self) -> None: ...
