"""Turning peppers: `<data_dir>/pepper.key` gets another line, and servers that read it follow."""

import fcntl
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.crypto.key_hash import (
    PEPPER_FILE,
    PEPPER_SIZE_BYTES_MIN,
    PepperedKeyHasher,
    Peppers,
    parse_peppers,
)
from adapters.crypto.secret_file import replace_secret
from application.ports.keys import PepperKeeper
from domain.errors import Conflict, InvalidRequest, StoreUnavailable

log = logging.getLogger("interchange")

_LOCK_FILE = ".pepper.lock"


class PepperFile(PepperKeeper):
    """The file of a data directory, and the hasher that works with what it says."""

    def __init__(self, data_dir: Path, hasher: PepperedKeyHasher, peppers: Peppers) -> None:
        """`peppers` are those the hasher began with."""
        self._path = data_dir / PEPPER_FILE
        self._hasher = hasher
        self._from_environment = peppers.told
        self._seen: tuple[int, int, int] | None = None

    def versions(self) -> tuple[int, ...]:
        return self._hasher.versions

    def hashing(self) -> int:
        return self._hasher.newest

    def turn(self) -> int:
        self._refuse_environment()
        with self._alone() as peppers:
            version = max(peppers) + 1
            peppers[version] = secrets.token_bytes(PEPPER_SIZE_BYTES_MIN)
            self._write(Peppers(peppers))
        return version

    def drop(self, version: int) -> None:
        self._refuse_environment()
        with self._alone() as peppers:
            if version == peppers.hashing or version not in peppers:
                raise Conflict(f"pepper {version} is in use or not there", param="version")
            del peppers[version]
            self._write(peppers)

    def look(self) -> None:
        """A file that cannot be read changes nothing; it is told once."""
        state = self._state()
        if self._from_environment or state == self._seen:
            return
        self._seen, before = state, self._hasher.newest
        try:
            self._hasher.use(self._read())
        except (InvalidRequest, StoreUnavailable) as error:
            log.error("the peppers of API keys stay as they were: %s", error.message)
            return
        if self._hasher.newest != before:
            log.warning("API keys are hashed with pepper %d from now on", self._hasher.newest)

    def _refuse_environment(self) -> None:
        if self._from_environment:
            raise Conflict(
                "peppers come from INTERCHANGE_KEY_PEPPER: add '<next version>:<64 hex digits>' there "
                "on every instance, first with a * before the old one, then without; see docs/keys.md",
                param="INTERCHANGE_KEY_PEPPER",
            )

    @contextmanager
    def _alone(self) -> Iterator[Peppers]:
        # Two that add a line at once would lose one of them, and with it every key hashed under it.
        try:
            with (self._path.parent / _LOCK_FILE).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read()
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be kept: {error.strerror or error}") from error

    def _read(self) -> Peppers:
        try:
            return parse_peppers(self._path.read_text("ascii", "replace"), str(self._path))
        except OSError as error:
            raise StoreUnavailable(f"{self._path} cannot be read: {error.strerror or error}") from error

    def _write(self, peppers: Peppers) -> None:
        lines = (f"{version}:{pepper.hex()}\n" for version, pepper in sorted(peppers.items()))
        replace_secret(self._path, "".join(lines).encode())
        self._hasher.use(peppers)
        self._seen = self._state()

    def _state(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
