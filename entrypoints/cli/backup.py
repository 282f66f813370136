"""`interchange backup` and `interchange restore`: the data directory as one file, while the server runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import click

from application.backups import BackupTold, KeyState
from entrypoints.cli.configured import config_option

MIB: Final = 1024 * 1024
WITHOUT: Final = {
    "pepper.key": "without it every API key is void: put it there (mode 0600), or set INTERCHANGE_KEY_PEPPER",
    "vault.keys": "without it no stored credential opens: put it there (mode 0600), or name the same source "
    "of master keys as before",
    "audit.key": "without it a new key signs: keep the old public key to verify old checkpoints",
    "admin.key": "the owner's key; the server knows only its hash. `interchange keys recover` makes another",
}


class Backups(Protocol):
    """What the command needs of the installation."""

    @property
    def elsewhere(self) -> str | None: ...

    def write(
        self, target: Path, *, with_keys: bool, with_database: bool, say: Callable[[str], None]
    ) -> BackupTold: ...


def make_backup(open_backups: Callable[[str | None], Backups]) -> click.Command:
    """`interchange backup`. The configuration is read when it runs."""

    @click.command("backup")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option(
        "--with-keys", is_flag=True, help="Also the key files: whoever has FILE then opens everything."
    )
    @click.option(
        "--without-database", is_flag=True, help="Only the data directory: beside a dump of PostgreSQL."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
    @config_option
    def backup(
        file: Path, with_keys: bool, without_database: bool, as_json: bool, config_path: str | None
    ) -> None:
        """Write the database, journals, callers' files and batches to FILE; the server may run on.

        What was finished before it began is in it. Kept answers, models, the configuration file and,
        unless asked for, keys are not. A FILE that exists is not overwritten.
        """
        backups = open_backups(config_path)
        if backups.elsewhere is not None and not without_database:
            raise click.ClickException(
                "the database is PostgreSQL, which its own tools back up. The directory first, then it:\n"
                f"  interchange backup --without-database {file}\n  {backups.elsewhere}"
            )
        told = backups.write(
            file,
            with_keys=with_keys,
            with_database=not without_database,
            say=lambda line: click.echo(f"warning: {line}", err=True),
        )
        if as_json:
            click.echo(json.dumps(_row(file, told), indent=2))
            return
        click.echo(f"wrote {file}: {_size(told)}, packed {file.stat().st_size / MIB:,.1f} MiB")
        for name, state in told.keys.items():
            click.echo(f"  {name:<11} {state.value}")
        if KeyState.LEFT_OUT in told.keys.values():
            click.echo("Keep copies of the keys that were left out apart from it, or nothing will open.")
        if backups.elsewhere is not None:
            click.echo(f"Now the database:\n  {backups.elsewhere}")

    return backup


def make_restore(restore_into: Callable[[Path, Path], BackupTold]) -> click.Command:
    """`interchange restore`."""

    @click.command("restore")
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @click.option(
        "--into",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="A new data directory.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
    def restore(file: Path, into: Path, as_json: bool) -> None:
        """Put what FILE holds into a new or empty directory, and say what is missing.

        Everything is compared with its hash first. Then start a server with INTERCHANGE_DATA_DIR on it.
        """
        told = restore_into(file, into)
        if as_json:
            click.echo(
                json.dumps({**_row(file, told), "into": str(into), "missing": _missing(told)}, indent=2)
            )
            return
        click.echo(f"restored {_size(told)} into {into}")
        click.echo(
            f"  begun {told.made_at} by Interchange {told.version}, schema {told.revision or 'unknown'}"
        )
        for line in _missing(told):
            click.echo(f"  missing: {line}")
        click.echo(f"Next: INTERCHANGE_DATA_DIR={into} interchange serve")

    return restore


def _missing(told: BackupTold) -> list[str]:
    """What the directory lacks, and what to do about it."""
    lines = [] if told.with_database else ["the database: restore its dump with pg_restore before the start"]
    for name, state in told.keys.items():
        if state is KeyState.LEFT_OUT:
            lines.append(f"{name}: {WITHOUT[name]}")
    return lines


def _size(told: BackupTold) -> str:
    return f"{told.files} files, {told.size_bytes / MIB:,.1f} MiB"


def _row(file: Path, told: BackupTold) -> dict[str, object]:
    return {
        "file": str(file),
        "made_at": told.made_at,
        "version": told.version,
        "schema": told.revision,
        "database": told.with_database,
        "keys": {name: state.value for name, state in told.keys.items()},
        "files": told.files,
        "size_bytes": told.size_bytes,
    }
