"""The same database for work that concerns all tenants, whoever asks for it."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Dialect

from adapters.sql.database import Database
from application.reach import EVERY_TENANT, reaching

Result = TypeVar("Result")


class ForEveryTenant(Database):
    """Behind key rings, ledgers, followers and writers of what everybody did: stores whose every statement
    is about all tenants, or names the tenant it was given by other means than the caller's key.

    Closing is the business of whoever opened the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        with reaching(EVERY_TENANT):
            return await self._database.read(work)

    async def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        with reaching(EVERY_TENANT):
            return await self._database.write(work, alone=alone)

    async def make_durable(self) -> bool:
        return await self._database.make_durable()

    async def aclose(self) -> None:
        """Nothing: see above."""
