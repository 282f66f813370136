"""Webhook endpoints in the database."""

import logging

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.webhook_rows import count_up, endpoint_of, endpoint_values
from adapters.sql.webhook_tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_generation,
)
from application.ports.webhooks import EndpointStore
from domain.errors import Conflict, InvalidConfiguration
from domain.webhooks.endpoint import Endpoint

log = logging.getLogger("interchange")
_E = webhook_endpoints.c


class SqlEndpointStore(EndpointStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, tenant_id: str | None = None) -> list[Endpoint]:
        statement = select(webhook_endpoints).order_by(_E.endpoint_id)
        if tenant_id is not None:
            statement = statement.where(_E.tenant_id == tenant_id)
        return await self._database.read(lambda connection: read_all(connection, statement))

    async def add(self, endpoint: Endpoint, *, endpoints_max: int) -> None:
        def work(connection: Connection) -> None:
            count_up(connection)
            kept = connection.execute(
                select(func.count())
                .select_from(webhook_endpoints)
                .where(_E.tenant_id == endpoint.tenant_id, _E.declared.is_(False))
            ).scalar_one()
            if kept >= endpoints_max and not endpoint.declared:
                raise Conflict(f"this tenant has {endpoints_max} webhook endpoints; no more are kept")
            connection.execute(insert(webhook_endpoints).values(**endpoint_values(endpoint)))

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise Conflict(f"the endpoint {endpoint.endpoint_id} is there already") from error

    async def change(self, endpoint: Endpoint, *, expected_revision: int) -> bool:
        statement = (
            update(webhook_endpoints)
            .where(
                _E.endpoint_id == endpoint.endpoint_id,
                _E.tenant_id == endpoint.tenant_id,
                _E.revision == expected_revision,
            )
            .values(**endpoint_values(endpoint))
        )

        def work(connection: Connection) -> bool:
            count_up(connection)
            return connection.execute(statement).rowcount > 0

        return await self._database.write(work)

    async def remove(self, tenant_id: str, endpoint_id: str) -> bool:
        def work(connection: Connection) -> bool:
            count_up(connection)
            mine = (_E.tenant_id == tenant_id, _E.endpoint_id == endpoint_id)
            gone = connection.execute(delete(webhook_endpoints).where(*mine)).rowcount > 0
            if gone:
                for table in (webhook_deliveries, webhook_attempts):
                    connection.execute(delete(table).where(table.c.endpoint_id == endpoint_id))
            return gone

        return await self._database.write(work, alone=False)

    async def generation(self) -> int:
        return await self._database.read(
            lambda connection: int(connection.execute(select(webhook_generation.c.generation)).scalar_one())
        )


def read_all(connection: Connection, statement: object) -> list[Endpoint]:
    """Those that can be read; the others are told in the log and get nothing."""
    found = []
    for row in connection.execute(statement):  # type: ignore[call-overload]
        try:
            found.append(endpoint_of(row))
        except (InvalidConfiguration, ValueError, TypeError, KeyError) as error:
            log.error("the webhook endpoint %s cannot be read: %s", row.endpoint_id, error)
    return found
