"""The embedded database: schema, upgrades, limits of its thread."""

import asyncio
import importlib
import pkgutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text

import adapters.sql
from adapters.sql import upgrade as upgrading
from adapters.sql.affinity import affinity_places
from adapters.sql.answer_tables import stored_answers
from adapters.sql.batch_schema import batches, files
from adapters.sql.database import SqlDatabase, open_engine, unavailable
from adapters.sql.erasure_tables import erasures
from adapters.sql.event_tables import event_listeners
from adapters.sql.ledger_tables import budget_accounts
from adapters.sql.limit_tables import limit_units
from adapters.sql.pool_tables import lease_pools
from adapters.sql.recording_tables import recordings
from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.route_tables import api_routes
from adapters.sql.schema import SCHEMA_HEAD, key_generation, metadata
from adapters.sql.stop_tables import stops
from adapters.sql.tenant_tables import tenants
from adapters.sql.thread import BlockingThread
from adapters.sql.upgrade import MIGRATIONS, upgrade
from adapters.sql.vault_tables import vault_credentials
from domain.errors import InvalidRequest, StoreUnavailable
from tests.contract.sql_world import SqlWorld

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    world = SqlWorld(tmp_path)
    yield world
    await world.aclose()


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_migrations_arrive_at_exactly_the_tables_the_code_expects(sql: SqlWorld) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    for module in pkgutil.iter_modules(adapters.sql.__path__):
        importlib.import_module(f"adapters.sql.{module.name}")
    engine = open_engine(sql.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []
    assert {
        affinity_places.name,
        api_routes.name,
        batches.name,
        budget_accounts.name,
        erasures.name,
        event_listeners.name,
        files.name,
        lease_pools.name,
        limit_units.name,
        recordings.name,
        stored_answers.name,
        stops.name,
        tenants.name,
        usage_rollups.name,
        vault_credentials.name,
    } <= set(metadata.tables)


def test_the_shipped_head_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_HEAD]


def test_the_second_upgrade_has_nothing_to_do_and_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'interchange.db'}"
    assert upgrade(url) is True

    program = (
        "import sys; from adapters.sql.upgrade import upgrade;"
        f"print(upgrade({url!r}), 'alembic' in sys.modules)"
    )
    seen = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30, check=True
    )

    assert seen.stdout == b"False False\n"


def test_processes_that_upgrade_together_do_not_disturb_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'interchange.db'}"
    program = f"from adapters.sql.upgrade import upgrade; print(upgrade({url!r}))"

    started = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)
    ]
    answers = sorted(process.communicate(timeout=30)[0] for process in started)

    assert answers == [b"False\n", b"False\n", b"True\n"]


def test_a_database_of_a_newer_version_is_refused(sql: SqlWorld) -> None:
    with sqlite3.connect(sql.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StoreUnavailable, match="a newer version"):
        upgrade(sql.url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interchange.db"
    path.write_text("certainly not a database, but long enough to look like one" * 20)

    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        upgrade(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://db/x", "not a url"])
def test_a_url_that_cannot_be_served_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(InvalidRequest, match="sqlite:///") as refused:
        upgrade(url)

    assert refused.value.param == "DATABASE_URL"


def test_connections_share_one_file_between_processes(sql: SqlWorld) -> None:
    engine = open_engine(sql.url)
    with engine.connect() as connection:
        settings = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    engine.dispose()

    assert settings == ["wal", 1, 1, 5000]


async def test_a_failed_write_leaves_nothing_behind(sql: SqlWorld) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(key_generation).values(id=2, generation=5))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await sql.database.write(half)

    count = await sql.database.read(
        lambda c: c.execute(text("SELECT count(*) FROM key_generation")).scalar_one()
    )
    assert count == 1


async def test_writers_of_two_connections_wait_for_each_other(sql: SqlWorld) -> None:
    threads = [BlockingThread(f"writer-{number}") for number in range(2)]
    databases = [SqlDatabase(sql.url, thread) for thread in threads]

    def count_up(connection: Connection) -> None:
        now = connection.execute(text("SELECT generation FROM key_generation")).scalar_one()
        connection.execute(text("UPDATE key_generation SET generation = :next"), {"next": now + 1})

    await asyncio.gather(*(database.write(count_up) for database in databases for _ in range(20)))

    total = await sql.database.read(
        lambda c: c.execute(text("SELECT generation FROM key_generation")).scalar_one()
    )
    assert total == 40
    for database, thread in zip(databases, threads, strict=True):
        await database.aclose()
        await thread.aclose()


async def test_the_thread_refuses_more_than_may_wait() -> None:
    thread = BlockingThread("test", waiting_max=2)
    gate = threading.Event()
    calls = [asyncio.create_task(thread.call(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailable, match="overloaded"):
        await thread.call(lambda: None)

    gate.set()
    assert await asyncio.gather(*calls) == [True, True]
    assert await thread.call(lambda: 7) == 7
    await thread.aclose()


async def test_a_closed_thread_finishes_its_work_and_takes_no_more() -> None:
    thread = BlockingThread("test")
    done: list[int] = []
    call = asyncio.create_task(thread.call(lambda: done.append(1)))
    await asyncio.sleep(0)

    await thread.aclose()
    await thread.aclose()

    assert done == [1]
    await call
    with pytest.raises(StoreUnavailable, match="closed"):
        await thread.call(lambda: None)


async def test_nothing_is_called_durable_while_the_database_is_away(sql: SqlWorld) -> None:
    assert await sql.database.make_durable()
    sql.lose()

    assert not await sql.database.make_durable()

    sql.restore()


def test_the_upgrade_lock_is_beside_the_database(sql: SqlWorld) -> None:
    with upgrading._alone(sql.path):
        assert sql.path.with_name("interchange.db.upgrade-lock").exists()


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert unavailable(TimeoutError()).message == "the database cannot be used: TimeoutError"
    assert unavailable(OSError("gone")).message == "the database cannot be used: OSError: gone"
