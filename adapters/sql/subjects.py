"""Everything in the database that names one user."""

import asyncio
import logging
import sqlite3
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, Row

from adapters.sql.database import BUSY_TIMEOUT_S, Database
from adapters.sql.recordings import SqlRecordings
from adapters.sql.subject_names import BY_NAME
from adapters.sql.subject_sections import ANSWERS, FEEDBACK, REQUESTS, STOPS, Section, recorded
from adapters.sql.thread import BlockingThread
from application.ports.subjects import Erased, SubjectPage, SubjectRows
from domain.errors import StoreUnavailable
from domain.privacy.erasure import Subject

log = logging.getLogger("interchange")

COMPACT_TRIES: Final = 5
COMPACT_AGAIN_AFTER_S: Final = 0.2
_IDS: Final = ("id", "request_id", "stop_id", "file_id", "budget_id", "limit_id", "account_id", "key")


class SqlSubjectRows(SubjectRows):
    """Reads pages where readers read, and changes what they hold in short transactions."""

    def __init__(self, database: Database, reports: Database, recordings: SqlRecordings) -> None:
        self._database = database
        self._reports = reports
        self._recordings = recordings
        # What is found by keys of the user comes before the keys; the rows that accounts rest on come last.
        made = (recorded(self._show_recording), ANSWERS, *BY_NAME, FEEDBACK, STOPS, REQUESTS)
        self._sections: dict[str, Section] = {section.name: section for section in made}
        self.sections = tuple(self._sections)

    async def page(self, section: str, subject: Subject, after: str) -> SubjectPage:
        of = self._sections[section]
        found = await self._reports.read(lambda connection: of.find(connection, subject, after))
        return SubjectPage([_with_id(of.show(row)) for row in found.rows], found.after)

    async def erase(
        self, section: str, subject: Subject, after: str, *, only: Collection[str] | None = None
    ) -> Erased:
        of = self._sections[section]
        found = await self._reports.read(lambda connection: of.find(connection, subject, after))
        rows = found.rows
        if only is not None:
            rows = [row for row in rows if _id_of(row._asdict()) in only]
        if not rows:
            return Erased(0, found.after)
        gone = await self._database.write(lambda connection: of.change(connection, subject, rows))
        return Erased(gone, found.after)

    async def compact(self) -> None:
        if self._database.dialect.name != "sqlite":
            return  # there, autovacuum and whoever keeps the backups see to it
        path = await self._reports.read(_file_of)
        thread = BlockingThread("interchange-compact")
        try:
            for tried in range(COMPACT_TRIES):
                if await thread.call(lambda: _vacuum(path)):
                    return
                await asyncio.sleep(COMPACT_AGAIN_AFTER_S * (tried + 1))
        finally:
            await thread.aclose()
        raise StoreUnavailable(
            "the database could not be compacted while others read it; it is tried again", retry_after_s=5.0
        )

    def _show_recording(self, row: Row[Any]) -> dict[str, Any]:
        opened = self._recordings.opened(row)
        content = None if opened.content is None else opened.content.decode("utf-8", "replace")
        said = {name: value for name, value in opened._asdict().items() if name != "tenant_id"}
        return {**said, "id": f"{row.request_id}/{row.part}", "content": content}


def _file_of(connection: Connection) -> str:
    return str(connection.exec_driver_sql("PRAGMA database_list").all()[0][2])


def _vacuum(path: str) -> bool:
    """Writes the file anew without what was freed, and empties the write-ahead log. False: somebody was in
    the way; ask again."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        log.info("compacting the database waits: %s", error)
        return False
    finally:
        connection.close()
    return not busy


def _id_of(values: Any) -> str:
    return next((str(values[name]) for name in ("batch_id", *_IDS) if name in values), "")


def _with_id(record: dict[str, Any]) -> dict[str, Any]:
    return record if "id" in record else {"id": _id_of(record), **record}
