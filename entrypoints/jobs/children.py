"""Child processes of the supervisor: started, probed until they answer, restarted, stopped in bounded time.

Each child is its own session, so that Ctrl-C in a terminal reaches the supervisor alone and the order of
stopping is ours. None outlives the supervisor: they watch their standard input or their parent's id.
"""

import asyncio
import contextlib
import json
import os
import signal
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROBE_EVERY_S: Final = 0.05
PROBE_TIMEOUT_S: Final = 2.0
RESTART_FIRST_S: Final = 0.5
RESTART_MAX_S: Final = 15.0
STABLE_AFTER_S: Final = 30.0
"""Life after which earlier crashes of a child are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlan:
    """How to run one child. It counts as up when `GET probe_path` at `host:port` answers at all."""

    name: str
    command: Sequence[str]
    host: str
    port: int
    probe_path: str
    environment: Mapping[str, str]
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 5.0
    log: Path | None = None
    """Where its output goes, begun anew with each start; None: to our own."""
    tls: bool = False
    """Whether it is probed over TLS. Whose certificate that is does not matter: it is our own child."""


class ChildFailed(Exception):
    """The child ended, or did not answer, before it was ever up."""


class Child:
    """One supervised process. `on_end` is told in one sentence whenever it ends unasked."""

    def __init__(self, plan: ChildPlan, *, on_end: Callable[[str], None]) -> None:
        self.plan = plan
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.gave_up = asyncio.Event()
        """Set when it is not restarted any more."""

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Returns when the child answers; from then on it is restarted when it ends.

        Raises:
            ChildFailed: it ended first, or the time for starting ran out.
        """
        await self._spawn()
        try:
            await self._wait_until_up()
        except BaseException:
            await self._end()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keep-{self.plan.name}")

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to its whole session after `stop_timeout_s`. Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait({keeper})
        await self._end()

    def hang_up(self) -> None:
        """SIGHUP to the child alone, which reads its files anew."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGHUP)

    def kill(self) -> None:
        """Ends it now; for the second Ctrl-C."""
        if self._process is not None and self._process.returncode is None:
            _signal_session(self._process.pid, signal.SIGKILL)

    async def _spawn(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                output = stack.enter_context(self.plan.log.open("wb")) if self.plan.log else None
                self._process = await asyncio.create_subprocess_exec(
                    *self.plan.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=dict(self.plan.environment),
                    start_new_session=True,
                )
        except OSError as error:
            raise ChildFailed(f"{self.plan.name} does not start: {error.strerror}") from error

    async def _wait_until_up(self) -> None:
        process = self._process
        assert process is not None
        give_up_at = time.monotonic() + self.plan.start_timeout_s
        while time.monotonic() < give_up_at:
            if process.returncode is not None:
                raise ChildFailed(f"{self.plan.name} ended with status {process.returncode}")
            plan = self.plan
            if await answers(plan.host, plan.port, plan.probe_path, tls=plan.tls):
                return
            await asyncio.sleep(PROBE_EVERY_S)
        raise ChildFailed(f"{self.plan.name} did not answer within {self.plan.start_timeout_s:.0f} s")

    async def _keep(self) -> None:
        """Waits for the end, starts again, more slowly each time."""
        crashes = 0
        while True:
            process = self._process
            assert process is not None
            began = time.monotonic()
            status = await process.wait()
            _signal_session(process.pid, signal.SIGKILL)
            crashes = 0 if time.monotonic() - began > STABLE_AFTER_S else crashes + 1
            pause_s = min(RESTART_MAX_S, RESTART_FIRST_S * 2.0 ** min(crashes, 10))
            self._on_end(f"{self.plan.name} ended with status {status}; starting it again in {pause_s:.1f} s")
            await asyncio.sleep(pause_s)
            try:
                await self._spawn()
            except ChildFailed as error:
                self._on_end(str(error))
                self.gave_up.set()
                return

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        try:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.plan.stop_timeout_s):
                        await process.wait()
        finally:
            _signal_session(process.pid, signal.SIGKILL)
        await process.wait()
        self._process = None


def _signal_session(leader_pid: int, number: signal.Signals) -> None:
    """To every process of a child's session: its workers too, should the leader have left them behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, number)


async def answers(host: str, port: int, path: str, *, tls: bool = False) -> bool:
    """Whether an HTTP server there answers at all, with whatever status."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host.strip("[]"), port, ssl=context)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                return (await reader.read(5)) == b"HTTP/"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """Publishes a small JSON file in one step: a reader sees the old or the new, never a half."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(state) + "\n", encoding="utf-8")
    partial.replace(path)
