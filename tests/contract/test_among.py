"""A condition over many ids as one parameter, on both databases."""

import pytest
from sqlalchemy import Connection, literal, select, union_all
from sqlalchemy.types import Text

from adapters.sql.among import among
from tests.contract.sql_world import AnySqlWorld

IDS = ["req_1", "it's", 'a "quoted" one', "back\\slash", "größe-\U0001f600", ""]


@pytest.mark.parametrize("asked", [[], IDS[:1], IDS, [*IDS, "nobody's"], [f"x{n}" for n in range(3000)]])
async def test_only_what_is_asked_for_is_found(sql: AnySqlWorld, asked: list[str]) -> None:
    there = union_all(*(select(literal(each, Text).label("id")) for each in IDS)).subquery()

    def found(connection: Connection) -> set[str]:
        return set(connection.execute(select(there.c.id).where(among(there.c.id)), {"ids": asked}).scalars())

    assert await sql.database.read(found) == set(asked) & set(IDS)
    assert await sql.database.read(found) == set(asked) & set(IDS), "as compiled before"
