"""Recorded prompts and answers in the database."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.partitions import drop_part, partitions_of
from adapters.sql.recording_tables import recorded_days, recordings
from adapters.sql.upserts import insert_into
from application.ports.entry_seal import EntrySeal
from application.ports.recordings import Recording, Recordings
from domain.recording.policy import DAY_US

PURGED_PER_ROUND: Final = 1000
"""Rows one transaction deletes, so that no writer waits long for it."""
_LABEL: Final = b"interchange recording 1|"
_LEVEL: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS = recordings.c
_DAYS = recorded_days.c


class SqlRecordings(Recordings):
    """One row per part of a request. Contents are bound to their tenant, request and part."""

    def __init__(self, database: Database, seal: EntrySeal) -> None:
        self._database = database
        self._seal = seal

    async def put(self, recordings: Sequence[Recording], *, tenant_day_bytes_max: int) -> int:
        if not recordings:
            return 0
        sealed: list[dict[str, Any]] = []

        def work(connection: Connection) -> int:
            if not sealed:  # in the database's thread, and once however often this runs
                sealed.extend(self._row(each) for each in recordings)
            kept = _within_share(connection, self._database, sealed, tenant_day_bytes_max)
            if kept:
                self._write(connection, kept)
            return len(sealed) - len(kept)

        try:
            return await self._database.write(work)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    def _write(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        # No upsert: on PostgreSQL the key holds the end as well, so two of one part could stand there.
        for row in rows:
            connection.execute(
                delete(recordings).where(
                    _ROWS.tenant_id == row["tenant_id"],
                    _ROWS.request_id == row["request_id"],
                    _ROWS.part == row["part"],
                )
            )
        connection.execute(recordings.insert(), rows)

    def _row(self, recording: Recording) -> dict[str, Any]:
        packed = zlib.compress(recording.content or b"", _LEVEL)
        place = _place(recording.request_id, recording.part)
        return {
            **recording._asdict(),
            "content": self._seal.seal(recording.tenant_id, place, packed),
        }

    async def of_request(self, tenant_id: str, request_id: str, *, now_us: int) -> list[Recording]:
        statement = (
            select(recordings)
            .where(_ROWS.tenant_id == tenant_id, _ROWS.request_id == request_id, _ROWS.expires_at_us > now_us)
            .order_by(_ROWS.part.desc())
        )
        return await self._database.read(
            lambda connection: [self.opened(row) for row in connection.execute(statement)]
        )

    def opened(self, row: Row[Any]) -> Recording:
        """A row of the table with its content, where that opens."""
        place = _place(row.request_id, row.part)
        packed = self._seal.open(row.tenant_id, place, bytes(row.content))
        content = None if packed is None else zlib.decompress(packed)
        return Recording(**{**row._asdict(), "content": content})

    async def purge(self, now: datetime) -> int:
        now_us = (now - _EPOCH) // timedelta(microseconds=1)
        gone = await self._database.write(lambda connection: _drop_parts(connection, now_us), alone=False)
        while some := await self._database.write(
            lambda connection: _delete_some(connection, now_us), alone=False
        ):
            gone += some
        return gone


def _within_share(
    connection: Connection, database: Database, rows: list[dict[str, Any]], bytes_max: int
) -> list[dict[str, Any]]:
    """Those that fit into their tenant's share of their day, which is counted up by them."""
    added: dict[tuple[str, int], int] = {}
    before: dict[tuple[str, int], int] = {}
    kept = []
    for row in rows:
        of = row["tenant_id"], row["recorded_at_us"] // DAY_US
        if of not in before:
            found = connection.execute(
                select(_DAYS.bytes).where(_DAYS.tenant_id == of[0], _DAYS.day == of[1])
            ).scalar_one_or_none()
            before[of] = found or 0
        size_bytes = len(row["content"])
        if before[of] + added.get(of, 0) + size_bytes > bytes_max:
            continue
        added[of] = added.get(of, 0) + size_bytes
        kept.append(row)
    for (tenant_id, day), size_bytes in sorted(added.items()):
        counted = insert_into(database.dialect, recorded_days).values(
            tenant_id=tenant_id, day=day, bytes=size_bytes
        )
        connection.execute(
            counted.on_conflict_do_update(
                index_elements=["tenant_id", "day"], set_={"bytes": _DAYS.bytes + size_bytes}
            )
        )
    return kept


def _drop_parts(connection: Connection, now_us: int) -> int:
    over = [
        part.name
        for part in partitions_of(connection, recordings.name)
        if part.to_us is not None and part.to_us <= now_us
    ]
    return sum(drop_part(connection, recordings.name, name) for name in over)


def _delete_some(connection: Connection, now_us: int) -> int:
    """Rows that have expired before their part has; of days, those nothing can be added to any more."""
    connection.execute(delete(recorded_days).where(_DAYS.day < now_us // DAY_US - 1))
    key = (_ROWS.tenant_id, _ROWS.request_id, _ROWS.part)
    old = connection.execute(select(*key).where(_ROWS.expires_at_us <= now_us).limit(PURGED_PER_ROUND)).all()
    for tenant_id, request_id, part in old:
        connection.execute(
            delete(recordings).where(
                _ROWS.tenant_id == tenant_id,
                _ROWS.request_id == request_id,
                _ROWS.part == part,
                _ROWS.expires_at_us <= now_us,
            )
        )
    return len(old)


def _place(request_id: str, part: str) -> bytes:
    name = request_id.encode("utf-8", "surrogatepass")
    return b"%b%d:%b|%b" % (_LABEL, len(name), name, part.encode())
