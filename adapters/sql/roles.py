"""Roles tenants made for themselves, in the database."""

import json

from sqlalchemy import Connection, delete, func, insert, select, update

from adapters.sql.database import Database
from adapters.sql.tenant_tables import roles
from adapters.sql.tenants import at_us, count_up, generation_of, us
from application.ports.roles import RoleStore
from domain.errors import Conflict
from domain.tenancy.custom_role import CustomRole


class SqlRoleStore(RoleStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, role: CustomRole, *, roles_max: int) -> bool:
        values = {
            "description": role.description,
            "permissions": json.dumps(sorted(role.permissions)),
            "updated_at_us": us(role.updated_at),
        }

        def work(connection: Connection) -> bool:
            count_up(connection, "roles")
            mine = (roles.c.tenant_id == role.tenant_id, roles.c.name == role.name)
            if connection.execute(update(roles).where(*mine).values(**values)).rowcount:
                return False
            kept = select(func.count()).select_from(roles).where(roles.c.tenant_id == role.tenant_id)
            if connection.execute(kept).scalar_one() >= roles_max:
                raise Conflict(f"this tenant made {roles_max} roles; no more are kept")
            connection.execute(
                insert(roles).values(
                    tenant_id=role.tenant_id, name=role.name, created_at_us=us(role.created_at), **values
                )
            )
            return True

        return await self._database.write(work)

    async def remove(self, tenant_id: str, name: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (roles.c.tenant_id == tenant_id, roles.c.name == name)
            removed = connection.execute(delete(roles).where(*mine)).rowcount > 0
            if removed:
                count_up(connection, "roles")
            return removed

        return await self._database.write(work)

    async def all(self) -> list[CustomRole]:
        def work(connection: Connection) -> list[CustomRole]:
            rows = connection.execute(select(roles).order_by(roles.c.tenant_id, roles.c.name))
            return [
                CustomRole(
                    tenant_id=row.tenant_id,
                    name=row.name,
                    permissions=frozenset(json.loads(row.permissions)),
                    description=row.description,
                    created_at=at_us(row.created_at_us),
                    updated_at=at_us(row.updated_at_us),
                )
                for row in rows
            ]

        return await self._database.read(work)

    async def generation(self) -> int:
        return await self._database.read(lambda connection: generation_of(connection, "roles"))
