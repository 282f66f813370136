"""The engine of MySQL and MariaDB against a real MariaDB."""

from collections.abc import AsyncIterator

import pytest

from contracts.ports.database_engine import EngineReadingContract, EngineSubject, EngineWritingContract
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract
from tests.contract.mariadb_server import mariadb_server
from tests.contract.mysql_world import MySqlWorld


@pytest.fixture
async def world() -> AsyncIterator[MySqlWorld]:
    made = MySqlWorld(mariadb_server())
    yield made
    await made.aclose()


class _OnMariaDb:
    @pytest.fixture
    def subject(self, world: MySqlWorld) -> EngineSubject:
        return world.subject()


class TestReadingFromMariaDb(_OnMariaDb, EngineReadingContract):
    pass


class TestWritingToMariaDb(_OnMariaDb, EngineWritingContract):
    pass


class TestStoppingMariaDb(_OnMariaDb, EngineStoppingContract):
    pass


class TestKnowingMariaDb(_OnMariaDb, EngineKnowingContract):
    pass
