"""What keeps a database from changing the audit trail: triggers, and a role that may only add.

They stop mistakes, and whoever got into the application. The owner of the tables can take triggers away;
that such a one changed something is what chains and checkpoints show.
"""

from collections.abc import Iterator
from typing import Final

from adapters.sql.audit_tables import APPEND_ONLY, AUDIT_WRITER, audit_entries, audit_heads

_ENTRIES: Final = audit_entries.name
_REFUSED: Final = "the audit trail is append-only"
_COVERED: Final = (
    "EXISTS (SELECT 1 FROM audit_anchors a WHERE a.tenant_id = OLD.tenant_id AND a.seq >= OLD.seq)"
)
REFUSE: Final = "interchange_audit_refuse"
REFUSE_UNCOVERED: Final = "interchange_audit_refuse_uncovered"


def protection(dialect: str) -> Iterator[str]:
    """The statements that put triggers on the tables of the trail."""
    return _postgres() if dialect == "postgresql" else _sqlite()


def unprotection(dialect: str) -> Iterator[str]:
    """What is left of the triggers after their tables are gone."""
    if dialect == "postgresql":
        yield f"DROP FUNCTION IF EXISTS {REFUSE}()"
        yield f"DROP FUNCTION IF EXISTS {REFUSE_UNCOVERED}()"


def _sqlite() -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    for table in (_ENTRIES, *APPEND_ONLY):
        yield f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} {refuse}"
        when = f"WHEN NOT {_COVERED} " if table == _ENTRIES else ""
        yield f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {when}{refuse}"


def _postgres() -> Iterator[str]:
    yield (
        f"CREATE OR REPLACE FUNCTION {REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    yield (
        f"CREATE OR REPLACE FUNCTION {REFUSE_UNCOVERED}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {_COVERED} THEN RETURN OLD; END IF; "
        f"RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    for table in (_ENTRIES, *APPEND_ONLY):
        yield f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} {_each(REFUSE)}"
        function = REFUSE_UNCOVERED if table == _ENTRIES else REFUSE
        yield f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {_each(function)}"
        yield protect_from_emptying(table)
    yield protect_from_emptying(f"{_ENTRIES}_default")


def _each(function: str) -> str:
    return f"FOR EACH ROW EXECUTE FUNCTION {function}()"


def protect_from_emptying(table: str) -> str:
    """On PostgreSQL, for a table or a part: triggers of rows reach parts by themselves, this one does not."""
    return (
        f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {REFUSE}()"
    )


def writer_role(member: str | None = None) -> Iterator[str]:
    """Statements for PostgreSQL that make the role and say what it may; with a member, also that this user
    has it. For whoever owns the tables and may make roles."""
    role = AUDIT_WRITER
    missing = f"NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}')"  # noqa: S608
    yield f"DO $$ BEGIN IF {missing} THEN CREATE ROLE {role} NOLOGIN; END IF; END $$"
    for table in (_ENTRIES, audit_heads.name, *APPEND_ONLY):
        yield f"REVOKE ALL ON {table} FROM {role}"
        yield f"GRANT SELECT, INSERT ON {table} TO {role}"
    yield f"GRANT UPDATE ON {audit_heads.name} TO {role}"
    if member is not None:
        quoted = member.replace('"', '""')
        yield f'GRANT {role} TO "{quoted}"'
