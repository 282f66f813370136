"""How a backup lies in its file: a packed tar of what the data directory holds, its manifest last.

    data/journal/…       usage rows that were not in the database, boards of open holds
    data/interchange.db  the embedded database
    data/batches/…       journals of batches that run
    data/files/…         callers' files
    data/vault.manifest  what this machine remembers of the vault
    data/<key file>      only where they were asked for
    manifest.json        everything before with its size and SHA-256, and what was left out

Hashes find damage. They do not prove who wrote it: keep backups where only operators write.
"""

from pathlib import PurePosixPath
from typing import Final

import msgspec

from application.backups import KeyState

FORM: Final = 1
MANIFEST: Final = "manifest.json"
MANIFEST_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
ROOM: Final = "data"
DATABASE: Final = "interchange.db"
PINS: Final = "vault.manifest"
JOURNAL: Final = "journal"
BATCHES: Final = "batches"
FILES: Final = "files"
KEY_FILES: Final = ("vault.keys", "pepper.key", "audit.key", "admin.key")
TOP: Final = frozenset({DATABASE, PINS, JOURNAL, BATCHES, FILES, *KEY_FILES})


class FileRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file; `path` is relative to the data directory."""

    path: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last member. Unknown fields of a later version are left alone; an unknown `form` is refused."""

    form: int
    made_at: str
    version: str
    revision: str | None
    with_database: bool
    keys: dict[str, KeyState]
    files: list[FileRow]


def path_of(member: str) -> PurePosixPath | None:
    """Where in the data directory a member goes; None: it has no business there."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != ROOM:
        return None
    return PurePosixPath(*path.parts[1:]) if path.parts[1] in TOP else None
