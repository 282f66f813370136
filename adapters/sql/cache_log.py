"""What the processes of a machine tell each other about kept answers, in the file that holds these, too."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from adapters.sql.cache_tables import THE_ROW, cache_log, cache_log_state, nothing_refused
from adapters.sql.database import Database
from adapters.sql.upserts import insert_into
from application.ports.answer_store import CacheLog, LogPage, LogRecord
from domain.caching.entry import Position
from domain.errors import StoreUnavailable

RECORDS_MAX: Final = 200_000
BYTES_MAX: Final = 256 * 1024 * 1024
"""About what its records may take; vectors travel through the log, too."""
RECORD_OVERHEAD_BYTES: Final = 64
PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the record that reaches this."""
DURABLE_KINDS: Final = frozenset({"invalidate"})
"""What must not be forgotten in a power cut: an answer it was meant for may survive."""
TRIMMED_AT_ONCE: Final = 256
_L = cache_log.c
_S = cache_log_state.c


class SqlCacheLog(CacheLog):
    """`new_epoch` makes texts that no one else ever makes."""

    def __init__(
        self,
        database: Database,
        new_epoch: Callable[[], str],
        *,
        records_max: int = RECORDS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._database = database
        self._new_epoch = new_epoch
        self._records_max = records_max
        self._bytes_max = bytes_max

    async def append(self, records: Sequence[LogRecord]) -> Position:
        epoch = self._new_epoch()

        def work(connection: Connection) -> Position:
            self._begin(connection, epoch)
            added = sum(map(_size, records))
            state = connection.execute(
                update(cache_log_state)
                .values(tail=_S.tail + len(records), bytes=_S.bytes + added)
                .returning(_S.epoch, _S.tail, _S.gone, _S.bytes)
            ).one()
            first = state.tail - len(records) + 1
            if records:
                connection.execute(
                    insert(cache_log),
                    [
                        {
                            "number": number,
                            "kind": record.kind,
                            "size_bytes": _size(record),
                            "data": record.data,
                        }
                        for number, record in enumerate(records, first)
                    ],
                )
                self._trim(connection, state.tail, state.gone, state.bytes)
            return Position(state.epoch, state.tail)

        with nothing_refused():
            # Together: the row of the state is locked before anything else is touched.
            position = await self._database.write(work, alone=False)
        must_last = any(record.kind in DURABLE_KINDS for record in records)
        if must_last and not await self._database.make_durable():
            raise StoreUnavailable("the log of the cache cannot be made durable", retry_after_s=1.0)
        return position

    def _begin(self, connection: Connection, epoch: str) -> None:
        connection.execute(
            insert_into(self._database.dialect, cache_log_state)
            .values(id=THE_ROW, epoch=epoch, tail=0, gone=0, bytes=0)
            .on_conflict_do_nothing()
        )

    def _trim(self, connection: Connection, tail: int, gone: int, size_bytes: int) -> None:
        before = gone
        while tail - gone > self._records_max or size_bytes > self._bytes_max:
            oldest = connection.execute(
                select(_L.number, _L.size_bytes)
                .where(_L.number > gone)
                .order_by(_L.number)
                .limit(TRIMMED_AT_ONCE)
            ).all()
            if not oldest:
                break
            for record in oldest:
                if tail - gone <= self._records_max and size_bytes <= self._bytes_max:
                    break
                gone, size_bytes = record.number, size_bytes - record.size_bytes
        if gone > before:
            connection.execute(delete(cache_log).where(_L.number <= gone))
            connection.execute(update(cache_log_state).values(gone=gone, bytes=size_bytes))

    async def read(self, after: Position, limit: int) -> LogPage:
        with nothing_refused():
            page = await self._database.read(lambda connection: _page(connection, after, limit))
            if page is None:
                await self._database.write(lambda connection: self._begin_anew(connection, after))
                page = await self._database.read(lambda connection: _page(connection, after, limit))
        if page is None:
            raise StoreUnavailable("the log of the cache is being taken away", retry_after_s=1.0)
        return page

    def _begin_anew(self, connection: Connection, after: Position) -> None:
        state = _state(connection)
        if state is not None and not _knows_more(after, state):
            return
        connection.execute(delete(cache_log))
        connection.execute(delete(cache_log_state))
        self._begin(connection, self._new_epoch())


def _state(connection: Connection) -> Any:
    return connection.execute(select(_S.epoch, _S.tail, _S.gone)).one_or_none()


def _knows_more(after: Position, state: Any) -> bool:
    """Whether the file is an older one than whoever asks has already read, such as a backup put back."""
    return bool(after.epoch == state.epoch and after.number > state.tail)


def _page(connection: Connection, after: Position, limit: int) -> LogPage | None:
    """None where a new epoch has to begin first."""
    state = _state(connection)
    if state is None or _knows_more(after, state):
        return None
    lost = after.epoch != state.epoch or after.number < state.gone
    start = state.gone if lost else after.number
    records: list[tuple[int, LogRecord]] = []
    size = 0
    if start < state.tail:
        rows = connection.execute(
            select(_L.number, _L.kind, _L.data).where(_L.number > start).order_by(_L.number).limit(limit)
        )
        for row in rows:
            record = LogRecord(row.kind, bytes(row.data))
            records.append((row.number, record))
            size += _size(record)
            if size >= PAGE_BYTES:
                break
        rows.close()
    reached = records[-1][0] if records else state.tail
    return LogPage(records, Position(state.epoch, reached), lost)


def _size(record: LogRecord) -> int:
    return RECORD_OVERHEAD_BYTES + len(record.kind) + len(record.data)
