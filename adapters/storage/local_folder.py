"""A folder that nothing leads out of: every step of a path is opened from the one before, and no link is
followed. What blocks here runs in threads of `adapters.storage.local`.

<root>/<key>                                          objects, as plain files
<root>/.interchange/incoming/<random>                 on their way
<root>/.interchange/about/<key's hash>/<file>.json    type, metadata and digest of that very file
<root>/.interchange/uploads/<id>/                     resumable uploads
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.storage.transfer import missing
from domain.errors import IntegrationUnavailable, InvalidParameters, ToolRefused

PRIVATE: Final = ".interchange"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME_BYTES_MAX: Final = 255
_ABOUT_BYTES_MAX: Final = 16 * 1024
LEFT_OVER_S: Final = 86_400.0
"""How old what is on its way gets before it counts as left by a crash."""


class Place(NamedTuple):
    """Where a key leads: an open folder and a name in it."""

    folder: int
    name: str


class Folder:
    """`root` was resolved, and allowed by the operator."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def opened(self, *steps: str, make: bool = False) -> Iterator[int]:
        """A folder below the root. Raises FileNotFoundError, ToolRefused for what is no folder."""
        try:
            current = os.open(self.root, _FOLDER)
        except OSError as error:
            raise IntegrationUnavailable(f"the folder cannot be opened: {error.strerror}") from None
        try:
            for step in steps:
                current = self._down(current, step, make)
            yield current
        finally:
            os.close(current)

    @staticmethod
    def _down(current: int, step: str, make: bool) -> int:
        """The folder of that name; closes the one it came from, unless it fails."""
        if step in ("", ".", "..") or "/" in step:
            raise ToolRefused("the key leads out of the folder", param="parameters.key")
        try:
            try:
                below = os.open(step, _FOLDER, dir_fd=current)
            except FileNotFoundError:
                if not make:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, 0o700, dir_fd=current)
                below = os.open(step, _FOLDER, dir_fd=current)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise ToolRefused(f"{step[:80]!r} is no folder here") from None
            raise
        os.close(current)
        return below

    @contextlib.contextmanager
    def place(self, key: str, *, make: bool = False) -> Iterator[Place]:
        """Raises FileNotFoundError, ToolRefused, InvalidParameters."""
        *steps, name = steps_of(key)
        with self.opened(*steps, make=make) as folder:
            yield Place(folder, name)

    def open_file(self, key: str) -> tuple[int, os.stat_result]:
        """An object for reading. Raises ObjectNotFound."""
        try:
            with self.place(key) as place:
                file = os.open(place.name, _FILE, dir_fd=place.folder)
        except FileNotFoundError:
            raise missing(key) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ToolRefused(f"{key[:200]!r} is a link; links are not followed") from None
            if error.errno in (errno.ENXIO, errno.ENOTDIR):
                raise missing(key) from None
            raise
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise missing(key)
        return file, found

    def stat_of(self, key: str) -> os.stat_result | None:
        """Of an object; None: there is none."""
        try:
            with self.place(key) as place:
                found = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time, in all processes of this machine."""
        with self.opened(PRIVATE, make=True) as folder:
            lock = os.open(
                "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
            )
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def new_file(self) -> tuple[int, str]:
        """A file that nobody sees yet, and its name among what is incoming."""
        name = secrets.token_hex(12)
        with self.opened(PRIVATE, "incoming", make=True) as folder:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(name, flags, 0o600, dir_fd=folder), name

    def discard(self, name: str) -> None:
        """Of what is incoming."""
        with contextlib.suppress(OSError), self.opened(PRIVATE, "incoming") as folder:
            os.unlink(name, dir_fd=folder)

    def sweep(self) -> None:
        """Removes what a crash left on its way."""
        file, name = self.new_file()
        now_s = os.fstat(file).st_mtime
        os.close(file)
        self.discard(name)
        with self.opened(PRIVATE, "incoming") as folder, os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if now_s - entry.stat(follow_symlinks=False).st_mtime > LEFT_OVER_S:
                        os.unlink(entry.name, dir_fd=folder)

    def put_in_place(self, name: str, key: str, about: Mapping[str, Any], *, only_if_absent: bool) -> None:
        """Makes an incoming file the object. Call it locked. Raises FileExistsError, IsADirectoryError."""
        with self.opened(PRIVATE, "incoming") as incoming, self.place(key, make=True) as place:
            found = os.stat(name, dir_fd=incoming, follow_symlinks=False)
            self._write_about(key, found, about)
            if only_if_absent:
                os.link(name, place.name, src_dir_fd=incoming, dst_dir_fd=place.folder, follow_symlinks=False)
                os.unlink(name, dir_fd=incoming)
            else:
                os.rename(name, place.name, src_dir_fd=incoming, dst_dir_fd=place.folder)
            os.fsync(place.folder)
        self._forget_about(key, besides=found)

    def remove(self, key: str) -> None:
        """An object, and folders that it leaves empty. Call it locked. No error when it is gone."""
        steps = steps_of(key)
        with contextlib.suppress(FileNotFoundError), self.place(key) as place:
            if self.stat_of(key) is not None:
                os.unlink(place.name, dir_fd=place.folder)
                os.fsync(place.folder)
        self._forget_about(key, besides=None)
        for depth in range(len(steps) - 1, 0, -1):
            try:
                with self.opened(*steps[: depth - 1]) as folder:
                    os.rmdir(steps[depth - 1], dir_fd=folder)
            except (OSError, ToolRefused):
                break

    def about(self, key: str, found: os.stat_result) -> Mapping[str, Any]:
        """What was said of that very file when it was written; nothing of one that others wrote."""
        try:
            with self.opened(PRIVATE, "about", _hash(key)) as folder:
                file = os.open(_about_name(found), _FILE, dir_fd=folder)
            try:
                said = json.loads(os.read(file, _ABOUT_BYTES_MAX))
            finally:
                os.close(file)
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _write_about(self, key: str, found: os.stat_result, about: Mapping[str, Any]) -> None:
        with self.opened(PRIVATE, "about", _hash(key), make=True) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(_about_name(found), flags, 0o600, dir_fd=folder)
            try:
                os.write(file, json.dumps(about).encode())
                os.fsync(file)
            finally:
                os.close(file)

    def _forget_about(self, key: str, besides: os.stat_result | None) -> None:
        kept = None if besides is None else _about_name(besides)
        with contextlib.suppress(FileNotFoundError):
            with self.opened(PRIVATE, "about", _hash(key)) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name != kept:
                        os.unlink(entry.name, dir_fd=folder)
            if kept is None:
                with self.opened(PRIVATE, "about") as folder:
                    os.rmdir(_hash(key), dir_fd=folder)


def steps_of(key: str) -> list[str]:
    """Raises ToolRefused for what is ours, InvalidParameters for a name no file can have."""
    steps = key.split("/")
    if steps[0].lower() == PRIVATE:
        raise ToolRefused(f"keys below {PRIVATE} are kept for Interchange", param="parameters.key")
    for step in steps:
        if step in ("", ".", "..") or "\0" in step:
            raise ToolRefused("the key leads out of the folder", param="parameters.key")
        if len(step.encode()) > _NAME_BYTES_MAX:
            raise InvalidParameters(
                f"each part of a key may be {_NAME_BYTES_MAX} bytes long on a disk", param="parameters.key"
            )
    return steps


def etag_of(found: os.stat_result) -> str:
    """Another one for every file, and for every change of one."""
    return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _about_name(found: os.stat_result) -> str:
    return f"{etag_of(found)}.json"
