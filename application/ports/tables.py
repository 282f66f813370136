"""Writing tables as files of some format, piece by piece.

Failure policy: pure work on bytes; nothing outside can fail.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.analytics.table import Column


class TableWriter(Protocol):
    """One table. Order of life: `rows` any number of times, `end` once; their bytes follow each other."""

    @property
    @abstractmethod
    def media_type(self) -> str: ...

    @abstractmethod
    def rows(self, rows: Sequence[Sequence[object]]) -> bytes:
        """Some rows, whose values are as their columns say. May hold bytes back until later."""
        ...

    @abstractmethod
    def end(self) -> bytes:
        """What is still held back."""
        ...


class TableFormats(Protocol):
    @abstractmethod
    def writer(self, name: str, columns: Sequence[Column]) -> TableWriter:
        """A new table in the format of that name.

        Raises:
            InvalidRequest: no such format, or what it needs is not installed; says which it is.
        """
        ...
