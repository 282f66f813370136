"""Run by Alembic: migrates over the connection it was given, inside the caller's transaction."""

from alembic import context
from sqlalchemy import Connection, create_engine

from adapters.sql.schema import metadata


def run_migrations(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_migrations(given)
else:
    # `alembic -x url=sqlite:///x.db revision --autogenerate` while developing a migration.
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as opened:
        run_migrations(opened)
