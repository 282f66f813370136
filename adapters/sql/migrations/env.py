"""Run by Alembic: migrates over the connection it was given.

On SQLite inside the caller's transaction. On PostgreSQL each migration is a transaction of its own, so that
one may build an index beside running requests (`with op.get_context().autocommit_block()`, then
`postgresql_concurrently=True`).
"""

from typing import Any

from alembic import context
from sqlalchemy import Column, Connection, Text, create_engine
from sqlalchemy.ext.compiler import compiles

from adapters.sql.schema import metadata


@compiles(Text, "postgresql")
def text_in_byte_order(element: Text, compiler: Any, **options: Any) -> str:
    """Ids rise with time in the order of their bytes, as on SQLite, whatever language the database is in."""
    plain = str(compiler.visit_text(element, **options))
    return f'{plain} COLLATE "C"' if isinstance(options.get("type_expression"), Column) else plain


def run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transaction_per_migration=connection.dialect.name == "postgresql",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_migrations(given)
else:
    # `alembic -x url=sqlite:///x.db revision --autogenerate` while developing a migration.
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as opened:
        run_migrations(opened)
