"""Free SQL: taken apart, held against what is allowed, and written anew from its tree with a limit.

Nothing a caller wrote reaches a database as they wrote it. Where readers could disagree, it is refused. The
guard is one layer: transactions that cannot write, a role that may do little, and limits are others.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlglot import exp
from sqlglot.errors import SqlglotError

from adapters.databases import sql_kinds
from adapters.databases.sql_postgres import Reading, read_as_postgres, require_grammar
from adapters.databases.sql_trees import Names, names_in, parse_one, part
from adapters.databases.sql_written import check_written, sql_of
from domain.connectors.sql_dialect import SQL_BYTES_MAX, SqlDialect
from domain.connectors.sql_policy import PARENTHESES_MAX, TOKENS_MAX, NamePart, SqlPolicy, TableName
from domain.connectors.sql_tokens import SqlUnreadable, Token, TokenKind, tokens
from domain.errors import ToolRefused

_REMEMBERED_MAX: Final = 256
_ON_THE_LOOP_CHARS_MAX: Final = 512
"""Read at once, in a few milliseconds; what is longer is read in a thread."""
_THREADS: Final = 2
_READ: Final = frozenset({"SELECT", "WITH", "VALUES", "("})
_WRITE: Final = frozenset({"INSERT", "UPDATE", "DELETE"})
_WRITTEN_FOR_SIGNS: Final = frozenset({"power", "extract"})
"""`^` and date_part become these."""
_WRITTEN_AS_WORDS: Final = frozenset({"now", "date_part"})
"""CURRENT_TIMESTAMP is no function, EXTRACT is another."""
_SIGNS_REFUSED: Final = {
    SqlDialect.POSTGRES: "$",
    SqlDialect.DUCKDB: "$?",
    SqlDialect.MYSQL: "$?@",
    SqlDialect.ORACLE: "$?@#",
    SqlDialect.TSQL: "$?@#",
    SqlDialect.SQLITE: "$?@#",
}
_HINTS: Final = ("/*!", "/*M!", "/*+", "--+")


class GuardedSql(NamedTuple):
    """`text` is to be run as it is; it has no placeholders."""

    text: str
    writes: bool
    tables: frozenset[TableName]


class SqlGuard:
    """For one integration. Remembers what it judged lately: the same text is judged the same."""

    def __init__(self, policy: SqlPolicy) -> None:
        """Raises InvalidConfiguration where a parser is not installed."""
        if policy.dialect is SqlDialect.POSTGRES:
            require_grammar()
        self._policy = policy
        self._judged: OrderedDict[tuple[str, int], GuardedSql] = OrderedDict()
        self._threads = asyncio.Semaphore(_THREADS)

    async def admit(self, text: str, rows_max: int) -> GuardedSql:
        """As `check`, without holding up the event loop for long texts."""
        found = self._judged.get((text, rows_max))
        if found is not None:
            self._judged.move_to_end((text, rows_max))
            return found
        if len(text) <= _ON_THE_LOOP_CHARS_MAX:
            guarded = self.check(text, rows_max)
            self._remember(text, rows_max, guarded)
            return guarded
        async with self._threads:
            return await asyncio.to_thread(self.check, text, rows_max)

    def check(self, text: str, rows_max: int) -> GuardedSql:
        """One statement that asks for at most `rows_max` rows. Raises ToolRefused, and nothing else."""
        guarded = self._judge(text, rows_max)
        try:
            again = self._judge(guarded.text, rows_max)
        except ToolRefused:
            again = None
        if again != guarded:
            raise _refused("this SQL could be read in more than one way: write it more plainly")
        return guarded

    def _judge(self, text: str, rows_max: int) -> GuardedSql:
        policy = self._policy
        found = self._readable(text)
        plain = _without_comments(found)
        tree = parse_one(plain, policy.dialect, len(found))
        writes = isinstance(tree, sql_kinds.STATEMENTS_WRITING)
        _check_statement(tree, policy)
        for node in tree.walk():
            _check_node(node, policy, tree)
        names = names_in(tree, policy)
        _check_columns(tree, names, policy)
        written = self._written(_limited(tree, rows_max, policy.dialect))
        check_written(written, tree, policy)
        if policy.dialect is SqlDialect.POSTGRES:
            _compare(read_as_postgres(plain, policy), read_as_postgres(written, policy), names, tree)
        return GuardedSql(written, writes, names.tables)

    def _remember(self, text: str, rows_max: int, guarded: GuardedSql) -> None:
        self._judged[text, rows_max] = guarded
        while len(self._judged) > _REMEMBERED_MAX:
            self._judged.popitem(last=False)

    def _readable(self, text: str) -> list[Token]:
        """Its tokens, without a `;` at the end."""
        if len(text) > SQL_BYTES_MAX or len(text.encode("utf-8", "replace")) > SQL_BYTES_MAX:
            raise _refused(f"this SQL has more than {SQL_BYTES_MAX} bytes")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise _refused("this SQL is not Unicode text")
        try:
            found = tokens(text, self._policy.dialect)
        except SqlUnreadable as error:
            raise _refused(f"this SQL cannot be read: {error}") from None
        if sum(token.kind is not TokenKind.SPACE for token in found) > TOKENS_MAX:
            raise _refused(f"this SQL has more than {TOKENS_MAX} words and signs")
        if any(token.kind is TokenKind.COMMENT and token.text.startswith(_HINTS) for token in found):
            raise _refused("free SQL has no hints and no comments that are executed")
        while found and (found[-1].text == ";" or found[-1].kind in (TokenKind.SPACE, TokenKind.COMMENT)):
            found.pop()
        _check_tokens(found, self._policy)
        return found

    def _written(self, tree: exp.Expr) -> str:
        try:
            return sql_of(tree, self._policy.dialect)
        except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, KeyError):
            # Of the generator, on trees it does not know how to write in this dialect.
            raise _refused("this SQL uses something that cannot be written safely here") from None


def _check_tokens(found: Sequence[Token], policy: SqlPolicy) -> None:
    depth = 0
    first = next((t.text.upper() for t in found if t.kind not in (TokenKind.SPACE, TokenKind.COMMENT)), "")
    if first not in _READ and not (policy.write and first in _WRITE):
        also = " or INSERT, UPDATE, DELETE" if policy.write else ""
        raise _refused(f"free SQL begins with SELECT, WITH or VALUES{also} here, not with {first[:40]!r}")
    for token, after in zip(found, [*found[1:], Token(TokenKind.SPACE, " ")], strict=True):
        match token.kind:
            case TokenKind.PLACEHOLDER:
                raise _refused(f"free SQL has no placeholders such as {token.text[:80]!r}: write the value")
            case TokenKind.WORD if token.text.upper() == "U" and after.text == "&":
                raise _refused(
                    "free SQL has no names or literals with U& escapes: write the signs themselves"
                )
            case TokenKind.WORD if not token.text.isascii():
                raise _refused(f"{token.text[:80]!r} has signs that need quotes")
            case TokenKind.LITERAL if token.text[0] in "eE" and policy.dialect is SqlDialect.DUCKDB:
                raise _refused("free SQL has no E'' literals here: write the signs themselves")
            case TokenKind.SYMBOL if token.text == ";":
                raise _refused("free SQL is exactly one statement: there is a `;` inside")
            case TokenKind.SYMBOL if not token.text.isascii() or not token.text.isprintable():
                raise _refused("there is a sign outside quotes that no SQL has")
            case TokenKind.SYMBOL if token.text in _SIGNS_REFUSED[policy.dialect]:
                raise _refused(f"free SQL has no variables or places for values such as {token.text!r}")
            case TokenKind.SYMBOL if token.text in "()":
                depth += 1 if token.text == "(" else -1
            case TokenKind.SPACE if not token.text.isascii():
                raise _refused("there is a space outside quotes that is none to every database")
            case _:
                pass
        if depth > PARENTHESES_MAX:
            raise _refused(f"this SQL has more than {PARENTHESES_MAX} parentheses inside one another")


def _without_comments(found: Sequence[Token]) -> str:
    return "".join(" " if token.kind is TokenKind.COMMENT else token.text for token in found)


def _check_statement(tree: exp.Expr, policy: SqlPolicy) -> None:
    if isinstance(tree, sql_kinds.STATEMENTS_READING):
        return
    if not (policy.write and isinstance(tree, sql_kinds.STATEMENTS_WRITING)):
        raise _refused(f"free SQL may not be {_called(tree)} here")
    if isinstance(tree, exp.Update | exp.Delete) and tree.args.get("where") is None:
        raise _refused("UPDATE and DELETE need a WHERE: without one they would change every row")


def _check_node(node: exp.Expr, policy: SqlPolicy, root: exp.Expr) -> None:
    kind = type(node).__name__
    if isinstance(node, sql_kinds.STATEMENTS_WRITING) and node is not root:
        raise _refused(f"{_called(node)} inside another statement")
    known = kind in sql_kinds.STRUCTURE or (policy.write and kind in sql_kinds.WRITING)
    if not known and not (isinstance(node, exp.Func) and sql_kinds.is_known_function(type(node))):
        raise _refused(f"free SQL may not use {_called(node)}")
    if isinstance(node, exp.Select) and not node.expressions:
        raise _refused("SELECT has to say what")
    allowed = sql_kinds.ARGUMENTS.get(kind)
    if allowed is not None:
        for name, value in node.args.items():
            if name not in allowed and value not in (None, False, []):
                raise _refused(f"free SQL may not use {name.strip('_').upper()} of {_called(node)}")
    if isinstance(node, exp.Anonymous):
        policy.check_function(_function_name(node))
    elif isinstance(node, exp.Dot) and not isinstance(node.expression, exp.Func | exp.Identifier | exp.Star):
        raise _refused("a `.` that is followed by neither a name nor a function")
    elif isinstance(node, exp.In) and node.args.get("field") and policy.dialect is not SqlDialect.DUCKDB:
        raise _refused("IN is followed by a list or a query in parentheses: a bare name is a table")
    elif isinstance(node, exp.DataType) and node.this not in sql_kinds.TYPES:
        raise _refused(f"free SQL may not use the type {str(node.this)[:80]}")


def _function_name(node: exp.Anonymous) -> list[NamePart]:
    """With the schema before it, if any."""
    name = part(node.this) if isinstance(node.this, exp.Identifier) else NamePart(str(node.this))
    parts = [name]
    parent = node.parent
    if isinstance(parent, exp.Dot) and parent.expression is node:
        before = parent.this
        parts = [*(part(piece) for piece in before.find_all(exp.Identifier, bfs=False)), name]
    return parts


def _check_columns(tree: exp.Expr, names: Names, policy: SqlPolicy) -> None:
    """`a.b` is a column of something this statement names, never a function or sequence of a package."""
    if policy.dialect is SqlDialect.DUCKDB:
        return  # `a.b` is a field of a column there as well, and has neither
    known = {table.name for table in names.tables} | names.ctes | {policy.fold(NamePart("excluded"))}
    for alias in tree.find_all(exp.TableAlias):
        if isinstance(alias.this, exp.Identifier):
            known.add(policy.fold(part(alias.this)))
    for column in tree.find_all(exp.Column):
        table = column.args.get("table")
        if isinstance(table, exp.Identifier) and policy.fold(part(table)) not in known:
            raise _refused(f"{column.sql()[:200]!r} belongs to no table of this statement")


def _limited(tree: exp.Expr, rows_max: int, dialect: SqlDialect) -> exp.Expr:
    while isinstance(tree, exp.Subquery) and not any(
        value for name, value in tree.args.items() if name != "this"
    ):
        tree = tree.this
    if not isinstance(tree, exp.Select | exp.SetOperation):
        return tree
    limit = tree.args.get("limit")
    asked: int | None = None
    if limit is not None:
        count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
        count = count.this if isinstance(count, exp.Paren) else count
        if not isinstance(count, exp.Literal) or count.is_string or not str(count.this).isdecimal():
            raise _refused("LIMIT has to be a number that is written out")
        asked = int(str(count.this)[:20])
    elif isinstance(tree, exp.SetOperation) and dialect is SqlDialect.TSQL:
        return tree  # has no place for one; what is fetched is limited all the same
    if asked is None or asked > rows_max:
        return tree.limit(rows_max, copy=False)
    return tree


def _compare(original: Reading, written: Reading, names: Names, tree: exp.Expr) -> None:
    """That both parsers saw the same, before and after it was written anew."""
    called = {
        str(node.this.this if isinstance(node.this, exp.Identifier) else node.this).lower()
        for node in tree.find_all(exp.Anonymous)
    }
    same = (
        original.tables == names.tables == written.tables
        and original.ctes == names.ctes == written.ctes
        and called <= {name.lower() for name in original.functions}
        and called <= {name.lower() for name in written.functions}
        and written.functions <= original.functions | _WRITTEN_FOR_SIGNS
        and original.functions <= written.functions | _WRITTEN_AS_WORDS
        and written.texts <= original.texts
    )
    if not same:
        raise _refused("two parsers read this SQL differently: write it more plainly")


def _called(node: exp.Expr) -> str:
    return type(node).__name__.upper()


def _refused(message: str) -> ToolRefused:
    return ToolRefused(message, param="sql")
