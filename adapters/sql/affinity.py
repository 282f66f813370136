"""Conversations' places in the database."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    Table,
    Text,
    delete,
    func,
    select,
)

from adapters.sql.database import Database
from adapters.sql.schema import metadata
from adapters.sql.upserts import insert_into
from application.ports.affinity import AffinityChanges, AffinityRow, AffinityStore
from domain.routing.conversation import Place

affinity_places: Final = Table(
    "affinity_places",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("target_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("prefix_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("long", Boolean, nullable=False),
    Column("used_at_us", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("ix_affinity_places_revision", "revision"),
    Index("ix_affinity_places_used_at_us", "used_at_us"),
    sqlite_with_rowid=False,
)
"""`revision` rises with every row saved, so that others can ask for what is new to them."""

_C = affinity_places.c


class SqlAffinityStore(AffinityStore):
    """Revisions are given inside the writing transaction, and every writer is alone: what a reader has seen
    up to a revision is complete."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, rows: Sequence[AffinityRow]) -> None:
        if rows:
            await self._database.write(lambda connection: _save(connection, rows))

    async def changes(self, after: int, *, limit: int) -> AffinityChanges:
        def work(connection: Connection) -> AffinityChanges:
            statement = select(affinity_places).where(_C.revision > after).order_by(_C.revision).limit(limit)
            found = connection.execute(statement).all()
            rows = [
                AffinityRow(
                    row.key,
                    row.tenant_id,
                    Place(
                        row.target_id,
                        row.credential,
                        row.prefix_tokens,
                        row.cached_tokens,
                        row.long,
                        row.used_at_us,
                    ),
                )
                for row in found
            ]
            return AffinityChanges(rows, int(found[-1].revision) if found else after)

        return await self._database.read(work)

    async def forget(self, *, before_us: int, keep_max: int) -> int:
        def work(connection: Connection) -> int:
            gone = connection.execute(delete(affinity_places).where(_C.used_at_us < before_us)).rowcount
            oldest_kept = connection.execute(
                select(_C.used_at_us).order_by(_C.used_at_us.desc()).offset(keep_max - 1).limit(1)
            ).scalar()
            if oldest_kept is not None:
                beyond = delete(affinity_places).where(_C.used_at_us < oldest_kept)
                gone += connection.execute(beyond).rowcount
            return gone

        return await self._database.write(work)


def _save(connection: Connection, rows: Sequence[AffinityRow]) -> None:
    newest = connection.execute(select(func.coalesce(func.max(_C.revision), 0))).scalar_one()
    statement = insert_into(connection.dialect, affinity_places)
    changed = {
        name: getattr(statement.excluded, name)
        for name in ("credential", "prefix_tokens", "cached_tokens", "long", "used_at_us", "revision")
    }
    statement = statement.on_conflict_do_update(
        index_elements=[_C.key, _C.target_id],
        set_=changed,
        where=_C.used_at_us <= statement.excluded.used_at_us,
    )
    connection.execute(
        statement,
        [
            {
                "key": row.key,
                "tenant_id": row.tenant_id,
                **row.place._asdict(),
                "revision": revision,
            }
            for revision, row in enumerate(rows, newest + 1)
        ],
    )
