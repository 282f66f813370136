"""`column IN (…)` for hundreds of values, as one statement whatever their number.

An expanding list is rendered anew, and read anew by the database, each time it is asked. For a group of new
usage rows that took longer than the question itself. For ids of ours alone: in SQLite a NUL ends them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Dialect, Text, TypeDecorator, any_, bindparam, column, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeEngine


class _Texts(TypeDecorator[Sequence[str]]):
    """Texts as one parameter: an array, or JSON where there are none."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(Text()))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return list(value or ())
        return msgspec.json.encode(list(value or ())).decode()


class among(ColumnElement[bool]):  # noqa: N801 - it reads as SQLAlchemy's own operators do
    """Whether a text column holds one of the values of the parameter `name`, a sequence of texts."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - what SQLAlchemy knows one such condition from another by
        ("tested", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, tested: ColumnElement[str], name: str = "ids") -> None:
        self.tested = tested
        self.values = bindparam(name, type_=_Texts())


@compiles(among)
def _as_array(element: among, compiler: Any, **how: Any) -> str:
    return str(compiler.process(element.tested == any_(element.values), **how))


@compiles(among, "sqlite")
def _as_json(element: among, compiler: Any, **how: Any) -> str:
    values = func.json_each(element.values).table_valued(column("value"))
    return str(compiler.process(element.tested.in_(select(values.c.value)), **how))
