"""Writing SQL anew from its tree, and a last look at it: which names stand before parentheses, whoever read
it how."""

from collections import Counter
from functools import cache
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel
from sqlglot.generator import Generator

from adapters.databases.sql_trees import part
from domain.connectors.sql_dialect import SqlDialect
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


def sql_of(tree: exp.Expr, dialect: SqlDialect) -> str:
    """Without comments. Raises SqlglotError where the dialect has no words for it, and what else a generator
    raises on trees it does not know."""
    writer = _generator(dialect)(
        dialect=Dialect.get_or_raise(dialect.value),
        comments=False,
        normalize_functions=False,
        # T-SQL needs nothing between two statements: no name may be read as the next one's verb.
        identify=dialect is SqlDialect.TSQL,
        unsupported_level=ErrorLevel.RAISE,
    )
    text: str = writer.generate(tree)
    return text


@cache
def _generator(dialect: SqlDialect) -> Any:
    base: type[Generator] = Dialect.get_or_raise(dialect.value).generator_class
    if dialect is not SqlDialect.MYSQL:
        return base

    class Writer(base):  # type: ignore[misc, valid-type]
        """MariaDB knows REGEXP, and no REGEXP_LIKE."""

        def regexplike_sql(self, expression: exp.RegexpLike) -> str:
            if expression.args.get("flag"):
                return str(self.function_fallback_sql(expression))
            return str(self.binary(expression, "REGEXP"))

        TRANSFORMS: ClassVar[dict[Any, Any]] = {
            kind: way for kind, way in base.TRANSFORMS.items() if kind is not exp.RegexpLike
        }

    return Writer


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
