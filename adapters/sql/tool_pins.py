"""What tools of upstream servers were when somebody accepted them, in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from adapters.sql.database import Database
from adapters.sql.integration_tables import integration_generation
from adapters.sql.tool_pin_tables import integration_pin_turns, integration_tool_pins
from adapters.sql.upserts import insert_into
from application.ports.tool_pins import ToolPin, ToolPins

_PINS = integration_tool_pins.c
_TURNS = integration_pin_turns.c
_PLACE = ("tenant_id", "integration_id")


class SqlToolPins(ToolPins):
    """What somebody accepts counts the generation of integrations up in its transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant_id: str, integration_id: str) -> Mapping[str, ToolPin]:
        return await self._database.read(lambda connection: _pins(connection, tenant_id, integration_id))

    async def accept(
        self, tenant_id: str, integration_id: str, pins: Mapping[str, ToolPin], *, only_first: bool = False
    ) -> Mapping[str, ToolPin]:
        dialect = self._database.dialect
        place = {"tenant_id": tenant_id, "integration_id": integration_id}
        seen = insert_into(dialect, integration_pin_turns).values(**place, turn=0).on_conflict_do_nothing()

        def work(connection: Connection) -> Mapping[str, ToolPin]:
            first = connection.execute(seen).rowcount > 0
            if first or not only_first:
                for name in sorted(pins):
                    connection.execute(_upsert(dialect, {**place, "tool_name": name}, pins[name]))
            if not only_first:
                mine = (_TURNS.tenant_id == tenant_id, _TURNS.integration_id == integration_id)
                connection.execute(update(integration_pin_turns).where(*mine).values(turn=_TURNS.turn + 1))
                _count_up(connection)
            return _pins(connection, tenant_id, integration_id)

        return await self._database.write(work)

    async def drop(self, tenant_id: str, integration_id: str, names: Sequence[str]) -> None:
        mine = (_PINS.tenant_id == tenant_id, _PINS.integration_id == integration_id)
        statement = delete(integration_tool_pins).where(*mine, _PINS.tool_name.in_(sorted(names)))
        await self._database.write(lambda connection: connection.execute(statement) and None)

    async def forget(self, tenant_id: str, integration_id: str) -> None:
        def work(connection: Connection) -> None:
            for table in (integration_tool_pins, integration_pin_turns):
                mine = (table.c.tenant_id == tenant_id, table.c.integration_id == integration_id)
                connection.execute(delete(table).where(*mine))
            _count_up(connection)

        await self._database.write(work)

    async def turns(self) -> Mapping[tuple[str, str], int]:
        statement = select(_TURNS.tenant_id, _TURNS.integration_id, _TURNS.turn)
        return await self._database.read(
            lambda connection: {
                (row.tenant_id, row.integration_id): int(row.turn) for row in connection.execute(statement)
            }
        )

    async def generation(self) -> int:
        statement = select(integration_generation.c.generation)
        return await self._database.read(lambda connection: int(connection.execute(statement).scalar_one()))


def _pins(connection: Connection, tenant_id: str, integration_id: str) -> Mapping[str, ToolPin]:
    statement = select(_PINS.tool_name, *(_PINS[name] for name in ToolPin._fields)).where(
        _PINS.tenant_id == tenant_id, _PINS.integration_id == integration_id
    )
    return {
        row.tool_name: ToolPin(row.digest, row.accepted_at_us, row.accepted_by)
        for row in connection.execute(statement)
    }


def _upsert(dialect: Any, key: Mapping[str, str], pin: ToolPin) -> Any:
    values = pin._asdict()
    return (
        insert_into(dialect, integration_tool_pins)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=[*_PLACE, "tool_name"], set_=values)
    )


def _count_up(connection: Connection) -> None:
    counter = integration_generation
    connection.execute(update(counter).values(generation=counter.c.generation + 1))
