"""Resumable uploads into a folder: each a folder of parts, until they are joined. Runs in threads."""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.storage.local_folder import PRIVATE, Folder, etag_of, steps_of
from adapters.storage.transfer import missing
from application.ports.object_store import UploadedPart, Writing
from domain.errors import InvalidParameters, ToolRefused

UPLOADS_MAX: Final = 1000
PARTS_MAX: Final = 10_000
KEPT_S: Final = 7 * 86_400.0
"""An upload that nobody continued for so long is removed when the next one begins."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_PART: Final = re.compile(r"part-(\d{5})")
_ABOUT: Final = "about.json"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalUploads:
    """Every call raises ObjectNotFound for an upload that is not there, or of another key."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def begin(self, key: str, writing: Writing) -> str:
        """Raises ToolRefused where too many are open."""
        steps_of(key)
        upload_id = secrets.token_hex(16)
        with self._folder.opened(PRIVATE, "uploads", make=True) as uploads:
            os.mkdir(upload_id, 0o700, dir_fd=uploads)
            now_s = os.stat(upload_id, dir_fd=uploads).st_mtime
            if self._forget_old(uploads, now_s) > UPLOADS_MAX:
                os.rmdir(upload_id, dir_fd=uploads)
                raise ToolRefused(f"more than {UPLOADS_MAX} uploads are begun here: complete or abort some")
        about = {"key": key, "content_type": writing.content_type, "metadata": dict(writing.metadata)}
        with self._folder.opened(PRIVATE, "uploads", upload_id) as upload:
            _write(upload, _ABOUT, json.dumps(about).encode())
        return upload_id

    def writing(self, key: str, upload_id: str) -> Writing:
        """As it was begun."""
        with self._opened(key, upload_id) as upload:
            about = _about(upload)
        return Writing(content_type=str(about["content_type"]), metadata=about["metadata"])

    def put_part(self, key: str, upload_id: str, number: int, body: bytes) -> UploadedPart:
        """Raises InvalidParameters for a number that is not the next."""
        with self._opened(key, upload_id) as upload:
            known = len(_parts(upload))
            if not 1 <= number <= min(known + 1, PARTS_MAX):
                raise InvalidParameters(
                    f"part {number} does not follow: {known} parts arrived", param="parameters.part_number"
                )
            incoming = f"incoming-{secrets.token_hex(4)}"
            try:
                _write(upload, incoming, body)
                os.rename(incoming, f"part-{number:05}", src_dir_fd=upload, dst_dir_fd=upload)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(incoming, dir_fd=upload)
            return next(part for part in _parts(upload) if part.number == number)

    def parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        with self._opened(key, upload_id) as upload:
            return _parts(upload)

    def read(self, key: str, upload_id: str, number: int, offset: int, length: int) -> bytes:
        """Bytes of one part."""
        with self._opened(key, upload_id) as upload:
            file = os.open(f"part-{number:05}", _READ, dir_fd=upload)
            try:
                return os.pread(file, length, offset)
            finally:
                os.close(file)

    def remove(self, key: str, upload_id: str) -> None:
        """No error when it is gone already."""
        with contextlib.suppress(FileNotFoundError), self._folder.opened(PRIVATE, "uploads") as uploads:
            if _ID.fullmatch(upload_id) and self._is_of(upload_id, key):
                self._remove(uploads, upload_id)

    def _is_of(self, upload_id: str, key: str) -> bool:
        with self._folder.opened(PRIVATE, "uploads", upload_id) as upload:
            return _about(upload).get("key") == key

    @contextlib.contextmanager
    def _opened(self, key: str, upload_id: str) -> Iterator[int]:
        if not _ID.fullmatch(upload_id):
            raise missing(key, "upload")
        try:
            with self._folder.opened(PRIVATE, "uploads", upload_id) as upload:
                if _about(upload).get("key") != key:
                    raise missing(key, "upload")
                yield upload
        except FileNotFoundError:
            raise missing(key, "upload") from None

    def _forget_old(self, uploads: int, now_s: float) -> int:
        """How many are left."""
        left = 0
        with os.scandir(uploads) as entries:
            for entry in entries:
                if now_s - entry.stat(follow_symlinks=False).st_mtime > KEPT_S:
                    self._remove(uploads, entry.name)
                else:
                    left += 1
        return left

    def _remove(self, uploads: int, upload_id: str) -> None:
        with self._folder.opened(PRIVATE, "uploads", upload_id) as upload, os.scandir(upload) as entries:
            for entry in entries:
                os.unlink(entry.name, dir_fd=upload)
        os.rmdir(upload_id, dir_fd=uploads)


def _parts(upload: int) -> list[UploadedPart]:
    found = []
    with os.scandir(upload) as entries:
        for entry in entries:
            if part := _PART.fullmatch(entry.name):
                about = entry.stat(follow_symlinks=False)
                found.append(UploadedPart(int(part[1]), about.st_size, etag_of(about)))
    return sorted(found)


def _about(upload: int) -> Mapping[str, Any]:
    file = os.open(_ABOUT, _READ, dir_fd=upload)
    try:
        said: Mapping[str, Any] = json.loads(os.read(file, 64 * 1024))
    finally:
        os.close(file)
    return said


def _write(folder: int, name: str, content: bytes) -> None:
    file = os.open(name, _WRITE, 0o600, dir_fd=folder)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)
