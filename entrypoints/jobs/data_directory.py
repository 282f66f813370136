"""The data directory's lock: one supervisor at a time, for as long as it lives."""

import fcntl
import os
from pathlib import Path
from typing import Self


class DataDirectoryInUse(Exception):
    """Another supervisor holds it; `pid` is that process, where it said so."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{who} already runs on the data directory {path}; stop it, or set INTERCHANGE_DATA_DIR"
        )
        self.pid = pid


class DataDirectoryLock:
    """Held from `acquire` to `release` or the end of the process; the system frees it after a kill."""

    def __init__(self, path: Path) -> None:
        self._folder = path
        self._file = path / "supervisor.lock"
        self._descriptor: int | None = None

    def acquire(self) -> Self:
        """Makes the directory, for its owner only, and takes the lock.

        Raises:
            DataDirectoryInUse: somebody else has it.
            OSError: the directory cannot be made or written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataDirectoryInUse(self._folder, int(text) if text.isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
