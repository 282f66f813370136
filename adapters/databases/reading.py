"""Which statements an engine runs as reading, by their words alone.

The last net, under the query's author, the guard of free SQL and the database's own read-only transaction:
it catches what could end that transaction, and stands in where a database has none (SQL Server).
"""

from collections.abc import Sequence
from typing import Final

from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import SqlUnreadable, Token, TokenKind, tokens
from domain.errors import ToolRefused

_OPENING: Final = {
    SqlDialect.MYSQL: frozenset(
        {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "("}
    ),
    SqlDialect.ORACLE: frozenset({"SELECT", "WITH", "("}),
    SqlDialect.TSQL: frozenset({"SELECT", "WITH", "("}),
}
"""`CALL` and `BEGIN NOT ATOMIC` of MySQL, blocks of Oracle, can commit and begin anew: none begins so."""
_CODE: Final = frozenset({"FUNCTION", "PROCEDURE"})
"""After WITH, Oracle takes code, which may have transactions of its own."""
_CHANGING: Final = frozenset(
    {
        "ALTER", "BACKUP", "BEGIN", "BREAK", "BULK", "CHECKPOINT", "CLOSE", "COMMIT", "CONTINUE", "CREATE",
        "DBCC", "DEALLOCATE", "DECLARE", "DELETE", "DENY", "DROP", "DUMP", "EXEC", "EXECUTE", "GOTO",
        "GRANT", "HOLDLOCK", "IF", "INSERT", "INTO", "KILL", "LINENO", "LOAD", "MERGE", "OPEN",
        "OPENDATASOURCE", "OPENQUERY", "OPENROWSET", "PRINT", "RAISERROR", "READTEXT", "RECONFIGURE",
        "RESTORE", "RETURN", "REVERT", "REVOKE", "ROLLBACK", "SAVE", "SET", "SETUSER", "SHUTDOWN",
        "TABLOCKX", "TRAN", "TRANSACTION", "TRUNCATE", "UPDATE", "UPDATETEXT", "UPDLOCK", "USE", "WAITFOR",
        "WHILE", "WRITETEXT", "XLOCK",
    }
)  # fmt: skip
"""T-SQL needs no `;` between statements, so words that begin one, or change something, are refused anywhere.
All but a few are reserved: a column of that name has to be quoted."""


def tokens_of(text: str, dialect: SqlDialect, *, write: bool) -> Sequence[Token]:
    """Taken apart, and looked at where it may only read. Raises ToolRefused."""
    try:
        found = tokens(text, dialect)
    except SqlUnreadable as error:
        raise ToolRefused(f"the statement cannot be read: {error}") from None
    if not write:
        _check(found, dialect)
    return found


def _check(found: Sequence[Token], dialect: SqlDialect) -> None:
    if any(t.kind is TokenKind.COMMENT and t.text.startswith(("/*!", "/*M!")) for t in found):
        raise ToolRefused("the statement has a comment that is executed (`/*!`)")
    spoken = [token for token in found if token.kind not in (TokenKind.SPACE, TokenKind.COMMENT)]
    if not spoken or spoken[0].text.upper() not in _OPENING[dialect]:
        raise ToolRefused("only statements that read can be run here: SELECT and the like")
    if dialect is SqlDialect.ORACLE and len(spoken) > 1 and spoken[1].text.upper() in _CODE:
        raise ToolRefused("functions and procedures inside a statement are not run here")
    if dialect is SqlDialect.TSQL:
        _check_batch(spoken)


def _check_batch(spoken: Sequence[Token]) -> None:
    for token, following in zip(spoken, (*spoken[1:], None), strict=True):
        if token.text.upper() == "NEXT" and following is not None and following.text.upper() == "VALUE":
            raise ToolRefused("a sequence keeps what it gave, so it is not asked in a statement that reads")
        if token.kind is TokenKind.SYMBOL and token.text == ";":
            raise ToolRefused("only one statement can be run here, without a `;`")
        if token.kind is TokenKind.WORD and token.text.upper() in _CHANGING:
            raise ToolRefused(f"the word {token.text} has no place in a statement that reads; quote a name")
