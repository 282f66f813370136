"""The web server process: granian's own main loop, with its workers as children.

It runs apart from the supervisor because granian forks its workers, and a process with an event loop and
threads is no good parent for a fork. `python -m entrypoints.jobs.web_server` is how the supervisor starts
it; nobody else needs to.
"""

import argparse
import asyncio
import contextlib
import importlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from entrypoints.garbage_collection import collect_rarely
from entrypoints.jobs.parent_watch import end_with_parent
from entrypoints.jobs.ports import leave_no_core, raise_file_limit
from entrypoints.logs import server_logging

KILL_MARGIN_S: Final = 5
"""What a worker gets beyond the drain to settle and flush, before it is killed."""
HEADER_TIMEOUT_MS: Final = 10_000
"""How long a head may take to arrive; a caller that sends a byte now and then must not hold on for ever."""
HEAD_BYTES_MAX: Final = 128 * 1024
"""What the server reads of a head at most; our own limit (`head_limits.py`) is lower and says why."""
CANCEL_SIGNAL: Final = signal.SIGUSR1
"""Tells a worker that the time for draining is over."""
LEAVE_SIGNAL: Final = signal.SIGUSR2
"""Tells a worker that draining begins: what would go on for hours ends now."""


def load_application(target: str, server_pid: int) -> Any:
    """Runs in each worker, on its event loop: the ASGI application of `module:factory`.

    When the application has a method `cancel_running()`, it is called on the loop once the drain has
    lasted too long: requests that still run shall end then, so that what they owe is settled in time.
    `end_streams()`, where it has one, is called when the drain begins.
    """
    end_with_parent(server_pid)
    signal.signal(CANCEL_SIGNAL, signal.SIG_IGN)
    signal.signal(LEAVE_SIGNAL, signal.SIG_IGN)
    module, _, factory = target.partition(":")
    application = getattr(importlib.import_module(module), factory)()
    for name, told_by in (("cancel_running", CANCEL_SIGNAL), ("end_streams", LEAVE_SIGNAL)):
        if (told := getattr(application, name, None)) is not None:
            asyncio.get_event_loop().add_signal_handler(told_by, told)
    return application


class DrainingServer(MPServer):
    """Granian, with a step between asking its workers to finish and killing them."""

    drain_timeout_s: float = 30.0

    def _stop_workers(self) -> None:
        """SIGTERM; when the drain is over the cancel signal; a little later, by granian itself, SIGKILL."""
        over_at = time.monotonic() + self.drain_timeout_s
        workers: list[Any] = list(self.wrks)
        for worker in workers:
            _signal(worker, LEAVE_SIGNAL)
            worker.terminate()
        for worker in workers:
            worker.join(max(0.0, over_at - time.monotonic()))
        for worker in workers:
            # One that just ended may still count as alive until granian's own watcher has noticed.
            if worker.is_alive():
                _signal(worker, CANCEL_SIGNAL)
        super()._stop_workers()  # type: ignore[no-untyped-call]

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        """SIGHUP: new workers, one by one, read the certificate anew; the old ones get the whole drain."""
        usual = self.workers_kill_timeout
        self.workers_kill_timeout = math.ceil(self.drain_timeout_s) + KILL_MARGIN_S
        try:
            super()._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        finally:
            self.workers_kill_timeout = usual


def _signal(worker: Any, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.inner.pid, number)


def backpressure_for(max_concurrent_requests: int) -> int:
    """How many connections one worker takes at once.

    It counts connections, idle ones too, and queues in silence beyond. Our own limit must refuse first,
    with a 503 that says so; hence the room above it.
    """
    return max_concurrent_requests * 2 + 1024


def build_server(options: argparse.Namespace) -> Any:
    """A granian server with our settings; opens nothing yet."""
    tls: dict[str, Any] = {}
    if options.tls_cert_file is not None:
        tls = {
            "ssl_cert": options.tls_cert_file,
            "ssl_key": options.tls_key_file,
            "ssl_protocol_min": SSLProtocols.tls12 if options.tls_min == "1.2" else SSLProtocols.tls13,
        }
    server = DrainingServer(
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
        log_dictconfig=server_logging(options.log_format),
        log_access=False,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_MARGIN_S,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=HEAD_BYTES_MAX),
        **tls,
    )
    server.drain_timeout_s = options.drain_timeout_s
    return server


def arguments(options: Sequence[str]) -> argparse.Namespace:
    """The command line of this process."""
    parser = argparse.ArgumentParser(prog="entrypoints.jobs.web_server")
    parser.add_argument("--application", required=True, help="module:factory of an ASGI application")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--max-concurrent-requests", type=int, default=1000)
    parser.add_argument("--drain-timeout-s", type=float, default=30.0)
    parser.add_argument("--log-format", choices=("json", "text"), default="text")
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--tls-cert-file", type=Path)
    parser.add_argument("--tls-key-file", type=Path)
    parser.add_argument("--tls-min", choices=("1.2", "1.3"), default="1.3")
    return parser.parse_args(options)


def main(argv: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; exits with 1 when workers cannot start or keep crashing."""
    collect_rarely()  # workers are its forks
    options = arguments(sys.argv[1:] if argv is None else argv)
    end_with_parent(options.parent_pid)
    raise_file_limit()
    leave_no_core()
    loader: Callable[[], Any] = partial(load_application, options.application, os.getpid())
    build_server(options).serve(target_loader=loader, wrap_loader=False)


if __name__ == "__main__":
    main()
