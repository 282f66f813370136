"""Integrations made through the API, and how they were doing, in the database."""

from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import REFUSED_VALUES, Database
from adapters.sql.integration_tables import (
    integration_generation,
    integration_health_checks,
    integration_health_claims,
    integrations,
)
from adapters.sql.outbox import tell
from adapters.sql.tool_pin_tables import integration_pin_turns, integration_tool_pins
from adapters.sql.upserts import insert_into
from application.events.changes import integration_found, integration_switched
from application.ports.integrations import HealthLog, IntegrationStore
from domain.connectors.health import HealthCheck, HealthState
from domain.connectors.integration import Integration, IntegrationKind, IntegrationState
from domain.errors import Conflict, IntegrationExists, InvalidConfiguration, NotFound

_ROWS = integrations.c
_CHECKS = integration_health_checks.c
_CLAIMS = integration_health_claims.c
_OF_ONE = (
    integrations,
    *(integration_health_checks, integration_health_claims),
    *(integration_tool_pins, integration_pin_turns),
)


class SqlIntegrationStore(IntegrationStore):
    """Every change counts the generation up in its own transaction; one that switches an integration is told
    of in the outbox there, too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: str, integration_id: str) -> Integration | None:
        statement = select(integrations).where(
            _ROWS.tenant_id == tenant_id, _ROWS.integration_id == integration_id
        )

        def work(connection: Connection) -> Integration | None:
            row = connection.execute(statement).one_or_none()
            return None if row is None else _integration(row)

        return await self._database.read(work)

    async def page(
        self, tenant_id: str, *, limit: int, after: str = "", kind: IntegrationKind | None = None
    ) -> list[Integration]:
        statement = select(integrations).where(_ROWS.tenant_id == tenant_id, _ROWS.integration_id > after)
        if kind is not None:
            statement = statement.where(_ROWS.type == kind.value)
        statement = statement.order_by(_ROWS.integration_id).limit(limit)
        return await self._database.read(
            lambda connection: [_integration(row) for row in connection.execute(statement)]
        )

    async def all(self) -> list[Integration]:
        statement = select(integrations).order_by(_ROWS.tenant_id, _ROWS.integration_id)
        return await self._database.read(
            lambda connection: [_integration(row) for row in connection.execute(statement)]
        )

    async def put(self, integration: Integration, *, tenant_max: int) -> None:
        tenant_id = integration.tenant_id

        def work(connection: Connection) -> None:
            _count_up(connection)  # first: its row's lock makes changes wait for one another
            mine = select(_ROWS.integration_id).where(
                _ROWS.tenant_id == tenant_id, _ROWS.integration_id == integration.integration_id
            )
            if connection.execute(mine).first() is not None:
                raise _exists(integration)
            count = select(func.count()).select_from(integrations).where(_ROWS.tenant_id == tenant_id)
            if connection.execute(count).scalar_one() >= tenant_max:
                raise Conflict(f"this tenant has {tenant_max} integrations; no more are kept")
            connection.execute(insert(integrations).values(**_values(integration)))

        try:
            await self._database.write(work)
        except IntegrityError as error:
            raise _exists(integration) from error
        except REFUSED_VALUES as error:
            raise _refused() from error

    async def change(self, integration: Integration, *, expected_version: int) -> None:
        mine = (
            _ROWS.tenant_id == integration.tenant_id,
            _ROWS.integration_id == integration.integration_id,
        )
        values = _values(integration)
        for fixed in ("tenant_id", "integration_id", "created_at_us"):
            del values[fixed]

        def work(connection: Connection) -> None:
            _count_up(connection)
            known = connection.execute(select(_ROWS.version, _ROWS.state).where(*mine)).one_or_none()
            if known is None:
                raise NotFound(f"no integration {integration.integration_id!r}", param="integration_id")
            if known.version != expected_version:
                raise Conflict(f"integration {integration.integration_id!r} was changed by somebody else")
            connection.execute(update(integrations).where(*mine).values(**values))
            if known.state != integration.state.value:
                tell(connection, integration_switched(known.state, integration))

        try:
            await self._database.write(work)
        except REFUSED_VALUES as error:
            raise _refused() from error

    async def delete(self, tenant_id: str, integration_id: str) -> bool:
        def work(connection: Connection) -> bool:
            gone = False
            for table in _OF_ONE:
                mine = (table.c.tenant_id == tenant_id, table.c.integration_id == integration_id)
                count = connection.execute(delete(table).where(*mine)).rowcount
                gone = gone or (table is integrations and count > 0)
            if gone:
                _count_up(connection)
            return gone

        return await self._database.write(work)

    async def generation(self) -> int:
        statement = select(integration_generation.c.generation)
        return await self._database.read(lambda connection: int(connection.execute(statement).scalar_one()))


class SqlHealthLog(HealthLog):
    """One row per check; one per integration of who looks next. A check that finds it otherwise than the one
    before is told of in the outbox, in its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, check: HealthCheck) -> None:
        values = {**check._asdict(), "state": check.state.value}
        statement = (
            insert_into(self._database.dialect, integration_health_checks)
            .values(**values)
            .on_conflict_do_nothing()
        )
        before = (
            select(_CHECKS.state)
            .where(_CHECKS.tenant_id == check.tenant_id, _CHECKS.integration_id == check.integration_id)
            .order_by(_CHECKS.checked_at_us.desc())
            .limit(1)
        )

        def work(connection: Connection) -> None:
            known = connection.execute(before).scalar_one_or_none()
            if connection.execute(statement).rowcount and known not in (None, check.state.value):
                tell(connection, integration_found(str(known), check))

        await self._database.write(work, alone=False)

    async def latest(self, tenant_id: str, integration_id: str) -> HealthCheck | None:
        found = await self.history(tenant_id, integration_id, limit=1)
        return found[0] if found else None

    async def history(self, tenant_id: str, integration_id: str, *, limit: int) -> list[HealthCheck]:
        statement = (
            select(*(_CHECKS[name] for name in HealthCheck._fields))
            .where(_CHECKS.tenant_id == tenant_id, _CHECKS.integration_id == integration_id)
            .order_by(_CHECKS.checked_at_us.desc())
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [
                HealthCheck(**{**row._asdict(), "state": HealthState(row.state)})
                for row in connection.execute(statement)
            ]
        )

    async def claim(self, tenant_id: str, integration_id: str, *, now_us: int, until_us: int) -> bool:
        claimed = insert_into(self._database.dialect, integration_health_claims).values(
            tenant_id=tenant_id, integration_id=integration_id, until_us=until_us
        )
        statement = claimed.on_conflict_do_update(
            index_elements=["tenant_id", "integration_id"],
            set_={"until_us": until_us},
            where=_CLAIMS.until_us <= now_us,
        )
        return await self._database.write(
            lambda connection: connection.execute(statement).rowcount > 0, alone=False
        )

    async def tidy(self, *, before_us: int, kept_max: int) -> int:
        def work(connection: Connection) -> int:
            old = delete(integration_health_checks).where(_CHECKS.checked_at_us < before_us)
            gone = connection.execute(old).rowcount
            connection.execute(delete(integration_health_claims).where(_CLAIMS.until_us < before_us))
            many = (
                select(_CHECKS.tenant_id, _CHECKS.integration_id)
                .group_by(_CHECKS.tenant_id, _CHECKS.integration_id)
                .having(func.count() > kept_max)
            )
            for tenant_id, integration_id in connection.execute(many).all():
                mine = (_CHECKS.tenant_id == tenant_id, _CHECKS.integration_id == integration_id)
                oldest_kept = (
                    select(_CHECKS.checked_at_us)
                    .where(*mine)
                    .order_by(_CHECKS.checked_at_us.desc())
                    .offset(kept_max - 1)
                    .limit(1)
                )
                first_us = connection.execute(oldest_kept).scalar_one()
                surplus = delete(integration_health_checks).where(*mine, _CHECKS.checked_at_us < first_us)
                gone += connection.execute(surplus).rowcount
            return gone

        return await self._database.write(work)


def _values(integration: Integration) -> dict[str, Any]:
    return {
        "tenant_id": integration.tenant_id,
        "integration_id": integration.integration_id,
        "type": integration.kind.value,
        "configuration": dict(integration.configuration),
        "circuit_breaker_config": dict(integration.circuit_breaker),
        "monitoring_config": dict(integration.monitoring),
        "credentials": dict(integration.credentials),
        "state": integration.state.value,
        "version": integration.version,
        "created_at_us": integration.created_at_us,
        "updated_at_us": integration.updated_at_us,
        "updated_by": integration.updated_by,
    }


def _integration(row: Row[Any]) -> Integration:
    return Integration(
        tenant_id=row.tenant_id,
        integration_id=row.integration_id,
        kind=IntegrationKind(row.type),
        configuration=row.configuration,
        credentials=row.credentials,
        circuit_breaker=row.circuit_breaker_config,
        monitoring=row.monitoring_config,
        state=IntegrationState(row.state),
        version=row.version,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
        updated_by=row.updated_by,
    )


def _exists(integration: Integration) -> IntegrationExists:
    return IntegrationExists(f"integration {integration.integration_id!r} exists", param="integration_id")


def _refused() -> InvalidConfiguration:
    return InvalidConfiguration(
        "configuration holds text or numbers that the database cannot keep", param="configuration"
    )


def _count_up(connection: Connection) -> None:
    counter = integration_generation
    connection.execute(update(counter).values(generation=counter.c.generation + 1))
