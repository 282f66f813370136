"""What SQL that somebody else wrote may do: which tables it names, which functions it calls, how large it is.

Judges names, as the database would resolve them; `adapters/databases` takes statements apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_functions import FUNCTIONS
from domain.connectors.sql_system_names import SYSTEM_NAMES
from domain.connectors.sql_tokens import SqlUnreadable, TokenKind, tokens
from domain.errors import InvalidConfiguration, ToolRefused

PARENTHESES_MAX: Final = 40
"""Inside one another."""
TOKENS_MAX: Final = 5000
NODES_MAX: Final = 8000
DEPTH_MAX: Final = 100
JOINS_MAX: Final = 30
_SHOWN_MAX: Final = 20


class NamePart(NamedTuple):
    """`text` without its quotes."""

    text: str
    quoted: bool = False


class TableName(NamedTuple):
    """As the database files it. `schema` empty: where unqualified names are looked up, and nobody knows."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


DEFAULT_SCHEMAS: Final[Mapping[SqlDialect, str]] = {
    SqlDialect.POSTGRES: "public",
    SqlDialect.TSQL: "dbo",
    SqlDialect.SQLITE: "main",
    SqlDialect.DUCKDB: "main",
    SqlDialect.MYSQL: "",
    SqlDialect.ORACLE: "",
}
_PATH_SIGNS: Final = frozenset("/\\.*?:[]{}")
"""In a quoted name of DuckDB they make it a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPolicy:
    """Made by `make_policy`."""

    dialect: SqlDialect
    tables: frozenset[TableName] | None
    functions: frozenset[str]
    default_schema: str
    write: bool

    def fold(self, part: NamePart) -> str:
        """What the database compares."""
        if self.dialect is SqlDialect.POSTGRES:
            return part.text if part.quoted else part.text.lower()
        if self.dialect is SqlDialect.ORACLE:
            return part.text if part.quoted else part.text.upper()
        return part.text if self.dialect is SqlDialect.MYSQL else part.text.lower()

    def table(self, parts: Sequence[NamePart]) -> TableName:
        """The table that is meant; one it may name. Raises ToolRefused."""
        shown = ".".join(part.text for part in parts)[:200]
        if not 1 <= len(parts) <= 2:
            raise ToolRefused(f"{shown!r} names another database: say `schema.table` or `table`", param="sql")
        name = parts[-1]
        schema = self.fold(parts[0]) if len(parts) == 2 else self.default_schema
        found = TableName(schema, self.fold(name))
        if self._is_system(found):
            raise ToolRefused(f"{shown!r} is the database's own: free SQL reads no catalogues", param="sql")
        if self.dialect is SqlDialect.DUCKDB and _PATH_SIGNS & set(name.text):
            raise ToolRefused(f"{shown!r} would be read as a file", param="sql")
        if self.tables is not None and found not in self.tables:
            allowed = ", ".join(sorted(map(str, self.tables))[:_SHOWN_MAX]) or "none"
            raise ToolRefused(
                f"table {shown!r} is not among those that free SQL may use here ({allowed}); "
                "names are compared as the database does, with their schema",
                param="sql",
            )
        return found

    def listed(self, parts: Sequence[NamePart]) -> TableName:
        """As `table`, for a name that the owner lists. Raises ToolRefused."""
        schema = self.fold(parts[0]) if len(parts) == 2 else self.default_schema
        itself = frozenset({TableName(schema, self.fold(parts[-1]))})
        return replace(self, tables=itself).table(parts)

    def check_function(self, parts: Sequence[NamePart]) -> None:
        """Raises ToolRefused."""
        names = [self.fold(part) for part in parts]
        if self.dialect is not SqlDialect.POSTGRES:
            exact = not (
                self.dialect is SqlDialect.ORACLE and parts[-1].quoted and names[-1] != names[-1].upper()
            )
            names = [name.lower() for name in names]
        else:
            exact = True
            names = names[1:] if len(names) == 2 and names[0] == "pg_catalog" else names
        if exact and ".".join(names) in self.functions:
            return
        shown = ".".join(part.text for part in parts)[:200]
        raise ToolRefused(
            f"function {shown!r} is not one that free SQL may call here; "
            "allowed are harmless ones of the database itself, such as count, sum, lower and coalesce, and "
            "what `free_sql.functions` adds",
            param="sql",
        )

    def _is_system(self, table: TableName) -> bool:
        system = SYSTEM_NAMES[self.dialect]
        schema, name = table.schema.lower(), table.name.lower()
        if name in system.allowed and not schema:
            return False
        return (
            schema in system.schemas
            or schema.startswith(("pg_temp", "pg_toast"))
            or name in system.names
            or name.startswith(system.prefixes)
            or (name.startswith(system.doubtful) and (self.tables is None or table not in self.tables))
        )


def make_policy(
    dialect: SqlDialect,
    *,
    tables: Sequence[str] | None = None,
    functions: Sequence[str] = (),
    write: bool = False,
    default_schema: str | None = None,
    path: str = "free_sql",
) -> SqlPolicy:
    """`tables` as `schema.table` or `table`, quoted as in SQL where the database asks for that; None: all
    but the database's own. `default_schema` is where names without one are; None: the database's custom.

    Raises InvalidConfiguration.
    """
    schema = DEFAULT_SCHEMAS[dialect] if default_schema is None else default_schema
    known = frozenset(name.lower() for name in functions)
    open_policy = SqlPolicy(
        dialect=dialect, tables=None, functions=FUNCTIONS[dialect] | known, default_schema=schema, write=write
    )
    for number, name in enumerate(functions):
        if _parts(name, dialect) is None:
            raise InvalidConfiguration(
                f"{path}.functions.{number} is not a name of a function", param=f"{path}.functions.{number}"
            )
    if tables is None:
        return open_policy
    named: set[TableName] = set()
    for number, text in enumerate(tables):
        parts, at = _parts(text, dialect), f"{path}.tables.{number}"
        if parts is None:
            raise InvalidConfiguration(f"{at} is not a name of a table", param=at)
        try:
            named.add(open_policy.listed(parts))
        except ToolRefused as refusal:
            raise InvalidConfiguration(f"{at}: {refusal.message}", param=at) from None
    return replace(open_policy, tables=frozenset(named))


def _parts(text: str, dialect: SqlDialect) -> list[NamePart] | None:
    """`a.b` or `"A".b` taken apart; None: it is no name."""
    try:
        found = tokens(text.strip(), dialect)
    except SqlUnreadable:
        return None
    parts: list[NamePart] = []
    for number, token in enumerate(found):
        if number % 2:
            if token.text != ".":
                return None
        elif token.kind is TokenKind.WORD:
            parts.append(NamePart(token.text))
        elif token.kind is TokenKind.QUOTED_NAME:
            parts.append(NamePart(unquoted(token.text), quoted=True))
        else:
            return None
    return parts if len(found) % 2 else None


def unquoted(name: str) -> str:
    """A quoted name without its quotes."""
    closing = name[-1]
    return name[1:-1].replace(closing * 2, closing)
