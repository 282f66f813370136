"""Opens what shows and forgets users. A part of the composition root: it names adapters."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from adapters.sql.audit import SqlAuditStore
from adapters.sql.batches import SqlBatchStore, SqlFileRecords
from adapters.sql.database import Database
from adapters.sql.erasures import SqlErasureLog
from adapters.sql.recordings import SqlRecordings
from adapters.sql.subjects import SqlSubjectRows
from adapters.sql.usage_log import JournaledUsageLog
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from application.ports.batch_store import BatchJournals
from application.ports.file_store import FileContents
from domain.privacy.erasure import audited_user
from entrypoints.caching import Caching
from entrypoints.erasing import Erasing, make_erasing
from entrypoints.recording import Recording


class EveryonesStores(NamedTuple):
    """The database for all tenants, and as far as whoever asks reaches; each for changes and for reports."""

    database: Database
    reports: Database
    scoped: Database
    scoped_reports: Database


def open_erasing(
    stores: EveryonesStores,
    peppers: Mapping[int, bytes],
    recording: Recording,
    caching: Caching,
    contents: FileContents,
    journals: BatchJournals,
    usage_log: JournaledUsageLog,
    clock: SystemClock,
    ids: TimeOrderedIds,
) -> Erasing:
    """Asks nobody yet."""
    database, reports, scoped, scoped_reports = stores
    return make_erasing(
        rows=SqlSubjectRows(database, reports, SqlRecordings(reports, recording.seal)),
        shown=SqlSubjectRows(scoped, scoped_reports, SqlRecordings(scoped_reports, recording.seal)),
        erasures=SqlErasureLog(database),
        asked=SqlErasureLog(scoped),
        audit=SqlAuditStore(scoped_reports, clock),
        unlock=recording.keys.ready,
        audited=partial(audited_user, peppers[min(peppers)]),
        caching=caching,
        files=SqlFileRecords(database),
        contents=contents,
        batches=SqlBatchStore(database),
        journals=journals,
        settle=usage_log.rotate,
        clock=clock,
        ids=ids,
    )
