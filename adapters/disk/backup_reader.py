"""Restoring a backup into an empty directory: everything is hashed and compared before anything is used."""

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import msgspec

from adapters.disk.backup_form import (
    DATABASE,
    FORM,
    MANIFEST,
    MANIFEST_SIZE_BYTES_MAX,
    FileRow,
    Manifest,
    path_of,
)
from adapters.disk.backup_writer import told_of
from application.backups import BackupTold
from domain.errors import InvalidRequest, StoreUnavailable

PART: Final = ".restoring"
_CHUNK_SIZE_BYTES: Final = 1024 * 1024


def restore_backup(file: Path, into: Path, check: Callable[[BackupTold], None]) -> BackupTold:
    """Puts what `file` holds into `into`, which is there, empty, and locked by the caller. Blocks.

    `check` sees what it is before any of it is put in place, and may raise. On any error `into` is as before.

    Raises:
        InvalidRequest: not a backup, or one that is damaged.
        StoreUnavailable: it cannot be read, or there is no room.
    """
    part = into / PART
    try:
        part.mkdir(mode=0o700)
        manifest = _unpacked(file, part)
        told = told_of(manifest)
        check(told)
        # The database last: without it a directory that was cut off here is none that a server starts on.
        for each in sorted(part.iterdir(), key=lambda path: (path.name == DATABASE, path.name)):
            each.rename(into / each.name)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise InvalidRequest(f"{file} is not a backup, or is damaged: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be restored: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return told


def _unpacked(file: Path, part: Path) -> Manifest:
    found: dict[str, FileRow] = {}
    manifest: Manifest | None = None
    with gzip.open(file) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is None or manifest is not None:
                raise InvalidRequest(f"{file} holds {member.name!r}, which no backup does")
            if member.name == MANIFEST:
                manifest = _manifest(file, member.size, content)
                continue
            path = path_of(member.name)
            if path is None or path.as_posix() in found:
                raise InvalidRequest(f"{file} holds {member.name!r}, which no backup does")
            found[path.as_posix()] = _put(part, path.as_posix(), content)
        while packed.read(_CHUNK_SIZE_BYTES):
            pass  # to its end, where the checksum over all of it is
    if manifest is None:
        raise InvalidRequest(f"{file} ends too early: it has no manifest")
    _compare(file, {row.path: row for row in manifest.files}, found)
    return manifest


def _manifest(file: Path, size_bytes: int, content: IO[bytes]) -> Manifest:
    if size_bytes > MANIFEST_SIZE_BYTES_MAX:
        raise InvalidRequest(f"the manifest of {file} is too large: {size_bytes} bytes")
    try:
        manifest = msgspec.json.decode(content.read(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"the manifest of {file} cannot be read: {error}") from error
    if manifest.form != FORM:
        raise InvalidRequest(
            f"{file} was written by a newer version ({manifest.version}) in form {manifest.form}; this one "
            f"reads form {FORM}"
        )
    return manifest


def _put(part: Path, path: str, content: IO[bytes]) -> FileRow:
    target = part / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size_bytes = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK_SIZE_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return FileRow(path=path, size_bytes=size_bytes, sha256=digest.hexdigest())


def _compare(file: Path, listed: dict[str, FileRow], found: dict[str, FileRow]) -> None:
    for path in sorted(listed.keys() | found.keys()):
        if listed.get(path) != found.get(path):
            what = "is missing" if path not in found else "is not listed" if path not in listed else "changed"
            raise InvalidRequest(f"{file} is damaged: {path} {what}")
