"""`interchange db`: the database behind the server, straight from this machine. No key, no server."""

import json
from collections.abc import Callable

import click

from entrypoints.administration import Opened, Row

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def make_group(open_administration: Callable[[], Opened]) -> click.Group:
    """The group `db`. The database is looked for only when a command runs."""

    @click.group(name="db")
    def db() -> None:
        """Migrate the database, look at it, and keep its parts in order."""

    @db.command("status")
    @_json_option
    def status(as_json: bool) -> None:
        """Where it is, its version, its revision. Exit status 1 unless the revision is the newest."""
        database = open_administration().database
        revision = database.revision()
        found = {
            "place": database.place,
            **database.facts(),
            "revision": revision,
            "newest_revision": database.newest_revision,
        }
        _show(found, as_json)
        if revision != database.newest_revision:
            raise click.exceptions.Exit(1)

    @db.command("current")
    def current() -> None:
        """The revision of the database."""
        click.echo(open_administration().database.revision() or "empty")

    @db.command("upgrade")
    def upgrade() -> None:
        """Bring the database to this version's schema. A starting server does the same."""
        opened = open_administration()
        before = opened.database.revision() or "empty"
        changed = opened.database.upgrade()
        opened.database.tidy(opened.now, None)
        if changed:
            opened.enter("db.upgrade", f"{before} to {opened.database.newest_revision}")
        word = "upgraded to" if changed else "is already at"
        click.echo(f"{opened.database.place} {word} {opened.database.newest_revision}")

    @db.command("downgrade")
    @click.argument("revision")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def downgrade(revision: str, yes: bool) -> None:
        """Go back to an older REVISION, such as 0007, before starting an older version.

        Stop every server first. What newer tables and columns held is gone.
        """
        opened = open_administration()
        database = opened.database
        if not yes:
            click.confirm(f"Take {database.place} back to {revision}? Newer data is lost.", abort=True)
        before = database.revision()
        if before == database.newest_revision:
            # Before it is done: an older schema may have no trail.
            opened.enter("db.downgrade", f"{before} to {revision}")
        changed = database.downgrade(revision)
        click.echo(f"{database.place} {'went back to' if changed else 'is already at'} {revision}")

    _add_audit_role(db, open_administration)
    _add_partitions(db, open_administration)
    return db


def _add_audit_role(db: click.Group, open_administration: Callable[[], Opened]) -> None:
    @db.command("audit-role")
    @click.option("--member", help="Give it to this user of the database.")
    def audit_role(member: str | None) -> None:
        """On PostgreSQL: a role that may add to the audit trail and read it, and no more.

        For whoever owns the tables; servers then log in as another user, which has this role.
        """
        opened = open_administration()
        for statement in opened.database.audit_role(member):
            click.echo(statement)
        opened.enter("db.audit_role", member or "")


def _add_partitions(db: click.Group, open_administration: Callable[[], Opened]) -> None:
    @db.command("partitions")
    @click.option("--tidy", is_flag=True, help="First make those of the months to come and drop old ones.")
    @_json_option
    def partitions(tidy: bool, as_json: bool) -> None:
        """Parts of the usage tables and the ledger on PostgreSQL; SQLite has none."""
        opened = open_administration()
        database = opened.database
        changed = database.tidy(opened.now, opened.retention_days) if tidy else []
        for name in changed:
            click.echo(f"made or dropped {name}", err=True)
        if changed:
            opened.enter("db.tidy", " ".join(changed))
        rows = database.partitions()
        if as_json:
            click.echo(json.dumps(rows, indent=2))
        elif not rows:
            click.echo("no parts: SQLite keeps tables whole")
        for row in () if as_json else rows:
            span = f"{row['from']} to {row['to']}" if row["from"] else "everything else"
            size = f"{row['size_bytes'] / 2**20:,.1f} MiB"
            click.echo(f"{row['name']:32} {span:26} about {row['rows_about']:>12,} rows {size:>14}")


def _show(found: Row, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        shown = f"{value / 2**20:,.1f} MiB" if name == "size_bytes" else value
        click.echo(f"{name.removesuffix('_bytes').replace('_', ' '):18} {'none' if value is None else shown}")
