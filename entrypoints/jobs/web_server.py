"""The web server process: granian's own main loop, with its workers as children.

It runs apart from the supervisor because granian forks its workers, and a process with an event loop and
threads is no good parent for a fork. `python -m entrypoints.jobs.web_server` is how the supervisor starts
it; nobody else needs to.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from entrypoints.jobs.parent_watch import end_with_parent
from entrypoints.jobs.ports import raise_file_limit

KILL_MARGIN_S: Final = 5
"""How much longer than the drain a worker may take before it is killed: what settles and flushes."""


def load_application(target: str, server_pid: int) -> Any:
    """Runs in each worker: the ASGI application of `module:factory`."""
    end_with_parent(server_pid)
    module, _, factory = target.partition(":")
    return getattr(importlib.import_module(module), factory)()


def backpressure_for(max_concurrent_requests: int) -> int:
    """How many connections one worker takes at once.

    It counts connections, idle ones too, and queues in silence beyond. Our own limit must refuse first,
    with a 503 that says so; hence the room above it.
    """
    return max_concurrent_requests * 2 + 1024


def build_server(options: argparse.Namespace) -> Any:
    """A granian server with our settings; opens nothing yet."""
    return Server(
        target=options.application,
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        workers=options.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=max(2048, min(65_535, options.max_concurrent_requests)),
        backpressure=backpressure_for(options.max_concurrent_requests),
        log_level=LogLevels.warning,
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=round(options.drain_timeout_s) + KILL_MARGIN_S,
    )


def arguments(options: Sequence[str]) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(prog="entrypoints.jobs.web_server")
    parser.add_argument("--application", required=True, help="module:factory of an ASGI application")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-concurrent-requests", type=int, default=1000)
    parser.add_argument("--drain-timeout-s", type=float, default=30.0)
    parser.add_argument("--parent-pid", type=int, required=True)
    return parser.parse_args(options)


def main(argv: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; exits with 1 when workers cannot start or keep crashing."""
    options = arguments(sys.argv[1:] if argv is None else argv)
    end_with_parent(options.parent_pid, grace_s=options.drain_timeout_s + 2 * KILL_MARGIN_S)
    raise_file_limit()
    loader: Callable[[], Any] = partial(load_application, options.application, os.getpid())
    build_server(options).serve(target_loader=loader, wrap_loader=False)


if __name__ == "__main__":
    main()
