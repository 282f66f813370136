"""What contract tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.sql_world import AnySqlWorld, PostgresWorld, SqlWorld


@pytest.fixture(params=["sqlite", "postgres"])
async def sql(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnySqlWorld]:
    """A database at the shipped schema, of each kind."""
    world: AnySqlWorld = SqlWorld(tmp_path) if request.param == "sqlite" else PostgresWorld()
    yield world
    await world.aclose()
