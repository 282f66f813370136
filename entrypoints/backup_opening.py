"""Backups of this installation: what is backed up from where, and what is left to PostgreSQL's own tools."""

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from adapters.disk.backup_reader import restore_backup
from adapters.disk.backup_writer import BackupSource, write_backup
from adapters.sql.online_copy import copy_database
from adapters.sql.postgres_url import is_postgres
from adapters.sql.schema import SCHEMA_HEAD
from adapters.sql.upgrade import current
from application.backups import BackupTold
from domain.errors import InvalidRequest, NotFound, StoreUnavailable
from entrypoints.jobs.data_directory import DataDirectoryInUse, DataDirectoryLock
from entrypoints.settings import LoadedSettings
from entrypoints.version import version

LOCK_FILE: Final = "supervisor.lock"
IGNORED: Final = frozenset({LOCK_FILE, "lost+found"})
"""What an empty directory may hold: a mounted volume has the second."""


class Backups:
    """What `interchange backup` works with; opens nothing before it is asked to."""

    def __init__(
        self,
        loaded: LoadedSettings,
        url: str,
        now: datetime,
        entering: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._settings = loaded.settings
        self._url = url
        self._now = now
        self._entering = entering

    @property
    def elsewhere(self) -> str | None:
        """The command that backs up a database on a server of its own; None: it is the embedded one."""
        return dump_command(self._url) if is_postgres(self._url) else None

    def write(
        self, target: Path, *, with_keys: bool, with_database: bool, say: Callable[[str], None]
    ) -> BackupTold:
        """Writes the backup, and enters it in the audit trail where there is one at this schema.

        Raises NotFound where nothing is stored, Conflict where `target` exists, StoreUnavailable.
        """
        data_dir = self._settings.data_dir
        if not data_dir.is_dir():
            raise NotFound(f"nothing is stored yet: there is no {data_dir}")
        revision = self._revision(with_database, say)
        source = BackupSource(
            data_dir=data_dir,
            database=partial(copy_database, self._url) if with_database else None,
            revision=revision,
            keys={
                "vault.keys": self._settings.vault.key_file or data_dir / "vault.keys",
                "pepper.key": data_dir / "pepper.key",
                "audit.key": data_dir / "audit.key",
                "admin.key": self._settings.key_file,
            },
            with_keys=with_keys,
        )
        write = partial(
            write_backup, target, source, made_at=self._now.astimezone(UTC).isoformat(), version=version()
        )
        if revision != SCHEMA_HEAD:
            # Opening the trail would migrate, and a backup before an upgrade has to stay one of before.
            say("not entered in the audit trail: the database is not at this version's schema")
            return write()
        with self._entering():
            return write()

    def _revision(self, with_database: bool, say: Callable[[str], None]) -> str | None:
        try:
            revision = current(self._url)
        except StoreUnavailable as error:
            if with_database:
                raise
            say(f"the database does not answer: {error.message}")
            return None
        if with_database and revision is None:
            raise NotFound(f"nothing is stored yet in {self._settings.data_dir}")
        return revision


def restore(file: Path, into: Path) -> BackupTold:
    """Restores a backup into a directory that is empty or not there yet.

    Raises:
        InvalidRequest: a directory in use or with something in it; no backup, a damaged one, or one of a
            newer version.
        StoreUnavailable: it cannot be read or written.
    """
    made = not into.exists()
    try:
        lock = DataDirectoryLock(into).acquire()
    except DataDirectoryInUse as error:
        raise InvalidRequest(f"a server runs there: {error}", param="--into") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot use the directory {into}: {error.strerror}") from error
    restored = False
    try:
        held = sorted(path.name for path in into.iterdir() if path.name not in IGNORED)
        if held:
            raise InvalidRequest(
                f"{into} is not empty (it has {held[0]}); name a new directory, or move what is there away",
                param="--into",
            )
        told = restore_backup(file, into, _refuse_newer)
        restored = True
        return told
    finally:
        if not restored and not any(path.name not in IGNORED for path in into.iterdir()):
            (into / LOCK_FILE).unlink(missing_ok=True)
            if made:
                into.rmdir()
        lock.release()


def _refuse_newer(told: BackupTold) -> None:
    if told.with_database and told.revision is not None and told.revision > SCHEMA_HEAD:
        raise InvalidRequest(
            f"it was written by Interchange {told.version} with schema {told.revision}, and this version "
            f"knows schemas up to {SCHEMA_HEAD}: restore it with that version"
        )


def dump_command(url: str) -> str:
    """`pg_dump` for this database, as one line for a shell, without its password.

    Policies hold `pg_dump` too, so it says that it works for every tenant.
    """
    parts = urlsplit(url)
    user = parts.username or ""
    place = parts.netloc.rpartition("@")[2]
    # What asyncpg and libpq both know; the password stays out of arguments, which every process can read.
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name in _LIBPQ])
    shown = urlunsplit(("postgresql", f"{user}@{place}" if user else place, parts.path, query, ""))
    return (
        "PGOPTIONS='-c interchange.tenant=*' pg_dump --enable-row-security --format=custom "
        f"--file=interchange.dump {shlex.quote(shown)}"
    )


_LIBPQ: Final = frozenset(
    {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile", "target_session_attrs"}
)
