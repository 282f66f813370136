"""Synced catalogues in the database, one row per source."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from adapters.sql.database import Database
from adapters.sql.schema import catalog_sources
from application.ports.catalog import CatalogStore
from domain.catalog.offering import Catalog
from domain.errors import StoreUnavailable


class SqlCatalogStore(CatalogStore):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, source: str, catalog: Catalog) -> None:
        body = msgspec.json.encode(catalog)

        def work(connection: Connection) -> None:
            connection.execute(delete(catalog_sources).where(catalog_sources.c.source == source))
            connection.execute(
                insert(catalog_sources).values(source=source, version=catalog.version, body=body)
            )

        await self._database.write(work)

    async def load_all(self) -> list[tuple[str, Catalog]]:
        def work(connection: Connection) -> list[tuple[str, Catalog]]:
            rows = connection.execute(select(catalog_sources).order_by(catalog_sources.c.source))
            return [(row.source, _catalog(row.source, row.body)) for row in rows]

        return await self._database.read(work)

    async def remove(self, source: str) -> bool:
        def work(connection: Connection) -> bool:
            statement = delete(catalog_sources).where(catalog_sources.c.source == source)
            return connection.execute(statement).rowcount > 0

        return await self._database.write(work)


def _catalog(source: str, body: bytes) -> Catalog:
    try:
        return msgspec.json.decode(body, type=Catalog)
    except msgspec.DecodeError as error:
        raise StoreUnavailable(f"the saved catalogue {source!r} cannot be read: {error}") from error
