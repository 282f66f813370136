"""What an edit of a configuration file is, whatever its format."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol


class CannotEdit(Exception):
    """The file is not what its client could read, or has a form that no small edit fits; says why."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""There is no such value, as opposed to a null."""

Path = Sequence[str]


class TextFormat(Protocol):
    """Edits of a text that leave everything else in it as it is, sign for sign.

    Each raises CannotEdit for a text that is not of the format.
    """

    def get(self, text: str, path: Path) -> Any:
        """The value at a path, or MISSING."""
        ...

    def put(self, text: str, path: Path, value: Any) -> str:
        """The text with this value there, and its parents where they were missing."""
        ...

    def drop(self, text: str, path: Path) -> str:
        """The text without it."""
        ...


def fingerprint(value: Any) -> str:
    """Tells whether a value is still the one we wrote, without keeping it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
