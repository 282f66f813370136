"""Databases of `sql_world` as they were at first, under whoever has them open."""

import sqlite3
from contextlib import closing
from typing import Final

from tests.contract.sql_world import AnySqlWorld, PostgresWorld, SqlWorld, migrated_sqlite

BUSY_S: Final = 30.0
_EMPTY: Final = """
DO $$
DECLARE held record; found boolean;
BEGIN
  SET LOCAL session_replication_role = replica;  -- no trigger keeps what is append-only
  FOR held IN SELECT oid::regclass AS name FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', held.name) INTO found;
    IF found THEN EXECUTE format('DELETE FROM %s', held.name); END IF;
  END LOOP;
END $$
"""


def empty(world: AnySqlWorld) -> None:
    """No row is left, and no process that has it open notices more than that."""
    if isinstance(world, SqlWorld):
        with (
            closing(sqlite3.connect(migrated_sqlite())) as first,
            closing(sqlite3.connect(world.path, timeout=BUSY_S)) as now,
        ):
            first.backup(now)
    else:
        assert isinstance(world, PostgresWorld)
        world.server.run(_EMPTY, database=world.name)
