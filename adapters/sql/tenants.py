"""Tenants, in the database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.integration_tables import integration_health_checks, integration_health_claims
from adapters.sql.ledger_tables import outbox
from adapters.sql.optimization_tables import cost_optimizations, period_marks
from adapters.sql.schema import api_keys, metadata
from adapters.sql.session_tables import login_sessions
from adapters.sql.tenant_tables import projects, roles, tenancy_generations, tenants
from adapters.sql.tool_pin_tables import integration_pin_turns, integration_tool_pins
from application.ports.tenants import StoredTenant, TenantStore
from domain.errors import Conflict
from domain.tenancy.tenant import Tenant, TenantState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

GO_WITH_IT: Final = frozenset(
    {"tenants", "projects", "roles", "api_keys", "login_sessions"}
    | {"integration_health_checks", "integration_health_claims"}
    | {"integration_tool_pins", "integration_pin_turns"}
    | {"cost_optimizations", "period_marks"}
    | {"outbox"}
)
"""Tables whose rows go with a tenant; of keys those that let nobody in any more."""
STAYS: Final = ("audit_", "vault_manifests")
"""Tables of these beginnings keep what they have: a chain and a manifest tell what is gone by going on."""


class SqlTenantStore(TenantStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant: StoredTenant, *, tenants_max: int) -> bool:
        def work(connection: Connection) -> bool:
            count_up(connection, "tenants")
            values = _row(tenant)
            tenant_id, created = values.pop("tenant_id"), values.pop("created_at_us")
            mine = tenants.c.tenant_id == tenant_id
            kept = func.coalesce(tenants.c.created_at_us, created)
            if connection.execute(update(tenants).where(mine).values(created_at_us=kept, **values)).rowcount:
                return False
            _check_room(connection, tenants_max)
            connection.execute(insert(tenants).values(tenant_id=tenant_id, created_at_us=created, **values))
            return True

        return await self._database.write(work)

    async def register(self, tenant_id: str, at: datetime, *, tenants_max: int) -> bool:
        def work(connection: Connection) -> bool:
            mine = tenants.c.tenant_id == tenant_id
            if connection.execute(select(tenants.c.tenant_id).where(mine)).first() is not None:
                return False
            count_up(connection, "tenants")
            _check_room(connection, tenants_max)
            tenant = Tenant(tenant_id=tenant_id, created_at=at, updated_at=at)
            connection.execute(insert(tenants).values(**_row(StoredTenant(tenant, described=False))))
            return True

        try:
            return await self._database.write(work)
        except IntegrityError:
            return False  # another one registered it in between

    async def remove(self, tenant_id: str, at: datetime) -> tuple[str, ...] | None:
        def work(connection: Connection) -> tuple[str, ...] | None:
            mine = tenants.c.tenant_id == tenant_id
            if connection.execute(select(tenants.c.tenant_id).where(mine)).first() is None:
                return None
            left = _left(connection, tenant_id, us(at) or 0)
            if not left:
                health = (integration_health_checks, integration_health_claims)
                pins = (integration_tool_pins, integration_pin_turns)
                advice = (cost_optimizations, period_marks)
                keys = (api_keys, login_sessions, projects, roles)
                for table in (*keys, *health, *pins, *advice, outbox, tenants):
                    connection.execute(delete(table).where(table.c.tenant_id == tenant_id))
                count_up(connection, "tenants")
                count_up(connection, "roles")
            return left

        return await self._database.write(work)

    async def all(self) -> list[StoredTenant]:
        def work(connection: Connection) -> list[StoredTenant]:
            return [_stored(row) for row in connection.execute(select(tenants).order_by(tenants.c.tenant_id))]

        return await self._database.read(work)

    async def generation(self) -> int:
        return await self._database.read(lambda connection: generation_of(connection, "tenants"))


def _left(connection: Connection, tenant_id: str, now_us: int) -> tuple[str, ...]:
    """Names of the tables that hold anything of a tenant, whichever tables there are."""
    lets_in = or_(api_keys.c.expires_at_us.is_(None), api_keys.c.expires_at_us > now_us)
    conditions: dict[str, Any] = {
        table.name: exists().where(table.c.tenant_id == tenant_id)
        for table in metadata.sorted_tables
        if "tenant_id" in table.c and table.name not in GO_WITH_IT and not table.name.startswith(STAYS)
    }
    conditions["keys"] = exists().where(
        api_keys.c.tenant_id == tenant_id, api_keys.c.revoked_at_us.is_(None), lets_in
    )
    checks = select(*(check.label(name) for name, check in conditions.items()))
    found = connection.execute(checks).mappings().one()
    return tuple(sorted(name for name in conditions if found[name]))


def _check_room(connection: Connection, tenants_max: int) -> None:
    if connection.execute(select(func.count()).select_from(tenants)).scalar_one() >= tenants_max:
        raise Conflict(f"{tenants_max} tenants are known; no more are kept")


def count_up(connection: Connection, of: str) -> None:
    """Tells whoever follows that something changed. Its row's lock makes changes wait for one another."""
    counter = tenancy_generations
    connection.execute(update(counter).where(counter.c.of == of).values(generation=counter.c.generation + 1))


def generation_of(connection: Connection, of: str) -> int:
    counter = tenancy_generations
    return int(connection.execute(select(counter.c.generation).where(counter.c.of == of)).scalar_one())


def _row(stored: StoredTenant) -> dict[str, Any]:
    tenant = stored.tenant
    demands = {
        "residency": tenant.residency,
        "compliance": sorted(tenant.compliance),
        "privacy": tenant.privacy,
        "guardrails": list(tenant.guardrails),
        "networks": list(tenant.networks),
        "egress": list(tenant.egress),
        "projects_enforced": tenant.projects_enforced,
    }
    return {
        "tenant_id": tenant.tenant_id,
        "described": stored.described,
        "state": tenant.state.value,
        "name": tenant.name,
        "organisation": tenant.organisation,
        "demands": json.dumps(demands),
        "created_at_us": us(tenant.created_at),
        "updated_at_us": us(tenant.updated_at),
    }


def _stored(row: Row[Any]) -> StoredTenant:
    demands = json.loads(row.demands)
    tenant = Tenant(
        tenant_id=row.tenant_id,
        name=row.name,
        organisation=row.organisation,
        state=TenantState(row.state),
        residency=demands.get("residency", ""),
        compliance=frozenset(demands.get("compliance", ())),
        privacy=demands.get("privacy", ""),
        guardrails=tuple(demands.get("guardrails", ())),
        networks=tuple(demands.get("networks", ())),
        egress=tuple(demands.get("egress", ())),
        projects_enforced=demands.get("projects_enforced", False),
        created_at=at_us(row.created_at_us),
        updated_at=at_us(row.updated_at_us),
    )
    return StoredTenant(tenant, described=row.described)


def us(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def at_us(us: int | None) -> datetime | None:
    return None if us is None else _EPOCH + timedelta(microseconds=us)
