"""The tables, as this version of the code expects them. Migrations bring a database there.

Usage columns follow the wide event field by field, in its order, so that an event is a row without
conversion. A new field therefore needs a migration; a test compares both.
"""

from typing import Any, Final, get_args, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles

from domain.analytics.event import AttemptEvent, RequestEvent

SCHEMA_HEAD: Final = "0038"
"""The newest migration. A database that is there already is opened without loading Alembic."""

metadata: Final = MetaData()

api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("pepper_version", Integer, nullable=False),
    Column("permissions", Text),
    Column("allowed_models", Text),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("revoked_at_us", BigInteger),
    Column("env", Text, nullable=False),
    Column("scheme", Text, nullable=False, server_default="own"),
    Column("note", Text, nullable=False, server_default=""),
    Column("team", Text, nullable=False, server_default=""),
    Column("project", Text, nullable=False, server_default=""),
    Column("cost_center", Text, nullable=False, server_default=""),
    Column("networks", Text),
    Column("assertable", Text),
    Column("integrations", Text),
    Column("managed_budgets", Text),
    Column("old_hash", LargeBinary),
    Column("old_pepper_version", Integer),
    Column("old_scheme", Text),
    Column("old_until_us", BigInteger),
    Column("rotated_at_us", BigInteger),
    Column("created_by", Text, nullable=False, server_default=""),
    Column("revoked_by", Text, nullable=False, server_default=""),
    Column("revoked_reason", Text, nullable=False, server_default=""),
    Column("revision", BigInteger, nullable=False, server_default="0", index=True),
    Index("ix_api_keys_created", "created_at_us", "key_id"),
)
"""`permissions` and the lists of names are JSON arrays, NULL for no limit. `old_…` is the secret before the
last rotation, which ends at `old_until_us`. `revision` is the generation of the last change."""

key_uses: Final = Table(
    "key_uses",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("used_at_us", BigInteger, nullable=False),
)
"""When keys were used last: apart from them, because it is no change of theirs."""

key_generation: Final = Table(
    "key_generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", BigInteger, nullable=False),
)
"""One row, counted up by every change of any key."""

catalog_sources: Final = Table(
    "catalog_sources",
    metadata,
    Column("source", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""What each source said last, as JSON."""


def _column(name: str, hint: Any, key: tuple[str, ...]) -> Column[Any]:
    kinds = {str: Text, int: BigInteger, bool: Boolean, float: Double}
    choices = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    optional = type(None) in get_args(hint)
    return Column(name, kinds[choices[0]], primary_key=name in key, nullable=optional)


def _columns(event: type[Any], *key: str) -> list[Column[Any]]:
    return [_column(name, hint, key) for name, hint in get_type_hints(event).items() if name != "attempts"]


usage_requests: Final = Table(
    "usage_requests",
    metadata,
    *_columns(RequestEvent, "request_id"),
    Index("ix_usage_requests_tenant_time", "tenant_id", "started_at_us"),
    Index(
        "ix_usage_requests_experiment",
        "experiment",
        "started_at_us",
        sqlite_where=text("experiment <> ''"),
        postgresql_where=text("experiment <> ''"),
    ),
    sqlite_with_rowid=False,
)

_ended: Final = usage_requests.c.started_at_us + usage_requests.c.duration_us
Index("ix_usage_requests_finished", _ended)
Index("ix_usage_requests_tenant_finished", usage_requests.c.tenant_id, _ended)
"""Rows by when their request ended, for those who follow along: all of them, or one tenant's."""


class _Finished(ColumnElement[int]):
    inherit_cache = True
    type = BigInteger()


@compiles(_Finished)
def _finished_on_sqlite(_element: _Finished, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(_ended, **options)})"


@compiles(_Finished, "postgresql")
def _finished_on_postgresql(_element: _Finished, _compiler: Any, **_options: Any) -> str:
    # A generated column: policies of rows let an index be entered by a column, not by a sum.
    return f"{usage_requests.name}.finished_at_us"


finished_us: Final = _Finished()
"""When a request ended, as the indexes have it; for statements over `usage_requests` itself."""

usage_attempts: Final = Table(
    "usage_attempts",
    metadata,
    *_columns(AttemptEvent, "request_id", "ordinal"),
    sqlite_with_rowid=False,
)
"""Both tables are their primary key's tree: ids rise with time, so a row costs one append, not three."""
