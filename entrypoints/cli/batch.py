"""`interchange batch`: a file of requests in, a file of answers out.

The server runs the batch, so it goes on when this command is killed; started again with the same file, the
command finds the batch by the file's content. Exit status 0: every line was answered; 1: some were not, or
something failed; 2: the command or the input file was not understood.
"""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from domain.batch.line import ENDPOINTS
from domain.batch.settings import CONCURRENCY_MAX, RETRIES_MAX, BatchMode
from entrypoints.cli.api_client import NotAnswering, connect, server_options
from entrypoints.cli.batch_client import BatchClient
from entrypoints.cli.batch_progress import JsonProgress, Progress, bar_progress
from entrypoints.cli.configured import config_option

POLL_EVERY_S: Final = 0.5
PATIENCE_S: Final = 300.0
"""How long a server may be away, such as while it is restarted, before the command gives up watching."""
RESUMABLE_LOOKED_AT_MAX: Final = 500
FINAL: Final = frozenset({"completed", "failed", "expired", "cancelled"})
FIRST_LINE_BYTES_MAX: Final = 64 * 1024 * 1024


@click.group()
def batch() -> None:
    """Have a file of requests answered in the background."""


@batch.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the lines that failed. Default: beside the output, ending in .errors.jsonl.",
)
@click.option("--concurrency", type=click.IntRange(1, CONCURRENCY_MAX), help="Lines in flight at once.")
@click.option("--retries", type=click.IntRange(0, RETRIES_MAX), help="Further tries per line.")
@click.option("--budget", metavar="USD", help="Stop before a line that could cost more than is left.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in BatchMode]),
    help="Who runs the lines: Interchange, the provider's batch API, or whichever fits. Default: own.",
)
@click.option("--window", default="24h", show_default=True, help="Lines not asked by then expire.")
@click.option("--resume/--no-resume", default=True, help="Go on with a batch of the same file, or make one.")
@click.option("--json", "as_json", is_flag=True, help="Print progress and summary as JSON lines.")
@config_option
@server_options
def run_command(
    config_path: str | None, url: str | None, key: str | None, as_json: bool, **asked: Any
) -> None:
    """Answer every line of FILE: OpenAI's batch format, one JSON object with custom_id, url and body each."""
    endpoint = endpoint_of(asked["file"])
    client = BatchClient(connect(config_path, url, key))
    progress: Progress = JsonProgress() if as_json else bar_progress()
    with progress:
        try:
            found = _begin(client, endpoint, asked, progress)
            finished = watch(client, found["id"], progress)
        except KeyboardInterrupt:
            progress.say("The batch goes on in the server; run the command again to see it through.")
            sys.exit(1)
        _fetch(client, finished, asked, progress)
        progress.end(finished, _files(finished, asked))
    sys.exit(exit_status(finished))


def endpoint_of(path: Path) -> str:
    """The url of the first line, which all lines share. Raises click.UsageError for another start."""
    with path.open("rb") as file:
        line = b""
        for line in file:
            if line.strip():
                break
    try:
        url = json.loads(line[:FIRST_LINE_BYTES_MAX])["url"]
    except (ValueError, KeyError, TypeError):
        raise click.UsageError(
            f"{path}: the first line is no JSON object with custom_id, method, url and body"
        ) from None
    if url not in ENDPOINTS:
        raise click.UsageError(f"{path}: url {url!r} cannot be batched; allowed: {', '.join(ENDPOINTS)}")
    return str(url)


def content_hash(path: Path) -> str:
    """What a later run of the same file finds its batch by."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _begin(client: BatchClient, endpoint: str, asked: dict[str, Any], progress: Progress) -> Any:
    wanted = metadata(asked)
    if asked["resume"]:
        for earlier in client.newest(RESUMABLE_LOOKED_AT_MAX):
            same = (earlier["metadata"] or {}) == wanted and earlier["endpoint"] == endpoint
            if same and earlier["status"] not in ("failed", "expired", "cancelled", "cancelling"):
                progress.say(f"Going on with {earlier['id']} of the same file (--no-resume makes a new one).")
                return earlier
    file_id = client.upload(asked["file"], asked["file"].name)
    made = client.create(file_id, endpoint, asked["window"], wanted)
    progress.say(f"Made {made['id']}; it goes on in the server if this command ends.")
    return made


def metadata(asked: dict[str, Any]) -> dict[str, str]:
    """What tells this run from others of other files or settings."""
    found = {"interchange_content_hash": content_hash(asked["file"])}
    for option, name in (
        ("concurrency", "concurrency"),
        ("retries", "retries"),
        ("budget", "budget_usd"),
        ("mode", "mode"),
    ):
        if asked[option] is not None:
            found[f"interchange_{name}"] = str(asked[option])
    return found


def watch(
    client: BatchClient,
    batch_id: str,
    progress: Progress,
    *,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """The batch when it is over. A server that is away is waited for, for a while."""
    while True:
        found = _patiently(lambda: client.get(batch_id), progress, now, sleep)
        progress.show(found)
        if found["status"] in FINAL:
            return found
        sleep(POLL_EVERY_S)


def _patiently(
    work: Callable[[], Any],
    progress: Progress,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """What may be asked again, until the server answers. Raises NotAnswering where that takes too long."""
    away_since: float | None = None
    while True:
        try:
            return work()
        except NotAnswering:
            away_since = now() if away_since is None else away_since
            if now() - away_since > PATIENCE_S:
                raise
            progress.away()
            sleep(POLL_EVERY_S)


def _files(finished: Any, asked: dict[str, Any]) -> dict[str, Path]:
    """Which file of the batch goes where."""
    output: Path = asked["output"]
    errors: Path = asked["errors"] or output.with_name(f"{output.stem}.errors.jsonl")
    places = {"output_file_id": output, "error_file_id": errors}
    return {name: path for name, path in places.items() if finished[name]}


def _fetch(client: BatchClient, finished: Any, asked: dict[str, Any], progress: Progress) -> None:
    for name, path in _files(finished, asked).items():
        _patiently(partial(client.download, finished[name], path), progress)


def exit_status(finished: Any) -> int:
    """0: every line was answered; 2: the input was refused; 1: anything else."""
    counts = finished["request_counts"]
    if finished["status"] == "failed" and counts["total"] == 0:
        return 2
    whole = finished["status"] == "completed" and counts["completed"] == counts["total"]
    return 0 if whole else 1


@batch.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@config_option
@server_options
def list_command(
    config_path: str | None, url: str | None, key: str | None, limit: int, as_json: bool
) -> None:
    """Show batches, newest first."""
    found = BatchClient(connect(config_path, url, key)).newest(limit)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("no batches")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("ID", "STATUS", "ENDPOINT"):
        table.add_column(title, no_wrap=True)
    for title in ("LINES", "DONE", "FAILED", "USD"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in found:
        counts = one["request_counts"]
        table.add_row(
            one["id"],
            one["status"],
            one["endpoint"],
            *(str(counts[name]) for name in ("total", "completed", "failed")),
            one["interchange"]["cost_usd"],
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@batch.command("show")
@click.argument("batch_id")
@config_option
@server_options
def show_command(config_path: str | None, url: str | None, key: str | None, batch_id: str) -> None:
    """Show the batch BATCH_ID as JSON."""
    click.echo(json.dumps(BatchClient(connect(config_path, url, key)).get(batch_id), indent=2))


@batch.command("cancel")
@click.argument("batch_id")
@config_option
@server_options
def cancel_command(config_path: str | None, url: str | None, key: str | None, batch_id: str) -> None:
    """Begin no further line of BATCH_ID. What is answered already stays."""
    found = BatchClient(connect(config_path, url, key)).cancel(batch_id)
    with contextlib.suppress(KeyError):
        click.echo(f"{found['id']} is {found['status']}.")
