"""Running a coding agent without a terminal, bounded, with a home of its own."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.clients.scenarios import Interchange, wait_until

RUN_S = 45


class Said(NamedTuple):
    """What a finished command printed."""

    status: int
    output: str
    errors: str


def program(name: str) -> str:
    """The path of an npm client's command."""
    return str(Path(os.environ["CLIENT_NODE_MODULES"]) / ".bin" / name)


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """An environment without anybody's settings or keys."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb", **more}


def run(command: list[str], *, folder: Path, env: Mapping[str, str], stdin: str = "") -> Said:
    """Runs to the end. Raises TimeoutError, with what was printed, when there is none."""
    with _started(command, folder, env) as process:
        try:
            output, errors = process.communicate(stdin, timeout=RUN_S)
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"still running after {RUN_S} s: {late.output or b''!r}"[:400]) from late
    return Said(process.returncode, output, errors)


def interrupted(
    command: list[str], *, folder: Path, env: Mapping[str, str], when: Callable[[], object]
) -> None:
    """Runs until `when`, then presses Ctrl-C and waits for the end."""
    with _started(command, folder, env) as process:
        assert process.stdin is not None
        process.stdin.close()
        wait_until(lambda: process.poll() is not None or when(), "the request arrived upstream", 30)
        assert process.poll() is None, "it ended by itself"
        os.killpg(process.pid, signal.SIGINT)
        process.wait(RUN_S)


@contextmanager
def _started(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        # Its own children too: an agent's shell commands must not outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def in_flight(here: Interchange, provider: str) -> bool:
    """Whether the provider is answering a request now."""
    return bool(here.simulator("GET", "/_sim/stats")["providers"].get(provider, {}).get("in_flight"))
