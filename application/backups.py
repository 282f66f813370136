"""What a backup holds, as commands tell it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class KeyState(StrEnum):
    """What became of a key file in a backup."""

    INCLUDED = "included"
    LEFT_OUT = "left out"
    """It is in the data directory, and was not asked for."""
    NOT_THERE = "not there"
    """The data directory has none: not made yet, or kept elsewhere."""


class BackupTold(NamedTuple):
    """What was written, or what was restored."""

    made_at: str
    """ISO 8601, UTC: when it began. What was finished before is in it."""
    version: str
    """The version of Interchange that wrote it."""
    revision: str | None
    """Of the database's schema; None: it could not be asked."""
    with_database: bool
    keys: Mapping[str, KeyState]
    """By the file's name."""
    files: int
    size_bytes: int
    """Of what is in it, before it is packed."""
