"""What PostgreSQL's own grammar makes of a statement, by lists of its own: a second opinion on free SQL."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from domain.connectors.sql_functions import words
from domain.connectors.sql_policy import NamePart, SqlPolicy, TableName
from domain.errors import InvalidConfiguration, ToolRefused

_READING: Final = words(
    """
    RawStmt SelectStmt ResTarget ColumnRef String Integer Float Boolean BitString A_Const A_Star A_Expr
    BoolExpr FuncCall RangeVar RangeSubselect RangeFunction JoinExpr Alias SortBy TypeCast TypeName
    CaseExpr CaseWhen CoalesceExpr MinMaxExpr NullTest BooleanTest SubLink WithClause CommonTableExpr
    WindowDef A_ArrayExpr A_Indices A_Indirection RowExpr GroupingSet GroupingFunc SQLValueFunction List
    """
)
_WRITING: Final = words(
    """
    InsertStmt UpdateStmt DeleteStmt OnConflictClause InferClause IndexElem MultiAssignRef SetToDefault
    ReturningClause
    """
)
_BY_GRAMMAR: Final = words(
    """
    btrim date_part extract like_escape ltrim overlay position rtrim similar_to_escape substring
    timezone
    """
)
"""Functions that the grammar itself puts there, always of `pg_catalog`."""
_COLUMNS_OF_FUNCTIONS: Final = frozenset({"key", "value", "ordinality"})
"""Of those that return more than one thing. No function has such a name."""
_VALUES: Final = frozenset(
    f"SVFOP_{name}{n}"
    for name in ("CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP")
    for n in ("", "_N")
)
_TYPES: Final = words(
    """
    bit bool boolean bpchar bytea char cidr date decimal double float4 float8 inet int int2 int4 int8
    integer bigint smallint interval json jsonb macaddr money numeric real text time timestamp
    timestamptz timetz tsquery tsvector uuid varbit varchar
    """
)
_OPERATORS: Final = words(
    """
    + - * / % ^ |/ ||/ @ & | # ~ << >> = <> != < > <= >= || ~* !~ !~* ~~ !~~ ~~* !~~* -> ->> #> #>> @>
    <@ ? ?| ?& #- @? @@ && -|- BETWEEN IN
    """
) | {"NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"}


class Reading(NamedTuple):
    """`tables` are those that are no CTE."""

    tables: frozenset[TableName]
    ctes: frozenset[str]
    functions: frozenset[str]
    texts: frozenset[str]
    """Its string literals, in lower case and without spaces at their ends."""


def require_grammar() -> None:
    """Raises InvalidConfiguration where it is not installed."""
    try:
        import pglast  # noqa: F401
    except ImportError:
        raise InvalidConfiguration(
            "free SQL for PostgreSQL needs the package pglast: pip install 'interchange[postgres]'",
            param="free_sql.enabled",
        ) from None


def read_as_postgres(text: str, policy: SqlPolicy) -> Reading:
    """Raises ToolRefused."""
    from pglast import parse_sql
    from pglast.parser import ParseError

    try:
        statements = parse_sql(text)
    except (ParseError, RecursionError, UnicodeError) as error:
        raise ToolRefused(f"PostgreSQL cannot read this SQL: {str(error)[:200]}", param="sql") from None
    if len(statements) != 1:
        raise ToolRefused("free SQL is exactly one statement", param="sql")
    nodes = list(_walk(statements[0]))
    for node in nodes:
        _check(node, policy)
    _check_fields(nodes)
    return _reading(nodes, policy)


def _walk(root: Any) -> Iterator[Any]:
    from pglast.ast import Node

    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple | list):
            waiting.extend(node)
        elif isinstance(node, Node):
            yield node
            waiting.extend(getattr(node, name) for name in node)


def _check(node: Any, policy: SqlPolicy) -> None:
    kind = type(node).__name__
    if kind not in _READING and not (policy.write and kind in _WRITING):
        raise _refused(f"a {kind} of PostgreSQL")
    if kind == "SelectStmt":
        if node.intoClause or node.lockingClause or node.limitOption.name == "LIMIT_OPTION_WITH_TIES":
            raise _refused("INTO, FOR UPDATE and the like, or WITH TIES")
    elif kind == "RangeVar":
        if node.catalogname or not node.inh or node.relpersistence != "p":
            raise _refused("another database, or ONLY")
    elif kind == "A_Expr":
        names = [part.sval for part in node.name]
        if names[:-1] not in ([], ["pg_catalog"]) or names[-1] not in _OPERATORS:
            raise _refused(f"the operator {'.'.join(names)!r}")
    elif kind == "SQLValueFunction":
        if node.op.name not in _VALUES:
            raise _refused(f"{node.op.name.removeprefix('SVFOP_').lower()}")
    elif kind == "TypeName":
        names = [part.sval for part in node.names]
        if node.setof or node.pct_type or names[:-1] not in ([], ["pg_catalog"]) or names[-1] not in _TYPES:
            raise _refused(f"the type {'.'.join(names)!r}")
    elif kind == "FuncCall":
        _check_function([part.sval for part in node.funcname], policy)
    elif kind == "CommonTableExpr" and (node.search_clause or node.cycle_clause):
        raise _refused("SEARCH or CYCLE")


def _check_fields(nodes: list[Any]) -> None:
    """`(x).name`, and `x.name` where x is what a function in FROM returns: a field or column of it, or else
    PostgreSQL calls the function `name` with x."""
    columns: dict[str, set[str]] = {}
    for node in nodes:
        if type(node).__name__ == "RangeFunction":
            name, own = _columns_of(node)
            columns[name] = columns.get(name, own) & own
    for node in nodes:
        if type(node).__name__ == "A_Indirection":
            if any(type(step).__name__ == "String" for step in node.indirection):
                raise _refused("a field of an expression, such as (x).name")
            continue
        if type(node).__name__ != "ColumnRef":
            continue
        *before, last = (getattr(field, "sval", None) for field in node.fields)
        for owner in before:
            if owner in columns and last is not None and last not in columns[owner]:
                raise _refused(f"{owner[:80]}.{last[:80]}: {owner[:80]} has no such column for sure")


def _columns_of(node: Any) -> tuple[str, set[str]]:
    """The name of a function in FROM, and the columns it has for sure."""
    function = node.functions[0][0]
    called = function.funcname[-1].sval if type(function).__name__ == "FuncCall" else ""
    name = node.alias.aliasname if node.alias else called
    given = {column.sval for column in (node.alias.colnames or ())} if node.alias else set()
    return name, given | {name} | _COLUMNS_OF_FUNCTIONS


def _check_function(names: list[str], policy: SqlPolicy) -> None:
    if len(names) == 2 and names[0] == "pg_catalog" and names[1] in _BY_GRAMMAR:
        return
    policy.check_function([NamePart(name, quoted=True) for name in names])


def _reading(nodes: list[Any], policy: SqlPolicy) -> Reading:
    ctes = frozenset(node.ctename for node in nodes if type(node).__name__ == "CommonTableExpr")
    tables: set[TableName] = set()
    functions: set[str] = set()
    texts: set[str] = set()
    for node in nodes:
        match type(node).__name__:
            case "RangeVar" if node.schemaname or node.relname not in ctes:
                parts = [node.schemaname] if node.schemaname else []
                tables.add(policy.table([NamePart(part, quoted=True) for part in (*parts, node.relname)]))
            case "FuncCall":
                functions.add(node.funcname[-1].sval)
            case "A_Const" if type(node.val).__name__ == "String":
                texts.add(node.val.sval.strip().lower())
            case _:
                pass
    return Reading(frozenset(tables), ctes, frozenset(functions), frozenset(texts))


def _refused(what: str) -> ToolRefused:
    return ToolRefused(f"free SQL may not use {what}", param="sql")
