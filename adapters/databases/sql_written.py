"""A last look at SQL that is about to be run: which names stand before parentheses, whoever read it how."""

from collections import Counter
from typing import Final

from sqlglot import exp

from adapters.databases.sql_trees import part
from domain.connectors.sql_functions import words
from domain.connectors.sql_policy import NamePart, SqlPolicy, unquoted
from domain.connectors.sql_tokens import SqlUnreadable, Token, TokenKind, tokens
from domain.errors import ToolRefused

_WORDS_OF_SQL: Final = words(
    """
    ALL AND ANY APPLY ARRAY AS BETWEEN BY CASE CAST CONFLICT CUBE DISTINCT ELSE EXCEPT EXCLUDE EXISTS FILTER
    FROM GROUP HAVING ILIKE IN INTERSECT INTERVAL IS JOIN LATERAL LIKE LIMIT MATERIALIZED NOT OFFSET ON
    OR OVER RETURNING ROLLUP ROW ROWS SELECT SET SETS SOME THEN TOP TRY_CAST UNION USING VALUES WHEN
    WHERE WITH
    """
)
_TYPES: Final = words(
    """
    BIGINT BINARY BIT BPCHAR CHAR DATETIME DATETIME2 DATETIMEOFFSET DECIMAL DOUBLE FLOAT INT INTEGER
    NCHAR NUMBER NUMERIC NVARCHAR NVARCHAR2 PRECISION REAL SMALLINT TEXT TIME TIMESTAMP TIMESTAMPTZ
    TIMETZ TINYINT VARBINARY VARBIT VARCHAR VARCHAR2 SIGNED UNSIGNED
    """
)


def check_written(text: str, tree: exp.Expr, policy: SqlPolicy) -> None:
    """Raises ToolRefused."""
    try:
        found = [t for t in tokens(text, policy.dialect) if t.kind is not TokenKind.SPACE]
    except SqlUnreadable as error:
        raise ToolRefused(f"this SQL cannot be written safely: {error}", param="sql") from None
    if any(token.kind in (TokenKind.PLACEHOLDER, TokenKind.COMMENT) or token.text == ";" for token in found):
        raise ToolRefused("this SQL cannot be written safely", param="sql")
    before_parentheses = [
        _name(found, position)
        for position in range(len(found) - 1)
        if found[position + 1].text == "(" and found[position].kind in (TokenKind.WORD, TokenKind.QUOTED_NAME)
    ]
    columns_of = _names_with_columns(tree, policy)
    for name in before_parentheses:
        last = name[-1]
        if not last.quoted and len(name) == 1 and last.text.upper() in _WORDS_OF_SQL | _TYPES:
            continue
        folded = policy.fold(last)
        if columns_of[folded] > 0:
            columns_of[folded] -= 1
            continue
        policy.check_function(name)


def _name(found: list[Token], position: int) -> list[NamePart]:
    """The name that ends there, with what is before its dots."""
    parts = [_part(found[position])]
    while (
        position >= 2
        and found[position - 1].text == "."
        and found[position - 2].kind in (TokenKind.WORD, TokenKind.QUOTED_NAME)
    ):
        position -= 2
        parts.insert(0, _part(found[position]))
    return parts


def _part(token: Token) -> NamePart:
    if token.kind is TokenKind.QUOTED_NAME:
        return NamePart(unquoted(token.text), quoted=True)
    return NamePart(token.text)


def _names_with_columns(tree: exp.Expr, policy: SqlPolicy) -> Counter[str]:
    """`x (a, b)` in WITH, after AS and after INTO names columns; so often is that no call."""
    named: Counter[str] = Counter()
    for alias in tree.find_all(exp.TableAlias):
        if alias.args.get("columns") and isinstance(alias.this, exp.Identifier):
            named[policy.fold(part(alias.this))] += 1
    for schema in tree.find_all(exp.Schema):
        if isinstance(schema.this, exp.Table) and isinstance(schema.this.this, exp.Identifier):
            named[policy.fold(part(schema.this.this))] += 1
    return named
