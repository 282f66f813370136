"""`vault.keys` in the data directory: master keys in a file that only its owner may read.

The file is read again when it changed, so that a rotation in one process is known to its neighbours; ids of
keys tell their rows apart, and whoever reads an unknown one looks once more before refusing.
"""

import asyncio
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from adapters.crypto.keyring import MASTER_KEY_BYTES, Keyring, MasterKey, as_lines, checked, parse_lines
from adapters.crypto.secret_file import replace_secret, write_secret_once
from application.ports.vault import KeyEncryption
from domain.errors import Conflict, NotFound, VaultLocked
from domain.vault.rotation import KeyInfo, KeyList
from domain.vault.secret import SecretBytes

KEYRING_FILE: Final = "vault.keys"
_FILE_BYTES_MAX: Final = 1024 * 1024
LOCK_TRIES_MAX: Final = 250
LOCK_PAUSE_S: Final = 0.02
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_State = tuple[int, int, int]
Result = TypeVar("Result")


class KeyringFile(KeyEncryption):
    """Keys of one machine. Several machines that share a database need one keyring: the environment, AWS
    KMS or Vault.

    `may_create` False: a missing file locks the vault instead of making a new key, under which nothing
    that is stored would open.
    """

    def __init__(self, path: Path, *, may_create: bool, now: Callable[[], datetime]) -> None:
        self._path = path
        self._may_create = may_create
        self._now = now
        self._ring: Keyring | None = None
        self._state: _State | None = None

    async def keys(self) -> KeyList:
        return (await self._current()).list(makes_keys=True)

    async def add_key(self, now: datetime) -> str:
        await self._current()
        return await asyncio.to_thread(self._change, lambda ring: self._with_new(ring, now))

    async def drop_key(self, key_id: str) -> None:
        await asyncio.to_thread(self._change, lambda ring: (_without(ring, key_id), None))

    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        return (await self._knowing(key_id)).wrap(key_id, data_key, context)

    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        return (await self._knowing(key_id)).unwrap(key_id, wrapped, context)

    async def _knowing(self, key_id: str) -> Keyring:
        if self._ring is not None and self._ring.has(key_id):
            return self._ring
        return await self._current()

    async def _current(self) -> Keyring:
        return await asyncio.to_thread(self._look)

    def _look(self) -> Keyring:
        """The keyring as the file has it now. Raises VaultLocked."""
        state = self._stat()
        if state is None:
            if not self._may_create:
                raise VaultLocked(
                    f"{self._path} is not there; put the vault's keyring in its place, or name another "
                    "source of keys"
                )
            made = self._with_new(None, self._now())[0]
            write_secret_once(self._path, as_lines(made))
            state = self._stat()
        ring = self._ring
        if ring is None or state != self._state:
            ring = self._read()
            self._ring, self._state = ring, state
        return ring

    def _stat(self) -> _State | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultLocked(f"{self._path} cannot be read: {error.strerror or error}") from error
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> Keyring:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise VaultLocked(f"{self._path} cannot be read: {error.strerror or error}") from error
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_mode & _OTHERS:
                raise VaultLocked(f"{self._path} must be a file that only its owner may read: chmod 600")
            if found.st_uid not in (os.geteuid(), 0):
                raise VaultLocked(f"{self._path} belongs to somebody else")
            text = file.read(_FILE_BYTES_MAX)
        return parse_lines(text.decode("ascii", "replace"), str(self._path))

    @staticmethod
    def _with_new(ring: Keyring | None, now: datetime) -> tuple[Keyring, str]:
        taken = () if ring is None else ring.keys
        key_id = f"k{now:%Y%m%d}-{secrets.token_hex(4)}"
        made = MasterKey(KeyInfo(key_id, now), SecretBytes(secrets.token_bytes(MASTER_KEY_BYTES)))
        return checked([made, *taken], "keyring"), key_id

    def _change(self, change: Callable[[Keyring], tuple[Keyring, Result]]) -> Result:
        with self._alone():
            ring, result = change(self._read())
            replace_secret(self._path, as_lines(ring))
        self._look()
        return result

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, whichever process it is in; the file itself is always whole."""
        lock = self._path.with_name(f".{self._path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise VaultLocked(f"{lock} cannot be written: {error.strerror or error}") from error
        try:
            for _ in range(LOCK_TRIES_MAX):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(LOCK_PAUSE_S)  # in a thread of its own
            else:
                raise VaultLocked(f"{lock} is held by another process", retry_after_s=1.0)
            yield
        finally:
            os.close(descriptor)


def _without(ring: Keyring, key_id: str) -> Keyring:
    if not ring.has(key_id):
        raise NotFound(f"no key {key_id[:80]!r} among the vault's", param="key_id")
    if ring.keys[0].info.key_id == key_id:
        raise Conflict(f"{key_id} is the key that seals; rotate first")
    return Keyring(tuple(key for key in ring.keys if key.info.key_id != key_id))
