"""What is asked of whatever runs a model. Imports nothing heavy."""

from collections.abc import Sequence
from typing import Protocol

from application.ports.embedder import Vector


class Model(Protocol):
    """What computes. Blocking; called in one thread only."""

    def compute(self, texts: Sequence[Sequence[int]]) -> list[Vector]:
        """One vector for each text's ids."""
        ...
