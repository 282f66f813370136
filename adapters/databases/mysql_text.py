"""Values as literals of MySQL and MariaDB, for a protocol whose statements are text.

Text becomes `_utf8mb4 X'…'`, hexadecimal digits that end nothing and escape nothing, whatever `sql_mode` says
of backslashes and quotes. That also makes it a value of the column's collation, as a plain literal is.
"""

import datetime
import decimal
import math
from collections.abc import Mapping
from typing import Any, Final

from adapters.databases.reading import tokens_of
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import TokenKind
from domain.errors import InvalidParameters

_INTEGER_BITS_MAX: Final = 4096
"""No column holds so many; text of a longer integer takes time that grows with its square."""


def statement_text(text: str, values: Mapping[str, Any], *, write: bool) -> str:
    """The statement with its values in their places. Raises InvalidParameters, ToolRefused."""
    parts = []
    for token in tokens_of(text, SqlDialect.MYSQL, write=write):
        if token.kind is not TokenKind.PLACEHOLDER:
            parts.append(token.text)
            continue
        name = token.text[1:]
        parts.append(f" {literal(values[name], name)} ")
    return "".join(parts)


def literal(value: Any, name: str) -> str:
    """Raises InvalidParameters for what no column holds."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            if value.bit_length() > _INTEGER_BITS_MAX:
                raise InvalidParameters(f"{name} is too large a number", param=f"parameters.{name}")
            return str(value)
        case float():
            if not math.isfinite(value):
                raise InvalidParameters(f"{name} is not a finite number", param=f"parameters.{name}")
            return repr(value) if "e" in repr(value) else f"{value!r}e0"
        case decimal.Decimal():
            if not value.is_finite():
                raise InvalidParameters(f"{name} is not a finite number", param=f"parameters.{name}")
            return _text(str(value), name)
        case str():
            return _text(value, name)
        case bytes() | bytearray():
            return f"_binary X'{value.hex()}'"
        case datetime.datetime():
            return _text(value.isoformat(sep=" "), name)
        case datetime.date() | datetime.time():
            return _text(value.isoformat(), name)
    raise InvalidParameters(
        f"{name} is a list or an object, which MySQL has no values for", param=f"parameters.{name}"
    )


def _text(value: str, name: str) -> str:
    try:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    except UnicodeEncodeError:
        raise InvalidParameters(
            f"{name} has half a character (a lone surrogate)", param=f"parameters.{name}"
        ) from None
