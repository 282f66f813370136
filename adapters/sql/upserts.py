"""INSERT statements that say what happens to rows that are there already, in either dialect."""

from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: Dialect, table: Table) -> Any:
    """`INSERT INTO table` with `on_conflict_do_nothing`, `on_conflict_do_update` and `excluded`.

    Typed loosely, because the two dialects share the methods and no base class that has them.
    """
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
