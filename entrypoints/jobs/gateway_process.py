"""The Portkey gateway as a supervised child: installed, started, watched, restarted, stopped.

Nothing here ever delays Interchange: until the gateway is up, providers are called directly. The child
listens on loopback only, gets none of our environment, and ends with us even when we are killed, because
its standard input closes then (see `portkey/loopback_preload.cjs`).
"""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from io import FileIO
from pathlib import Path
from typing import Final

from entrypoints.jobs.gateway_install import (
    PRELOAD,
    GatewayInstallation,
    GatewayUnavailable,
    InstalledGateway,
)

DEFAULT_PORT: Final = 8787
_GREETING: Final = b"AI Gateway says hey!"
_PORT_LINE: Final = re.compile(rb"^interchange-gateway-port (\d+)\r?$", re.MULTILINE)
_LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1")
_LOG_BYTES_MAX: Final = 1_000_000
_HEADER_BYTES_MAX: Final = 65_536


class GatewayState(Enum):
    """Where the child stands."""

    STOPPED = "stopped"
    INSTALLING = "installing"
    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    """It ended or does not answer; the next start follows by itself."""
    FAILED = "failed"
    """It cannot be installed now; `last_error` says why. Tried again, at long intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPacing:
    """Bounds and intervals, in seconds."""

    start_s: float = 30.0
    probe_every_s: float = 5.0
    probe_timeout_s: float = 5.0
    silent_probes_max: int = 4
    """Unanswered probes in a row after which the child is replaced; a saturated one answers late."""
    restart_first_s: float = 0.5
    restart_max_s: float = 30.0
    stable_after_s: float = 60.0
    """Life after which earlier crashes are forgotten."""
    reinstall_first_s: float = 30.0
    reinstall_max_s: float = 900.0
    stop_grace_s: float = 5.0


StateListener = Callable[["GatewayProcess"], None]


class GatewayProcess:
    """One gateway child. `on_change` is called, on the event loop, after every change of state or address."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = DEFAULT_PORT,
        trusted_hosts: Sequence[str] = (),
        on_change: StateListener | None = None,
        pacing: GatewayPacing | None = None,
        installation: GatewayInstallation | None = None,
    ) -> None:
        """`port` is a wish: when it is taken, a free one is used. `trusted_hosts` are exact names or
        addresses of providers in private networks, which the gateway refuses to call otherwise; loopback
        is included."""
        self._log_path = data_dir / "portkey" / "gateway.log"
        self._installation = installation or GatewayInstallation(
            data_dir / "portkey", data_dir / "portkey" / "install.log"
        )
        self._wanted_port = port
        self._trusted_hosts = ",".join(dict.fromkeys([*_LOOPBACK_HOSTS, *trusted_hosts]))
        self._on_change = on_change
        self._pacing = pacing or GatewayPacing()
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._port: int | None = None
        self._changed = asyncio.Event()
        self.state = GatewayState.STOPPED
        self.last_error: str | None = None
        self.restarts = 0

    @property
    def url(self) -> str | None:
        """Base URL, without a path, while the gateway is up; else None."""
        return f"http://127.0.0.1:{self._port}" if self.state is GatewayState.UP else None

    @property
    def pid(self) -> int | None:
        """Process id of the running child."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Begins to install and supervise in the background; returns at once. Idempotent."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._supervise(), name="portkey-gateway")

    async def stop(self) -> None:
        """Ends the child: SIGTERM, then SIGKILL after the grace. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self._become(GatewayState.STOPPED)

    async def wait_until_up(self, timeout_s: float) -> bool:
        """Whether it came up in time; returns early when it cannot be installed."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.state is not GatewayState.UP:
                    if self.state is GatewayState.FAILED:
                        return False
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _become(self, state: GatewayState, error: str | None = None) -> None:
        if error is not None:
            self.last_error = error
        elif state is GatewayState.UP:
            self.last_error = None
        if state is self.state and error is None:
            return
        self.state = state
        self._changed.set()
        if self._on_change is not None:
            self._on_change(self)

    async def _supervise(self) -> None:
        try:
            await self._live()
        except Exception as error:  # noqa: BLE001 - a defect must show in /health, not vanish with a task
            self._become(GatewayState.FAILED, f"the gateway's supervisor ended: {error!r}")

    async def _live(self) -> None:
        installed = await self._install()
        crashes = 0
        while True:
            self._become(GatewayState.STARTING)
            began = time.monotonic()
            reason = await self._run_once(installed)
            self._become(GatewayState.DOWN, reason)
            if time.monotonic() - began > self._pacing.stable_after_s:
                crashes = 0
            await asyncio.sleep(_backoff_s(crashes, self._pacing.restart_first_s, self._pacing.restart_max_s))
            crashes += 1
            self.restarts += 1

    async def _install(self) -> InstalledGateway:
        failures = 0
        while True:
            self._become(GatewayState.INSTALLING)
            try:
                return await self._installation.ensure()
            except (GatewayUnavailable, OSError) as error:
                self._become(GatewayState.FAILED, str(error))
            await asyncio.sleep(
                _backoff_s(failures, self._pacing.reinstall_first_s, self._pacing.reinstall_max_s)
            )
            failures += 1

    async def _run_once(self, installed: InstalledGateway) -> str:
        """One life of the child, from start to end; answers why it ended."""
        self._port = None
        try:
            process = await self._spawn(installed)
        except OSError as error:
            return f"the gateway does not start: {error.strerror or error}"
        self._process = process
        try:
            async with asyncio.TaskGroup() as group:
                output = group.create_task(self._read_output(process))
                watch = group.create_task(self._watch(process))
                reason = await watch
                await self._end(process)
                await asyncio.wait([output], timeout=1.0)
                output.cancel()
            return reason
        finally:
            await self._end(process)

    async def _spawn(self, installed: InstalledGateway) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(installed.node),
            "--require",
            str(PRELOAD),
            f"--max-http-header-size={_HEADER_BYTES_MAX}",
            str(installed.script),
            f"--port={self._wanted_port}",
            "--headless",
            cwd=installed.folder,
            env=self._child_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    def _child_environment(self) -> dict[str, str]:
        """No secret of ours, and nothing that would make the gateway act in our name at a cloud."""
        passed_on = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SYSTEMROOT", "TZ")
        environment = {name: os.environ[name] for name in passed_on if name in os.environ}
        return {**environment, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": self._trusted_hosts}

    async def _watch(self, process: asyncio.subprocess.Process) -> str:
        """Follows the child from its first answer to its last; answers why it is over."""
        pacing = self._pacing
        ended = asyncio.create_task(process.wait(), name="portkey-gateway-exit")
        try:
            give_up_at = time.monotonic() + pacing.start_s
            silent = 0
            while not ended.done():
                pause_s = pacing.probe_every_s
                if await self._probe():
                    silent = 0
                    self._become(GatewayState.UP)
                elif self.state is GatewayState.STARTING:
                    pause_s = min(0.05, pacing.probe_every_s)
                    if time.monotonic() > give_up_at:
                        return (
                            f"the gateway did not answer within {pacing.start_s:.0f} s (see {self._log_path})"
                        )
                else:
                    silent += 1
                    pause_s = min(1.0, pacing.probe_every_s)
                    self._become(GatewayState.DOWN, "the gateway does not answer")
                    if silent >= pacing.silent_probes_max:
                        return f"the gateway did not answer {silent} probes in a row"
                await asyncio.wait([ended], timeout=pause_s)
            return f"the gateway ended with status {ended.result()} (see {self._log_path})"
        finally:
            ended.cancel()

    async def _probe(self) -> bool:
        """Whether `GET /` says what only this gateway says."""
        if self._port is None:
            return False
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n\r\n".encode()
        try:
            async with asyncio.timeout(self._pacing.probe_timeout_s):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, limit=_HEADER_BYTES_MAX
                )
                try:
                    writer.write(request)
                    answer = await reader.read(-1)
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False
        return answer.startswith(b"HTTP/1.1 200") and _GREETING in answer

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        """Takes the address from the first lines and keeps the rest, bounded, for whoever asks why."""
        assert process.stdout is not None
        head = b""
        log = _BoundedLog(self._log_path)
        try:
            while data := await process.stdout.read(16_384):
                log.write(data)
                if self._port is None and len(head) < _HEADER_BYTES_MAX:
                    head += data
                    if found := _PORT_LINE.search(head):
                        self._port = int(found[1])
        finally:
            log.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM, the grace, SIGKILL. A second cancellation still leaves no child behind."""
        self._process = None
        try:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pacing.stop_grace_s):
                        await process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        await process.wait()


class _BoundedLog:
    """An append-only file that starts over when full, keeping one predecessor. Readable by its owner only.

    A full or read-only disk costs the log, not the gateway.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._open()

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file = FileIO(descriptor, "ab")

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._file is not None and self._file.tell() + len(data) > _LOG_BYTES_MAX:
                self.close()
                self._path.replace(self._path.with_suffix(".log.1"))
                self._open()
            if self._file is not None:
                self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _backoff_s(failures: int, first_s: float, max_s: float) -> float:
    """Doubles from `first_s` up to `max_s`; one child on one machine needs no jitter."""
    return float(min(max_s, first_s * 2 ** min(failures, 20)))
