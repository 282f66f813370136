"""Rows of LiteLLM's tables from a dump: `pg_dump` in plain text (COPY or INSERT), JSON, or CSV.

Only the tables that are asked for are kept; everything else is read over, line by line.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from domain.errors import InvalidRequest

TOKENS: Final = "LiteLLM_VerificationToken"
TEAMS: Final = "LiteLLM_TeamTable"
ROWS_MAX: Final = 1_000_000
_COPY: Final = re.compile(r'COPY\s+(?:"?\w+"?\.)?"?(\w+)"?\s*\((.*)\)\s+FROM\s+stdin;', re.IGNORECASE)
_INSERT: Final = re.compile(
    r'INSERT\s+INTO\s+(?:"?\w+"?\.)?"?(\w+)"?\s*(?:\((.*?)\))?\s*VALUES\s*', re.IGNORECASE | re.DOTALL
)
_COPY_ESCAPES: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

Row = dict[str, Any]
Tables = dict[str, list[Row]]


def read_dump(text: str, file_name: str) -> Tables:
    """Rows of the two tables by column; values are text, numbers, booleans, lists or None.

    Raises:
        InvalidRequest: the table of keys is not in there; says what was expected.
    """
    stripped = text.lstrip()
    if file_name.lower().endswith(".json") or stripped.startswith(("{", "[")):
        tables = _from_json(stripped)
    elif file_name.lower().endswith(".csv"):
        tables = {TOKENS: _from_csv(text)}
    else:
        tables = _from_sql(text)
    rows = tables.get(TOKENS, [])
    if not rows or "token" not in rows[0]:
        raise InvalidRequest(
            f"{file_name}: no rows of {TOKENS} with a column `token`; give a plain-text pg_dump of that "
            "table, a JSON array of its rows, or a CSV with a header",
            param="database",
        )
    return tables


def _from_csv(text: str) -> list[Row]:
    try:
        return [dict(row) for row in csv.DictReader(io.StringIO(text))]
    except csv.Error as error:
        raise InvalidRequest(f"not valid CSV: {error}", param="database") from None


def _from_json(text: str) -> Tables:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"not valid JSON: {error}", param="database") from None
    except RecursionError:
        raise InvalidRequest("not valid JSON: nested too deeply", param="database") from None
    if isinstance(data, list):
        data = {TOKENS: data}
    return {
        name: [row for row in data.get(name, ()) if isinstance(row, dict)]
        for name in (TOKENS, TEAMS)
        if isinstance(data, dict) and isinstance(data.get(name), list)
    }


def _from_sql(text: str) -> Tables:
    tables: Tables = {}
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        copy = _COPY.match(line)
        if copy is not None:
            rows = _copied(lines, _names(copy[2]))
            if copy[1] in (TOKENS, TEAMS):
                tables.setdefault(copy[1], []).extend(rows)
            else:
                for _ in rows:  # read over
                    pass
        elif line.lstrip()[:6].upper() == "INSERT" and (TOKENS in line or TEAMS in line):
            _insert(line, lines, tables)
    return tables


def _names(columns: str) -> list[str]:
    return [name.strip().strip('"') for name in columns.split(",")]


def _copied(lines: Iterable[str], names: Sequence[str]) -> Iterator[Row]:
    for count, line in enumerate(lines):
        text = line.rstrip("\r\n")
        if text == "\\.":
            return
        if count >= ROWS_MAX:
            raise InvalidRequest(f"more than {ROWS_MAX} rows in one table", param="database")
        yield dict(zip(names, (_copy_value(cell) for cell in text.split("\t")), strict=False))


def _copy_value(cell: str) -> str | None:
    if cell == "\\N":
        return None
    return re.sub(r"\\(.)", lambda match: _COPY_ESCAPES.get(match[1], match[1]), cell)


def _insert(line: str, lines: Iterator[str], tables: Tables) -> None:
    """One statement, which may go on over many lines."""
    parts = [line]
    quotes = line.count("'")
    # Every line is looked at once: a statement may hold a whole table.
    while quotes % 2 or not line.rstrip().endswith(";"):
        more = next(lines, None)
        if more is None:
            break
        line = more
        quotes += line.count("'")
        parts.append(line)
    statement = "".join(parts)
    head = _INSERT.match(statement.lstrip())
    if head is None or head[1] not in (TOKENS, TEAMS):
        return
    if head[2] is None:
        raise InvalidRequest(
            "INSERT without column names; dump with --column-inserts, or without --inserts", param="database"
        )
    names = _names(head[2])
    for values in _tuples(statement.lstrip()[head.end() :]):
        tables.setdefault(head[1], []).append(dict(zip(names, values, strict=False)))


_PART: Final = re.compile(
    r"""\s*(?: E?'((?:[^']|'')*)'(?:::[\w"\[\] ]+)?    # text, perhaps with a cast
        | (ARRAY\s*\[)                                 # a list begins
        | ([()\],;])
        | ([^\s,()\[\]';]+)(?:::[\w"\[\] ]+)? )""",
    re.VERBOSE | re.IGNORECASE,
)


def _tuples(text: str) -> Iterator[list[Any]]:
    """The parenthesised rows of a VALUES list."""
    row: list[Any] = []
    inner: list[Any] | None = None
    place = 0
    while match := _PART.match(text, place):
        place = match.end()
        quoted, array, sign, word = match.groups()
        into = row if inner is None else inner
        if quoted is not None:
            into.append(quoted.replace("''", "'"))
        elif array:
            inner = []
        elif word is not None:
            into.append(_word(word))
        elif sign == "]" and inner is not None:
            row.append(inner)
            inner = None
        elif sign == "(":
            row = []
        elif sign == ")":
            yield row
        elif sign == ";":
            return


def _word(word: str) -> Any:
    plain = word.partition("::")[0]
    return {"null": None, "true": True, "false": False}.get(plain.lower(), plain)


def as_list(value: Any) -> list[str]:
    """A PostgreSQL array (`{a,"b c"}`), a JSON array, or a list, as texts."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    text = str(value).strip()
    if text.startswith("["):
        try:
            return [str(one) for one in json.loads(text)]
        except ValueError:
            return []
    if text.startswith("{") and text.endswith("}"):
        cells = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}]+)', text[1:-1])
        return [re.sub(r"\\(.)", r"\1", quoted) if quoted else plain.strip() for quoted, plain in cells]
    return [text] if text else []
