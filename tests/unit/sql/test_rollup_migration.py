"""Usage that was recorded before roll-ups existed is counted by the migration that brings them."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from adapters.sql.database import SqlDatabase, open_engine
from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import MIGRATIONS, upgrade
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage import usage_event


async def rollups_of(database: SqlDatabase) -> list[tuple[object, ...]]:
    def work(connection: object) -> list[tuple[object, ...]]:
        found = connection.execute(usage_rollups.select())  # type: ignore[attr-defined]
        return sorted(tuple(row) for row in found)

    return await database.read(work)


async def test_going_back_and_forth_gives_the_same_rollups(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'interchange.db'}"
    upgrade(url)
    thread = BlockingThread("test-sql")
    database = SqlDatabase(url, thread)
    events = [
        usage_event(
            number,
            tries=number % 3,
            team=f"team {number % 2}",
            cost_nano_usd=None if number % 5 == 0 else number,
            estimated=number % 4 == 0,
            outcome="ok" if number % 3 else "error",
            first_token_us=None if number % 2 else number,
        )
        for number in range(60)
    ]
    await SqlUsageWriter(database).insert(events)
    before = await rollups_of(database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = open_engine(url)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")

    upgrade(url)

    assert await rollups_of(database) == before
    assert len(before) == 4, "two teams, two outcomes"
    engine.dispose()
    await database.aclose()
    await thread.aclose()
