"""Processes under measurement: started, found again with their children, measured, ended by their ids."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_STOP_S = 15.0


class Running:
    """One started program with everything it started itself. Its output goes to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        keeps_stdin: bool = False,
        folder: Path | None = None,
    ) -> None:
        """`keeps_stdin`: the program ends when its standard input closes, so hold it open."""
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE if keeps_stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                cwd=folder,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def pids(self) -> list[int]:
        """The program and all its descendants, now."""
        return [self.pid, *descendants(self.pid)]

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; whatever it leaves behind is ended by its id. Idempotent."""
        if self.ended:
            return
        children = descendants(self.pid)
        self._process.terminate()
        try:
            self._process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def last_lines(self, count: int = 5) -> str:
        """The end of its output, for whoever has to find out why it failed."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-count:])


class Usage(NamedTuple):
    """What processes used since they began, and what they hold now."""

    cpu_s: float
    rss_bytes: int
    busiest_rss_bytes: int
    """Of the largest single process: the one that serves."""


def usage_of(pids: Sequence[int]) -> Usage:
    """CPU time and resident memory; processes that are gone count nothing."""
    ticks, memory = 0, [0]
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        memory += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")]
    return Usage(ticks / _TICKS_PER_S, sum(memory), max(memory))


def descendants(pid: int) -> list[int]:
    """Children, their children and so on."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def wait_until_quiet(pids: Sequence[int], *, timeout_s: float = 6.0) -> None:
    """Waits until they have nothing left to do: callers that left may still be worked for."""
    give_up_at = time.monotonic() + timeout_s
    before = usage_of(pids).cpu_s
    while time.monotonic() < give_up_at:
        time.sleep(0.1)
        now = usage_of(pids).cpu_s
        if now - before <= 0.011:
            return
        before = now


def processor_model() -> str:
    """How many cores this machine has, and its memory."""
    memory = next(
        (line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line),
        "0",
    )
    return f"{os.cpu_count()} cores, {int(memory) / 1024 / 1024:.0f} GB"
