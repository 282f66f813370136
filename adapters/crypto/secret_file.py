"""Small secrets in files that only their owner may read: written whole or not at all."""

import os
import secrets
from pathlib import Path

from domain.errors import StoreUnavailable


def write_secret_once(path: Path, content: bytes) -> bytes:
    """Writes `content` unless the file exists, and returns what the file holds then.

    Several processes may try at once: one wins, the others read the winner's. The content is on the
    disk before its name appears, so nobody ever reads half of it.

    Raises:
        StoreUnavailable: the directory or the file cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = _written_draft(path, content)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
            _sync_directory(path.parent)
        return path.read_bytes()
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be kept: {error.strerror or error}") from error


def replace_secret(path: Path, content: bytes) -> None:
    """Puts `content` in the place of whatever the file held. Raises StoreUnavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _written_draft(path, content).replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be kept: {error.strerror or error}") from error


def _written_draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return draft


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
