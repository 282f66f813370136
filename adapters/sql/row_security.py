"""The second wall between tenants: policies of PostgreSQL on every table that has rows of tenants.

A transaction says whose rows it may touch; without a word it touches none. `FORCE` holds the owner of the
tables to it too. It does not hold superusers and roles with BYPASSRLS: `interchange doctor` and the log tell
when the server connects as one.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, Table, text

SETTING: Final = "interchange.tenant"
POLICY: Final = "interchange_tenant"
_SET: Final = text(f"SELECT set_config('{SETTING}', :tenant, true)")
_SET_FOR_SESSION: Final = text(f"SELECT set_config('{SETTING}', :tenant, false)")
_EXEMPT: Final = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")


def say_whom(connection: Connection, tenant: str) -> None:
    """For this transaction; another one on the same connection has to say it anew."""
    connection.execute(_SET, {"tenant": tenant})


def say_whom_for_session(connection: Connection, tenant: str) -> None:
    """For as long as the connection lasts: for migrations and administration, which have their own."""
    connection.execute(_SET_FOR_SESSION, {"tenant": tenant})


def exempt(connection: Connection) -> bool:
    """Whether policies do not hold whoever this connection is."""
    return bool(connection.execute(_EXEMPT).scalar())


def has_rows_of_tenants(table: Table) -> bool:
    """Whether a table needs a policy."""
    return "tenant_id" in table.c


def protection(table: str) -> Iterator[str]:
    """Statements for PostgreSQL. Parts of a partitioned table are held to its policy where they are reached
    through it. A setting that ended is an empty text there: rows of no tenant are within nobody's reach."""
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    yield (
        f"CREATE POLICY {POLICY} ON {table} "
        f"USING (current_setting('{SETTING}', true) IN ('*', NULLIF(tenant_id, '')))"
    )


def unprotection(table: str) -> Iterator[str]:
    """The opposite of `protection`."""
    yield f"DROP POLICY {POLICY} ON {table}"
    yield f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
