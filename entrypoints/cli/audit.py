"""`interchange audit`: the audit trail, straight from the store of this machine; `verify` also from files."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

import click

from application.audit_records import line_of, read_record
from application.audit_walk import Record, TrailVerification
from application.ports.audit import AuditQuestion
from domain.audit.checkpoint import VerifierKey, parse_verifier_key, split_notes
from domain.audit.entry import BEGUN, KINDS, UNKNOWN
from domain.audit.verification import Signatures
from domain.tenancy.role import OPERATOR_TENANT, local_operator
from entrypoints.audit_objects import entry_object
from entrypoints.auditing import Auditing
from entrypoints.command_loop import run

OpenAuditing = Callable[[], AbstractContextManager[Auditing]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_existing: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def make_group(open_auditing: OpenAuditing) -> click.Group:
    """The group `audit`. The store is opened when a command runs, and closed after it."""

    @click.group(name="audit")
    def audit() -> None:
        """Who did what, and the proof that nobody changed it."""

    for make in (_list, _export, _verify, _checkpoint, _key):
        audit.add_command(make(open_auditing))
    return audit


def _list(open_auditing: OpenAuditing) -> click.Command:
    @click.command("list")
    @click.option("--tenant", default=OPERATOR_TENANT, show_default=True)
    @click.option("--kind", type=click.Choice(KINDS), help="Only these.")
    @click.option("--actor", default="", help="Only of this key id or name.")
    @click.option("--action", default="", help="Only this action, such as keys.create.")
    @click.option("--subject", default="", help="Only what was done to this.")
    @click.option("--request", "request_id", default="", help="Only what belongs to this request.")
    @click.option("--since", help="Only what happened then or later: 2030-01-31 or 2030-01-31T12:00:00Z.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
    @_json_option
    def list_entries(
        tenant: str,
        kind: str | None,
        actor: str,
        action: str,
        subject: str,
        request_id: str,
        since: str | None,
        limit: int,
        as_json: bool,
    ) -> None:
        """Show entries, the newest first."""
        question = AuditQuestion(
            tenant_id=tenant,
            limit=limit,
            from_us=None if since is None else _moment(since),
            kinds=() if kind is None else (kind,),
            actor=actor,
            action=action,
            subject=subject,
            request_id=request_id,
        )
        with open_auditing() as auditing:
            page = run(auditing.read.page(local_operator(), question))
        shown = []
        for entry in page.entries:
            ended = page.outcomes.get(entry.seq)
            state = UNKNOWN if ended is None else ended.draft.outcome
            shown.append(entry_object(entry, state if entry.draft.outcome == BEGUN else None))
        if as_json:
            click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        else:
            _print_table(shown)

    return list_entries


def _export(open_auditing: OpenAuditing) -> click.Command:
    @click.command("export")
    @click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
    def export(file: Path | None) -> None:
        """Write the whole trail as JSON lines, which `verify --export` reads, to FILE or standard output."""
        with open_auditing() as auditing:
            if file is None:
                count = run(_write(auditing.walk.records(), sys.stdout))
            else:
                with file.open("w", encoding="utf-8") as out:
                    count = run(_write(auditing.walk.records(), out))
        click.echo(f"{count} records exported", err=True)

    return export


async def _write(records: AsyncIterator[Record], out: TextIO) -> int:
    count = 0
    async for record in records:
        out.write(f"{line_of(record)}\n")
        count += 1
    return count


def _verify(open_auditing: OpenAuditing) -> click.Command:
    @click.command("verify")
    @click.option("--export", "export_file", type=_existing, help="Check this export; no store is opened.")
    @click.option(
        "--checkpoints",
        "checkpoint_files",
        type=_existing,
        multiple=True,
        help="Checkpoints that were kept elsewhere; may be repeated.",
    )
    @click.option(
        "--public-key",
        "keys",
        multiple=True,
        help="The key as `audit key` printed it, or a file that holds it; may be repeated.",
    )
    @_json_option
    def verify(
        export_file: Path | None, checkpoint_files: tuple[Path, ...], keys: tuple[str, ...], as_json: bool
    ) -> None:
        """Find any change, removal or truncation. Exit status 1 when there is one.

        Without --public-key and --checkpoints, the trail is compared with what lies beside it: whoever could
        change both, and had the signing key, is found only by checkpoints that left the machine.
        """
        from entrypoints.audit_opening import signature_check

        known = [_verifier_key(text) for text in keys]
        notes = tuple(note for file in checkpoint_files for note in _kept_notes(file))
        if export_file is not None:
            if not known:
                raise click.UsageError("--export needs --public-key: an export cannot vouch for itself")
            check = TrailVerification(Signatures(known, signature_check()), notes)
            _check_lines(check, export_file)
        else:
            with open_auditing() as auditing:
                signatures = Signatures(known or [auditing.signer.key], signature_check())
                check = TrailVerification(signatures, notes)
                run(_take_all(check, auditing.walk.records()))
        _tell(check, as_json)

    return verify


def _kept_notes(file: Path) -> list[str]:
    """A file without any would confirm nothing, and the answer would look as if it did."""
    notes = split_notes(file.read_text("utf-8", errors="replace"))
    if not notes:
        raise click.UsageError(f"--checkpoints: {file} holds no checkpoint")
    return notes


async def _take_all(check: TrailVerification, records: AsyncIterator[Record]) -> None:
    async for record in records:
        check.take(record)


def _check_lines(check: TrailVerification, file: Path) -> None:
    try:
        for record in _records_of(file):
            check.take(record)
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from None


def _records_of(file: Path) -> Iterator[Record]:
    with file.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield read_record(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


def _tell(check: TrailVerification, as_json: bool) -> None:
    findings = check.findings()
    if as_json:
        told = {
            "entries": check.entries,
            "confirmed_size": check.confirmed_size,
            "findings": [finding._asdict() for finding in findings],
        }
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif findings:
        for finding in findings:
            click.echo(f"{finding.where}: {finding.what}")
    else:
        click.echo(
            f"{check.entries} entries are as they were written; signed checkpoints confirm the first "
            f"{check.confirmed_size} of the log"
        )
    if findings:
        raise click.exceptions.Exit(1)


def _verifier_key(text: str) -> VerifierKey:
    if "+" not in text and Path(text).is_file():
        text = Path(text).read_text("utf-8")
    try:
        return parse_verifier_key(text)
    except ValueError as error:
        raise click.UsageError(f"--public-key: {error}") from None


def _checkpoint(open_auditing: OpenAuditing) -> click.Command:
    @click.command("checkpoint")
    def checkpoint() -> None:
        """Make a checkpoint of everything there is, print it, and send it to where checkpoints go."""
        with open_auditing() as auditing:
            made = run(auditing.keep.checkpoint())
            if made is None:
                raise click.ClickException("there is no audit entry yet")
            run(auditing.keep.publish())
            click.echo(made.note, nl=False)

    return checkpoint


def _key(open_auditing: OpenAuditing) -> click.Command:
    @click.command("key")
    def key() -> None:
        """Print the public key that checks this machine's checkpoints. Keep it elsewhere."""
        with open_auditing() as auditing:
            click.echo(str(auditing.signer.key))

    return key


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError("--since must be a time such as 2030-01-31T12:00:00Z") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _print_table(entries: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not entries:
        click.echo("no entries")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("ENTRY", "AT", "WHO", "ACTION", "SUBJECT", "OUTCOME", "DETAILS"):
        table.add_column(title, overflow="fold", no_wrap=title in {"ENTRY", "AT"})
    for entry in entries:
        actor = entry["actor"]
        who = actor["name"] or actor["id"] or actor["kind"]
        outcome = entry["outcome"] if entry["ended"] is None else f"{entry['outcome']}, then {entry['ended']}"
        table.add_row(
            entry["id"],
            entry["at"][:19],
            escape(f"{who} {actor['address'] or ''}".strip()),
            entry["action"],
            escape(entry["subject"] or ""),
            outcome,
            escape(entry["details_text"][:200]),
        )
    Console(width=None if sys.stdout.isatty() else 240).print(table)
