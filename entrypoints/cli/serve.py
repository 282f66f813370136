"""`interchange serve`."""

import asyncio
import contextlib
import os
import sys
from typing import Any

import click

from entrypoints.cli.configured import config_option, load_or_exit, provision_or_exit, tell_warnings
from entrypoints.version import version


@click.command()
@config_option
@click.option("--host", help="Address to listen on. Default: HOST, or 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Default: PORT, or 8080; 0 takes any free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Default: INTERCHANGE_WORKERS, or 1.")
@click.option("--no-simulator", is_flag=True, help="Do not offer the built-in simulated providers.")
@click.option("--no-portkey", is_flag=True, help="Do not fetch and run a Portkey gateway beside the server.")
@click.option("--exit-with-parent", is_flag=True, hidden=True, help="Stop when the starting process is gone.")
def serve(
    config_path: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    no_simulator: bool,
    no_portkey: bool,
    exit_with_parent: bool,
) -> None:
    """Run the server until Ctrl-C or SIGTERM; running requests may finish then."""
    from entrypoints.jobs.parent_watch import end_with_parent
    from entrypoints.jobs.supervisor import CannotServe, ServeOptions, Supervisor

    flags = flags_of(host=host, port=port, workers=workers, no_simulator=no_simulator, no_portkey=no_portkey)
    loaded = load_or_exit(config_path, flags)
    tell_warnings(loaded)
    providers = provision_or_exit(loaded).providers
    options = ServeOptions(loaded=loaded, version=version(), flags=flags, providers=providers)
    if exit_with_parent:
        end_with_parent(os.getppid(), grace_s=loaded.settings.server.drain_timeout_s + 30.0)
    try:
        status = asyncio.run(Supervisor(options, say=_say).run())
    except CannotServe as error:
        raise click.ClickException(str(error)) from error
    sys.exit(status)


def flags_of(
    *, host: str | None, port: int | None, workers: int | None, no_simulator: bool, no_portkey: bool
) -> dict[str, Any]:
    """What was given on the command line, in the configuration's shape; the rest is left to the file."""
    given = {"host": host, "port": port, "workers": workers}
    server = {name: value for name, value in given.items() if value is not None}
    flags: dict[str, Any] = {"server": server} if server else {}
    if no_simulator:
        flags["simulator"] = {"enabled": False}
    if no_portkey:
        flags["portkey"] = {"managed": False}
    return flags


def _say(line: str) -> None:
    """Whoever read our output may be gone; that is no reason to stop serving, nor to go on when told to."""
    with contextlib.suppress(OSError):
        click.echo(line)
        sys.stdout.flush()
