"""`interchange import litellm`: a configuration and keys of another gateway, with a report of every field."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from domain.errors import InterchangeError
from domain.tenancy.imported_key import ImportedKey
from entrypoints.command_loop import run
from entrypoints.litellm.report import Finding, Outcome

CONFIG_BYTES_MAX: Final = 10 * 1024 * 1024
DUMP_BYTES_MAX: Final = 1024 * 1024 * 1024


@click.group("import")
def import_() -> None:
    """Take over another gateway's configuration and keys."""


@import_.command()
@click.argument("config_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--database",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Dump of its database (pg_dump in plain text, JSON or CSV): its keys go on working here.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write ours.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Whose keys. Default: .interchange."
)
@click.option("--dry-run", is_flag=True, help="Only report: write no file and store no key.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def litellm(
    config_file: Path,
    database: Path | None,
    output: Path | None,
    force: bool,
    data_dir: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read a LiteLLM proxy's CONFIG_FILE and say it in our own configuration, field by field.

    Without -o nothing is written. With --database the hashed keys are stored in the data directory, unless
    --dry-run is given. Exit status 0 also when fields need attention; they are counted at the end.
    """
    if output is not None and output.exists() and not force and not dry_run:
        raise click.ClickException(f"{output} exists; give --force to write over it")
    try:
        result = _Import(config_file, database)
        if not dry_run:
            if output is not None:
                _write(output, result.text())
            result.store_keys(data_dir)
    except InterchangeError as error:
        raise click.ClickException(error.message) from error
    if as_json:
        click.echo(json.dumps(result.summary(output, dry_run), indent=2, ensure_ascii=False))
    else:
        _show(result, output, dry_run)


class _Import:
    """One run: what was read, and what became of it."""

    def __init__(self, config_file: Path, database: Path | None) -> None:
        """Raises InvalidRequest, click.ClickException."""
        from entrypoints.litellm.dump import read_dump
        from entrypoints.litellm.importing import make_usable, read_config, variables_of
        from entrypoints.litellm.keys import read_keys
        from entrypoints.local_stores import bundled_catalog, now

        draft, report = read_config(_read(config_file, CONFIG_BYTES_MAX), str(config_file))
        self._keys: tuple[ImportedKey, ...] = ()
        of_keys: tuple[Finding, ...] = ()
        if database is not None:
            tables = read_dump(_read(database, DUMP_BYTES_MAX), database.name)
            self._keys, of_keys = read_keys(tables, draft, now=now())
        make_usable(draft, report, bundled_catalog(), os.environ)
        self.document = draft.document()
        self.variables = variables_of(self.document)
        self.findings = [*report.findings, *of_keys]
        self._new = self._known = 0

    def text(self) -> str:
        """Our file."""
        from entrypoints.cli.config import as_yaml

        return as_yaml(self.document) if self.document else "{}\n"

    def store_keys(self, data_dir: Path | None) -> None:
        """Raises StoreUnavailable, InvalidRequest; a second run stores nothing anew."""
        if not self._keys:
            return
        from domain.tenancy.role import local_operator
        from entrypoints.local_stores import open_key_import

        with open_key_import(data_dir) as import_keys:
            taken = run(import_keys(local_operator(), self._keys))
        self._new, self._known = len(taken.new), len(taken.known)

    def summary(self, output: Path | None, dry_run: bool) -> dict[str, Any]:
        """The report as data."""
        counts = Counter(finding.outcome.value for finding in self.findings)
        return {
            "written_to": None if output is None or dry_run else str(output),
            "counts": {outcome.value: counts[outcome.value] for outcome in Outcome},
            "variables": list(self.variables),
            "keys": {"read": len(self._keys), "new": self._new, "known": self._known},
            "findings": [{**one._asdict(), "outcome": one.outcome.value} for one in self.findings],
        }


def _read(file: Path, bytes_max: int) -> str:
    if file.stat().st_size > bytes_max:
        raise click.ClickException(f"{file} is larger than {bytes_max} bytes")
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}") from error


def _write(file: Path, text: str) -> None:
    """Only its owner may read it: it may hold keys that stood in the other file."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    draft.replace(file)


def _show(result: "_Import", output: Path | None, dry_run: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("LINE", "FIELD", "OUTCOME", "WHAT"):
        table.add_column(title, overflow="fold", no_wrap=title in {"LINE", "OUTCOME"})
    for finding in result.findings:
        table.add_row(
            "" if finding.line is None else str(finding.line),
            finding.path,
            finding.outcome.value.replace("_", " "),
            finding.message,
        )
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False, highlight=False)
    console.print(table)
    summary = result.summary(output, dry_run)
    console.print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary["counts"].items()))
    if result.variables:
        console.print(f"set in the environment: {', '.join(result.variables)}")
    if summary["keys"]["read"]:
        told = summary["keys"]
        console.print(f"keys: {told['read']} read, {told['new']} stored, {told['known']} were here already")
    if summary["written_to"]:
        console.print(f"written to {output}; try it with: interchange config check --config {output}")
    else:
        hint = "" if dry_run else "; give -o interchange.yaml to write the result"
        console.print(f"no file was written{hint}")
