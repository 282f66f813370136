"""Writing a backup of the data directory while servers work in it.

The order makes it one state that a sudden death could have left, so that starting on it is the recovery that
every start does (docs/handbook.md):

1. boards of open holds, before the rows that end them: a hold whose row follows is settled by the row;
2. journals, before the database: a row that moves meanwhile is in both, and counted once by its id;
3. the database, as of one moment;
4. journals of batches, after it, through descriptors opened before: no line that was answered is sent again;
5. files last: whatever the database names is there.
"""

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from adapters.disk.backup_form import (
    BATCHES,
    DATABASE,
    FILES,
    FORM,
    JOURNAL,
    KEY_FILES,
    MANIFEST,
    PINS,
    ROOM,
    FileRow,
    Manifest,
)
from adapters.disk.board_format import BOARD_FILE, GROUPS_FILE
from application.backups import BackupTold, KeyState
from domain.errors import Conflict, StoreUnavailable

_LEVEL: Final = 3
"""Of packing: half of what is kept is text, and the machine has other work."""
_BOARDS: Final = (BOARD_FILE, GROUPS_FILE)


class BackupSource(NamedTuple):
    """What to back up. `database` copies the embedded one to a path; None: it is left out."""

    data_dir: Path
    database: Callable[[Path], None] | None
    revision: str | None
    keys: Mapping[str, Path]
    """Where the key files are, by their names in `KEY_FILES`."""
    with_keys: bool


def write_backup(target: Path, source: BackupSource, *, made_at: str, version: str) -> BackupTold:
    """Writes `target`, mode 0600, whole or not at all. Blocks. Needs room beside it for the database.

    Raises:
        Conflict: `target` is there already.
        StoreUnavailable: something cannot be read or written, or the database is damaged.
    """
    if target.exists():
        raise Conflict(f"{target} is there already, and is not overwritten")
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as folder:
            draft = Path(folder) / "draft"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                told = _pack(file, Path(folder), source, made_at, version)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, target)  # unlike renaming, this never replaces what somebody made meanwhile
            _sync(target.absolute().parent)
    except FileExistsError as error:
        raise Conflict(f"{target} is there already, and is not overwritten") from error
    except (OSError, tarfile.TarError) as error:
        raise StoreUnavailable(f"the backup {target} cannot be written: {error}") from error
    return told


def _pack(file: BinaryIO, folder: Path, source: BackupSource, made_at: str, version: str) -> BackupTold:
    with (
        gzip.GzipFile("", "wb", _LEVEL, file) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ExitStack() as open_files,
    ):
        archive = _Archive(tar)
        keys = _put_keys(archive, source)
        archive.put_path(PINS, source.data_dir / PINS)
        _put_journal(archive, source.data_dir / JOURNAL)
        batches = {
            name: open_files.enter_context(opened)
            for name, path in _below(source.data_dir / BATCHES, BATCHES)
            if (opened := _opened(path)) is not None
        }
        if source.database is not None:
            copy = folder / DATABASE
            source.database(copy)
            archive.put_path(DATABASE, copy)
            copy.unlink()
        for name, opened in batches.items():
            archive.put(name, opened)
        for name, path in _below(source.data_dir / BATCHES, BATCHES):
            if name not in batches:
                archive.put_path(name, path)
        for name, path in _below(source.data_dir / FILES, FILES):
            archive.put_path(name, path)
        manifest = Manifest(
            form=FORM,
            made_at=made_at,
            version=version,
            revision=source.revision,
            with_database=source.database is not None,
            keys=keys,
            files=archive.rows,
        )
        archive.put_manifest(msgspec.json.encode(manifest))
    return told_of(manifest)


def told_of(manifest: Manifest) -> BackupTold:
    """The manifest without its list."""
    return BackupTold(
        made_at=manifest.made_at,
        version=manifest.version,
        revision=manifest.revision,
        with_database=manifest.with_database,
        keys=manifest.keys,
        files=len(manifest.files),
        size_bytes=sum(row.size_bytes for row in manifest.files),
    )


class _Archive:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self.rows: list[FileRow] = []
        self._tar = tar

    def put_path(self, name: str, path: Path) -> bool:
        """Whether it was there: what ended meanwhile is in the database, or nobody's any more."""
        opened = _opened(path)
        if opened is None:
            return False
        with opened:
            self.put(name, opened)
        return True

    def put(self, name: str, file: BinaryIO) -> None:
        """As long as it is now; what is added meanwhile is left to a later backup."""
        size_bytes = os.fstat(file.fileno()).st_size
        hashed = _Hashed(file)
        self._tar.addfile(_member(f"{ROOM}/{name}", size_bytes), hashed)
        self.rows.append(FileRow(path=name, size_bytes=size_bytes, sha256=hashed.digest.hexdigest()))

    def put_manifest(self, text: bytes) -> None:
        self._tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))


class _Hashed(io.RawIOBase):
    """Reads on, and digests what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _put_keys(archive: _Archive, source: BackupSource) -> dict[str, KeyState]:
    states = {}
    for name in KEY_FILES:
        path = source.keys[name]
        if not path.is_file():
            states[name] = KeyState.NOT_THERE
        elif source.with_keys and archive.put_path(name, path):
            states[name] = KeyState.INCLUDED
        else:
            states[name] = KeyState.LEFT_OUT
    return states


def _put_journal(archive: _Archive, folder: Path) -> None:
    boards = [entry for entry in _below(folder, JOURNAL) if entry[1].name in _BOARDS]
    for name, path in boards:
        archive.put_path(name, path)
    put = {name for name, _ in boards}
    for name, path in _below(folder, JOURNAL):
        if name not in put:
            archive.put_path(name, path)


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Files below a folder with their names in the backup, in order; drafts (`.new…`) are nobody's yet."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        inner = Path(place).relative_to(folder)
        for each in sorted(files):
            if not each.startswith("."):
                yield (Path(name) / inner / each).as_posix(), Path(place) / each


def _opened(path: Path) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        return path.open("rb")
    return None


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    member.mode = 0o600
    return member


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
