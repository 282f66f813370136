"""Tenants' projects, in the database."""

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.tenant_tables import projects
from adapters.sql.tenants import at_us, us
from application.ports.projects import ProjectStore
from domain.errors import Conflict
from domain.tenancy.project import Project


class SqlProjectStore(ProjectStore):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, project: Project, *, projects_max: int) -> bool:
        values = {
            "cost_center": project.cost_center,
            "description": project.description,
            "updated_at_us": us(project.updated_at),
        }

        def work(connection: Connection) -> bool:
            mine = (projects.c.tenant_id == project.tenant_id, projects.c.name == project.name)
            if connection.execute(update(projects).where(*mine).values(**values)).rowcount:
                return False
            kept = select(func.count()).select_from(projects).where(mine[0])
            if connection.execute(kept).scalar_one() >= projects_max:
                raise Conflict(f"this tenant has {projects_max} projects; no more are kept")
            connection.execute(
                insert(projects).values(
                    tenant_id=project.tenant_id,
                    name=project.name,
                    created_at_us=us(project.created_at),
                    **values,
                )
            )
            return True

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise Conflict(f"project {project.name!r} was made by somebody else just now") from error

    async def remove(self, tenant_id: str, name: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (projects.c.tenant_id == tenant_id, projects.c.name == name)
            return connection.execute(delete(projects).where(*mine)).rowcount > 0

        return await self._database.write(work)

    async def of(self, tenant_id: str) -> list[Project]:
        def work(connection: Connection) -> list[Project]:
            rows = connection.execute(
                select(projects).where(projects.c.tenant_id == tenant_id).order_by(projects.c.name)
            )
            return [
                Project(
                    tenant_id=row.tenant_id,
                    name=row.name,
                    cost_center=row.cost_center,
                    description=row.description,
                    created_at=at_us(row.created_at_us),
                    updated_at=at_us(row.updated_at_us),
                )
                for row in rows
            ]

        return await self._database.read(work)
