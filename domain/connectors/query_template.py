"""A query that its owner wrote, with `:name` where callers' values go.

Values are bound by the driver and never become part of the text. `:name` is a placeholder outside quotes and
comments only; `::type` and `:=` are none.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from domain.connectors.sql_dialect import SQL_BYTES_MAX, WITH_ARRAYS, SqlDialect
from domain.connectors.sql_tokens import SqlUnreadable, Token, TokenKind, tokens
from domain.errors import InvalidConfiguration

PARAMETER_SHAPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
PARAMETERS_MAX: Final = 100


class ParameterStyle(Enum):
    """How a driver wants to see a place for a value."""

    NUMBERED = "$1"
    """One number per name, however often it occurs (asyncpg)."""
    PERCENT = "%s"
    """One per occurrence; the driver formats the text, so `%` is doubled everywhere (aiomysql)."""
    COLON = ":1"
    """One number per occurrence (oracledb, by position)."""
    QUESTION = "?"
    """One per occurrence (sqlite3, duckdb, mssql-python)."""


class BoundText(NamedTuple):
    """`names` say whose value stands at each position."""

    text: str
    names: tuple[str, ...]

    def positional(self, values: Mapping[str, Any]) -> list[Any]:
        """Raises KeyError for a value that is missing."""
        return [values[name] for name in self.names]


def bind(text: str, dialect: SqlDialect, style: ParameterStyle) -> BoundText:
    """The text as a driver wants it. Nothing but placeholders changes (and `%`, see PERCENT).

    Raises SqlUnreadable. Remembered for texts of 4 kB at most: those come again.
    """
    if len(text) > _REMEMBERED_CHARACTERS_MAX:
        return _bind(text, dialect, style)
    return _bind_remembered(text, dialect, style)


_REMEMBERED_CHARACTERS_MAX: Final = 4096


@lru_cache(maxsize=1024)
def _bind_remembered(text: str, dialect: SqlDialect, style: ParameterStyle) -> BoundText:
    return _bind(text, dialect, style)


def _bind(text: str, dialect: SqlDialect, style: ParameterStyle) -> BoundText:
    parts: list[str] = []
    names: list[str] = []
    for token in tokens(text, dialect):
        if token.kind is not TokenKind.PLACEHOLDER:
            parts.append(token.text.replace("%", "%%") if style is ParameterStyle.PERCENT else token.text)
            continue
        name = token.text[1:]
        if style is ParameterStyle.NUMBERED and name in names:
            parts.append(f"${names.index(name) + 1}")
            continue
        names.append(name)
        parts.append(_place(style, len(names)))
    return BoundText("".join(parts), tuple(names))


def _place(style: ParameterStyle, number: int) -> str:
    match style:
        case ParameterStyle.NUMBERED:
            return f"${number}"
        case ParameterStyle.COLON:
            return f":{number}"
        case ParameterStyle.PERCENT:
            return "%s"
        case ParameterStyle.QUESTION:
            return "?"


def placeholders(text: str, dialect: SqlDialect) -> tuple[str, ...]:
    """Names in the order they first occur. Raises SqlUnreadable."""
    return tuple(dict.fromkeys(t.text[1:] for t in tokens(text, dialect) if t.kind is TokenKind.PLACEHOLDER))


def check_template(
    text: str, dialect: SqlDialect, parameters: Mapping[str, Mapping[str, Any]], path: str
) -> None:
    """That a query and the JSON Schemas of its parameters fit together. `path` is where it is configured.

    Raises InvalidConfiguration: not one statement, not readable in one way only, a placeholder without a
    parameter, a parameter without a placeholder, a type that cannot be a value.
    """
    sql_path = f"{path}.sql"
    if not text.strip():
        raise InvalidConfiguration(f"{sql_path} is empty", param=sql_path)
    if len(text.encode()) > SQL_BYTES_MAX:
        raise InvalidConfiguration(f"{sql_path} has more than {SQL_BYTES_MAX} bytes", param=sql_path)
    try:
        found = tokens(text, dialect)
    except SqlUnreadable as error:
        raise InvalidConfiguration(f"{sql_path}: {error}", param=sql_path) from error
    _check_tokens(found, dialect, sql_path)
    used = {token.text[1:] for token in found if token.kind is TokenKind.PLACEHOLDER}
    _check_names(used, parameters, path)
    for name, schema in parameters.items():
        _check_type(schema, dialect, f"{path}.parameters.{name}")


_PLACES_OF_DRIVERS: Final = {
    SqlDialect.POSTGRES: ("$",),
    SqlDialect.DUCKDB: ("$", "?"),
    SqlDialect.SQLITE: ("$", "?", "@"),
    SqlDialect.MYSQL: ("?",),
    SqlDialect.TSQL: ("?",),
    SqlDialect.ORACLE: (),
}


def _check_tokens(found: Sequence[Token], dialect: SqlDialect, path: str) -> None:
    for before, token in zip((None, *found), found, strict=False):
        if token.kind is TokenKind.SYMBOL:
            if token.text == ";":
                raise InvalidConfiguration(
                    f"{path} has a `;` outside quotes: it must be one statement, without a `;` at its end",
                    param=path,
                )
            if token.text in _PLACES_OF_DRIVERS[dialect]:
                raise InvalidConfiguration(
                    f"{path} has a bare {token.text!r}: values have places called `:name`", param=path
                )
        elif token.kind is TokenKind.NUMBER and before is not None and before.text == ":":
            if dialect is SqlDialect.ORACLE:
                raise InvalidConfiguration(
                    f"{path} has `:{token.text}`: values have places called `:name`", param=path
                )
        elif token.kind is TokenKind.COMMENT and token.text.startswith(("/*!", "/*M!")):
            raise InvalidConfiguration(
                f"{path} has a comment that MySQL executes (`/*!`): write what it says", param=path
            )


def _check_names(used: set[str], parameters: Mapping[str, Mapping[str, Any]], path: str) -> None:
    if len(parameters) > PARAMETERS_MAX:
        raise InvalidConfiguration(
            f"{path}.parameters has more than {PARAMETERS_MAX}", param=f"{path}.parameters"
        )
    for name in parameters:
        if not PARAMETER_SHAPE.fullmatch(name):
            raise InvalidConfiguration(
                f"{path}.parameters has {name[:80]!r}: names are 1-63 of a-z, A-Z, 0-9 and '_', and start "
                "with a letter or '_'",
                param=f"{path}.parameters",
            )
    if unknown := sorted(used - parameters.keys()):
        raise InvalidConfiguration(
            f"{path}.sql uses :{unknown[0]}, which {path}.parameters does not have", param=f"{path}.sql"
        )
    if unused := sorted(parameters.keys() - used):
        raise InvalidConfiguration(
            f"{path}.parameters.{unused[0]} is used nowhere in {path}.sql: nothing would come of its value",
            param=f"{path}.parameters.{unused[0]}",
        )


def _check_type(schema: Mapping[str, Any], dialect: SqlDialect, path: str) -> None:
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said) if isinstance(said, list | tuple) else set()
    if "object" in types:
        raise InvalidConfiguration(f"{path} is an object: pass it as JSON in a string", param=path)
    if "array" in types and dialect not in WITH_ARRAYS:
        raise InvalidConfiguration(
            f"{path} is an array, which {dialect} has no values for: use one parameter for each value",
            param=path,
        )
