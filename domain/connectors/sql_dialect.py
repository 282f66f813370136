"""SQL as one kind of database writes it: what quotes, what comments, which values it takes."""

from enum import StrEnum
from typing import Final


class SqlDialect(StrEnum):
    """Named as `Engine.dialect`."""

    POSTGRES = "postgres"
    MYSQL = "mysql"
    """Also MariaDB. With a `sql_mode` that has neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES."""
    ORACLE = "oracle"
    TSQL = "tsql"
    """With QUOTED_IDENTIFIER on, as drivers have it."""
    SQLITE = "sqlite"
    DUCKDB = "duckdb"


WITH_ARRAYS: Final = frozenset({SqlDialect.POSTGRES, SqlDialect.DUCKDB})
"""Where one value can be a list: `= ANY(:ids)`."""
NESTED_COMMENTS: Final = frozenset({SqlDialect.POSTGRES, SqlDialect.TSQL})
"""Elsewhere a comment that opens another is refused: whose end it is depends on who reads it."""
SQL_BYTES_MAX: Final = 65_536
"""Of one statement, UTF-8: parsers take more time than length."""
