"""The second wall: PostgreSQL itself shows nobody the rows of another tenant, whatever is forgotten."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

import adapters.sql
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.postgres import PostgresDatabase
from adapters.sql.row_security import exempt, has_rows_of_tenants
from adapters.sql.schema import metadata
from adapters.sql.tenant_tables import projects
from adapters.sql.upgrade import downgrade, upgrade
from application.reach import EVERY_TENANT, NOBODY, reaching
from domain.errors import StoreUnavailable
from tests.contract.postgres_server import PostgresServer, postgres_server

NOW = datetime(2026, 3, 1, tzinfo=UTC)
APPLICATION = "interchange_test_application"


@cache
def migrated_by_the_application(server: PostgresServer) -> str:
    """The name of an empty database at the shipped schema, all of it the application's; a template."""
    if not server.run(f"SELECT 1 FROM pg_roles WHERE rolname = '{APPLICATION}'").strip():
        server.run(f"CREATE ROLE {APPLICATION} LOGIN")
    name = server.new_database()
    server.run(f"ALTER DATABASE {name} OWNER TO {APPLICATION}")
    upgrade(as_application(server.url(name)))
    return name


def as_application(url: str) -> str:
    return url.replace("postgres@", f"{APPLICATION}@")


class Walled:
    """A database owned by a role that is no superuser, as installations should have it."""

    def __init__(self) -> None:
        self.server = postgres_server()
        self.name = self.server.new_database(migrated_by_the_application(self.server))
        self.server.run(f"ALTER DATABASE {self.name} OWNER TO {APPLICATION}")
        self.url = as_application(self.server.url(self.name))
        self.database = PostgresDatabase(self.url, connections_max=2)

    async def aclose(self) -> None:
        await self.database.aclose()
        self.server.drop(self.name)


@pytest.fixture
async def walled() -> AsyncIterator[Walled]:
    world = Walled()
    with reaching(EVERY_TENANT):
        await world.database.write(_two_projects)
    yield world
    await world.aclose()


def _two_projects(connection: Connection) -> None:
    for tenant_id in ("a", "b"):
        connection.execute(
            insert(projects).values(tenant_id=tenant_id, name="p", cost_center="", description="")
        )


def _everything(connection: Connection) -> list[str]:
    """A statement somebody forgot the tenant in."""
    return [row.tenant_id for row in connection.execute(text("SELECT tenant_id FROM projects ORDER BY 1"))]


async def test_a_statement_without_a_condition_finds_only_the_callers_rows(walled: Walled) -> None:
    seen = {}
    for whom in ("a", "b", "c", NOBODY, EVERY_TENANT):
        with reaching(whom):
            seen[whom] = await walled.database.read(_everything)

    assert seen == {"a": ["a"], "b": ["b"], "c": [], NOBODY: [], EVERY_TENANT: ["a", "b"]}


async def test_without_a_word_about_whom_nothing_is_there(walled: Walled) -> None:
    assert await walled.database.read(_everything) == []


async def test_what_is_for_every_tenant_says_so_itself_and_leaves_nothing_behind(walled: Walled) -> None:
    with reaching("a"):
        assert await ForEveryTenant(walled.database).read(_everything) == ["a", "b"]
        assert await walled.database.read(_everything) == ["a"]


async def test_a_row_of_another_tenant_can_be_neither_made_nor_changed(walled: Walled) -> None:
    def make(connection: Connection) -> None:
        connection.execute(insert(projects).values(tenant_id="b", name="q", cost_center="", description=""))

    def change(connection: Connection) -> int:
        return connection.execute(update(projects).values(description="mine now")).rowcount

    def give_away(connection: Connection) -> None:
        connection.execute(update(projects).values(tenant_id="b", name="q"))

    with reaching("a"):
        assert await walled.database.write(change) == 1
        for work in (make, give_away):
            with pytest.raises((StoreUnavailable, SQLAlchemyError)):
                await walled.database.write(work)
    with reaching("b"):
        descriptions = await walled.database.read(
            lambda connection: [row.description for row in connection.execute(select(projects))]
        )
    assert descriptions == [""]


async def test_every_table_with_rows_of_tenants_is_behind_the_wall(walled: Walled) -> None:
    for module in pkgutil.iter_modules(adapters.sql.__path__):
        if not module.ispkg:
            importlib.import_module(f"adapters.sql.{module.name}")
    wanted = {table.name for table in metadata.tables.values() if has_rows_of_tenants(table)}

    def protected(connection: Connection) -> set[Any]:
        return set(
            connection.execute(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid "
                    "WHERE c.relrowsecurity AND c.relforcerowsecurity"
                )
            ).scalars()
        )

    assert await walled.database.read(protected) == wanted


async def test_a_superuser_is_told_apart(walled: Walled) -> None:
    above = PostgresDatabase(walled.server.url(walled.name), connections_max=1)
    try:
        assert await above.read(exempt) is True
        assert await walled.database.read(exempt) is False
    finally:
        await above.aclose()


async def test_it_can_be_taken_down_and_put_up_again_with_rows_in_it(walled: Walled) -> None:
    assert downgrade(walled.url, "0016") is True
    assert upgrade(walled.url) is True
