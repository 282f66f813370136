"""Budgets made through the API, in the database."""

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.ledger_tables import budget_generation, budgets
from application.ports.budgets import BudgetStore, StoredBudget
from domain.errors import Conflict


class SqlBudgetStore(BudgetStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredBudget]:
        statement = select(*(budgets.c[name] for name in StoredBudget._fields)).order_by(budgets.c.budget_id)
        return await self._database.read(
            lambda connection: [StoredBudget(*row) for row in connection.execute(statement)]
        )

    async def put(self, budget: StoredBudget) -> bool:
        columns = budgets.c

        def work(connection: Connection) -> bool:
            known = connection.execute(
                select(columns.tenant_id).where(columns.budget_id == budget.budget_id)
            ).scalar_one_or_none()
            if known not in (None, budget.tenant_id):
                raise Conflict(f"the id {budget.budget_id} is taken", param="budget_id")
            namesake = select(columns.budget_id).where(
                columns.tenant_id == budget.tenant_id,
                columns.name == budget.name,
                columns.budget_id != budget.budget_id,
            )
            if connection.execute(namesake).first() is not None:
                raise _taken(budget)
            if known is None:
                connection.execute(insert(budgets).values(**budget._asdict()))
            else:
                connection.execute(
                    update(budgets).where(columns.budget_id == budget.budget_id).values(**budget._asdict())
                )
            _count_up(connection)
            return known is None

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise _taken(budget) from error

    async def delete(self, tenant_id: str, budget_id: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (budgets.c.tenant_id == tenant_id, budgets.c.budget_id == budget_id)
            gone = connection.execute(delete(budgets).where(*mine)).rowcount > 0
            if gone:
                _count_up(connection)
            return gone

        return await self._database.write(work)

    async def generation(self) -> int:
        return await self._database.read(
            lambda connection: int(connection.execute(select(budget_generation.c.generation)).scalar_one())
        )


def _taken(budget: StoredBudget) -> Conflict:
    return Conflict(f"another budget is called {budget.name!r}", param="name")


def _count_up(connection: Connection) -> None:
    connection.execute(update(budget_generation).values(generation=budget_generation.c.generation + 1))
