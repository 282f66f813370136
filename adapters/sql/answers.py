"""The second tier of kept answers in a database: in the embedded profile a file of its own."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from adapters.sql.cache_tables import THE_ROW, kept_answers, kept_answers_room, nothing_refused
from adapters.sql.database import Database, unavailable
from adapters.sql.upserts import insert_into
from adapters.wire.answer_codec import AnswerCodec
from application.ports.answer_store import AnswerStore, StoreFacts
from application.ports.entry_seal import EntrySeal
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer

log = logging.getLogger("interchange")

BYTES_MAX: Final = 1024 * 1024 * 1024
ROW_OVERHEAD_BYTES: Final = 150
"""Of a row, its two index entries and half-filled pages, about."""
ROWS_AT_ONCE: Final = 256
"""Found, written or deleted in one statement or short transaction."""
PORTION_BYTES: Final = 2 * 1024 * 1024
"""Written in one transaction, before packing."""
ROUNDS_MAX: Final = 100
PAGES_GIVEN_BACK: Final = 2_000
_K = kept_answers.c
_R = kept_answers_room.c


class SqlAnswerStore(AnswerStore):
    """Bounded by bytes: those leave first whose life ends first. `upkeep` is to be called now and then."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        seal: EntrySeal | None = None,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self.evictions = 0
        """By this process, like all counts here."""
        self.unreadable = 0
        self.unwritable = 0
        self._database = database
        self._clock = clock
        # Two, because reading and writing may happen in different threads.
        self._reader, self._writer = AnswerCodec(seal), AnswerCodec(seal)
        self._bytes_max = bytes_max

    async def read(self, key: bytes) -> CachedAnswer | None:
        now_us = self._now_us()

        def work(connection: Connection) -> CachedAnswer | None:
            data = connection.execute(
                select(_K.entry).where(_K.key == key, _K.kept_until_us > now_us)
            ).scalar_one_or_none()
            if data is None:
                return None
            answer = self._reader.decode(key, bytes(data))
            self.unreadable += answer is None
            return answer

        with nothing_refused():
            return await self._database.read(work)

    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        now_us = self._now_us()
        latest = list({answer.key: answer for answer in answers}.values())
        for some in _portions(latest):
            await self._write(some, now_us)

    async def _write(self, answers: Sequence[CachedAnswer], now_us: int) -> None:
        def work(connection: Connection) -> int:
            rows = [
                row for row in map(self._row, answers) if row is not None and row["kept_until_us"] > now_us
            ]
            _erase(connection, [answer.key for answer in answers])
            if not rows:
                return 0
            connection.execute(insert(kept_answers), rows)
            self._count(connection, len(rows), sum(row["size_bytes"] for row in rows))
            return self._make_room(connection)

        with nothing_refused():
            self.evictions += await self._database.write(work)

    def _row(self, answer: CachedAnswer) -> dict[str, Any] | None:
        try:
            data = self._writer.encode(answer)
        except ValueError as error:
            self.unwritable += 1
            log.warning("an answer of route %s cannot be kept: %s", answer.route, error)
            return None
        return {
            "key": answer.key,
            "kept_until_us": answer.kept_until_us,
            "size_bytes": len(data) + ROW_OVERHEAD_BYTES,
            "entry": data,
        }

    def _make_room(self, connection: Connection) -> int:
        """How many had to leave."""
        left = 0
        while (excess := _room(connection).bytes - self._bytes_max) > 0:
            leaving = []
            for row in connection.execute(
                select(_K.key, _K.size_bytes).order_by(_K.kept_until_us, _K.key).limit(ROWS_AT_ONCE)
            ):
                if excess <= 0:
                    break
                leaving.append(row)
                excess -= row.size_bytes
            if not leaving:
                break
            _take_out(connection, leaving)
            left += len(leaving)
        return left

    def _count(self, connection: Connection, entries: int, size_bytes: int) -> None:
        added = insert_into(self._database.dialect, kept_answers_room).values(
            id=THE_ROW, entries=entries, bytes=size_bytes
        )
        connection.execute(
            added.on_conflict_do_update(
                index_elements=[_R.id],
                set_={"entries": _R.entries + entries, "bytes": _R.bytes + size_bytes},
            )
        )

    async def erase(self, keys: Sequence[bytes]) -> None:
        for start in range(0, len(keys), ROWS_AT_ONCE):
            some = keys[start : start + ROWS_AT_ONCE]
            with nothing_refused():
                await self._database.write(partial(_erase, keys=some))

    async def upkeep(self) -> int:
        """Drops entries whose life is over, and gives room back to the disk; how many there were.

        In short transactions, so that lookups come in between. Raises StoreUnavailable.
        """
        now_us = self._now_us()
        dropped = 0

        def work(connection: Connection) -> int:
            over = connection.execute(
                select(_K.key, _K.size_bytes).where(_K.kept_until_us <= now_us).limit(ROWS_AT_ONCE)
            ).all()
            _take_out(connection, over)
            return len(over)

        with nothing_refused():
            for _ in range(ROUNDS_MAX):
                some = await self._database.write(work)
                dropped += some
                if some < ROWS_AT_ONCE:
                    break
            if self._database.dialect.name == "sqlite":
                await self._database.write(_shrink)
        return dropped

    async def facts(self) -> StoreFacts:
        with nothing_refused():
            room = await self._database.read(_room)
        return StoreFacts(
            kind=self._database.dialect.name,
            entries=room.entries,
            bytes_used=room.bytes,
            bytes_max=self._bytes_max,
            evictions=self.evictions,
        )

    async def aclose(self) -> None:
        """The database is closed by whoever opened it: the log uses it, too."""

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)


class _Room:
    """Of an empty store, until there is a row."""

    entries = 0
    bytes = 0


def _portions(answers: Sequence[CachedAnswer]) -> Iterator[list[CachedAnswer]]:
    """Small enough that lookups do not wait long behind one."""
    portion: list[CachedAnswer] = []
    size = 0
    for answer in answers:
        if portion and (size + answer.size_bytes > PORTION_BYTES or len(portion) >= ROWS_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(answer)
        size += answer.size_bytes
    if portion:
        yield portion


def _room(connection: Connection) -> Any:
    return connection.execute(select(_R.entries, _R.bytes)).one_or_none() or _Room


def _erase(connection: Connection, keys: Sequence[bytes]) -> None:
    _take_out(connection, connection.execute(select(_K.key, _K.size_bytes).where(_K.key.in_(keys))).all())


def _take_out(connection: Connection, rows: Sequence[Any]) -> None:
    if not rows:
        return
    connection.execute(delete(kept_answers).where(_K.key.in_([row.key for row in rows])))
    size_bytes = sum(row.size_bytes for row in rows)
    connection.execute(
        update(kept_answers_room).values(entries=_R.entries - len(rows), bytes=_R.bytes - size_bytes)
    )


def _shrink(connection: Connection) -> None:
    # A page leaves with every step, and only scripts take all steps of a pragma that has no columns. A script
    # ends the transaction it is called in, which has done nothing so far, and is one of its own.
    raw: Any = connection.connection.dbapi_connection
    try:
        raw.executescript(f"PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})")
    except sqlite3.Error as error:
        raise unavailable(error) from error
