"""A real database per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.sql_world import SqlWorld


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    world = SqlWorld(tmp_path)
    yield world
    await world.aclose()
