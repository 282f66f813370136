"""Keys that end soon, in the database."""

from datetime import datetime

from sqlalchemy import select

from adapters.sql.database import Database
from adapters.sql.keys import record_of, us
from adapters.sql.schema import api_keys
from application.ports.expiring_keys import ExpiringKeys
from domain.tenancy.key import KeyRecord

_C = api_keys.c


class SqlExpiringKeys(ExpiringKeys):
    """Reads every key that ends at all; for a look now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ending(self, after: datetime, before: datetime, *, limit: int) -> list[KeyRecord]:
        statement = (
            select(api_keys)
            .where(_C.revoked_at_us.is_(None), _C.expires_at_us > us(after), _C.expires_at_us < us(before))
            .order_by(_C.expires_at_us, _C.key_id)
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [record_of(row) for row in connection.execute(statement)]
        )
