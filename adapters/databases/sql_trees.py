"""Reading SQL into sqlglot's tree with bounded work, and finding what it names."""

from functools import cache
from typing import Any, Final, NamedTuple

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError
from sqlglot.parser import Parser

from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_policy import DEPTH_MAX, JOINS_MAX, NODES_MAX, NamePart, SqlPolicy, TableName
from domain.errors import ToolRefused

_STEPS_PER_TOKEN: Final = 40
_STEPS_FREE: Final = 5000
_SELF_WITHOUT_RECURSIVE: Final = (SqlDialect.TSQL, SqlDialect.ORACLE)
"""There a WITH query that is a union may name itself."""


class _TooMuchWork(Exception):
    """Not a ParseError: the parser would catch that and try the next way to read it."""


class Names(NamedTuple):
    """`tables` are those that are no CTE."""

    tables: frozenset[TableName]
    ctes: frozenset[str]


def parse_one(text: str, dialect: SqlDialect, tokens_count: int) -> exp.Expr:
    """Work is linear in the tokens: nested types alone would make it exponential. Raises ToolRefused."""
    reader = Dialect.get_or_raise(dialect.value)
    parser = _bounded_parser(dialect)(dialect=reader, error_level=ErrorLevel.IMMEDIATE)
    parser.steps_left = tokens_count * _STEPS_PER_TOKEN + _STEPS_FREE
    try:
        trees = parser.parse(reader.tokenize(text), text)
    except (ParseError, TokenError) as error:
        raise ToolRefused(f"this SQL cannot be read: {_shown(error)}", param="sql") from None
    except (_TooMuchWork, RecursionError):
        raise ToolRefused("this SQL is nested too deeply to be read", param="sql") from None
    except (SqlglotError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        # Of the parser, on what is no SQL; whatever it cannot read is refused.
        raise ToolRefused("this SQL cannot be read", param="sql") from None
    if len(trees) != 1 or trees[0] is None:
        raise ToolRefused("free SQL is exactly one statement", param="sql")
    tree: exp.Expr = trees[0]
    _check_size(tree)
    return tree


@cache
def _bounded_parser(dialect: SqlDialect) -> Any:
    base: type[Parser] = Dialect.get_or_raise(dialect.value).parser_class

    class Bounded(base):  # type: ignore[misc, valid-type]
        steps_left = _STEPS_FREE

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise _TooMuchWork
            super()._advance(times)

    return Bounded


def _shown(error: SqlglotError) -> str:
    """Where it is wrong; without the excerpt that has colours in it."""
    first = str(error).splitlines()[0] if str(error) else "unknown"
    return first[:200]


def _check_size(root: exp.Expr) -> None:
    waiting: list[tuple[exp.Expr, int]] = [(root, 1)]
    nodes = joins = 0
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        joins += isinstance(node, exp.Join)
        if depth > DEPTH_MAX:
            raise ToolRefused(f"this SQL is nested more than {DEPTH_MAX} deep", param="sql")
        waiting.extend((child, depth + 1) for child in node.iter_expressions())
    if nodes > NODES_MAX:
        raise ToolRefused(f"this SQL has more than {NODES_MAX} parts", param="sql")
    if joins > JOINS_MAX:
        raise ToolRefused(f"this SQL has more than {JOINS_MAX} joins", param="sql")


def part(node: Any) -> NamePart:
    return NamePart(str(node.this), quoted=bool(node.args.get("quoted")))


def names_in(root: exp.Expr, policy: SqlPolicy) -> Names:
    """Tables as the database resolves them: a name is a CTE only where that CTE can be seen.

    A name that is a CTE somewhere and something else elsewhere is refused: readers disagree on such. Writes
    the default schema into the tree where tables are listed. Raises ToolRefused.
    """
    defined = _cte_names(root, policy)
    lowered = {name.lower() for name in defined}
    tables: set[TableName] = set()
    waiting: list[tuple[exp.Expr, frozenset[str]]] = [(root, frozenset())]
    while waiting:
        node, seen = waiting.pop()
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            _add_table(node, seen, lowered, tables, policy)
        with_ = node.args.get("with_")
        if isinstance(with_, exp.With):
            for cte in with_.expressions:
                name = policy.fold(part(cte.args["alias"].this))
                itself = with_.recursive or (
                    policy.dialect in _SELF_WITHOUT_RECURSIVE and isinstance(cte.this, exp.Union)
                )
                waiting.append((cte.this, seen | {name} if itself else seen))
                seen |= {name}
        waiting.extend((child, seen) for child in node.iter_expressions() if child is not with_)
    return Names(frozenset(tables), defined)


def _add_table(
    node: exp.Table, seen: frozenset[str], ctes: set[str], tables: set[TableName], policy: SqlPolicy
) -> None:
    parts = [part(node.args[key]) for key in ("catalog", "db", "this") if node.args.get(key) is not None]
    if len(parts) == 1 and parts[0].text.lower() in ctes:
        target = isinstance(node.parent, exp.Insert | exp.Update | exp.Delete | exp.Schema)
        if policy.fold(parts[0]) in seen and not target:
            return
        raise ToolRefused(
            f"{parts[0].text[:200]!r} is a name of WITH, used where that cannot be seen: use another name",
            param="sql",
        )
    tables.add(policy.table(parts))
    if len(parts) == 1 and policy.tables is not None and policy.default_schema:
        node.set("db", exp.to_identifier(policy.default_schema, quoted=not policy.default_schema.islower()))


def _cte_names(root: exp.Expr, policy: SqlPolicy) -> frozenset[str]:
    names: list[str] = []
    for cte in root.find_all(exp.CTE):
        alias = cte.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or not isinstance(alias.this, exp.Identifier):
            raise ToolRefused("a query of WITH has no name", param="sql")
        names.append(policy.fold(part(alias.this)))
    if len({name.lower() for name in names}) != len(names):
        raise ToolRefused("two queries of WITH have the same name: use another", param="sql")
    return frozenset(names)
