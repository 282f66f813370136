"""A page of the documentation as a program: its files, and its commands one after the other in one shell."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.architecture.repository import ROOT

PATIENCE_S: Final = 300.0
NEXT: Final = "--- the next block ---"
_BLOCK: Final = re.compile(r"^## ([^\n]+)$|^```(\w+) ?([\w.]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class WrittenPage:
    """Blocks with a name behind their language are files, those of `sh` are commands.

    `ports` are those the page shows; free ones take their place, the server's first.
    """

    def __init__(self, page: Path, *, ports: Sequence[str]) -> None:
        self.files: dict[str, str] = {}
        self.commands: list[str] = []
        self.headings: list[str] = []
        """Of each command: the heading it stands below."""
        self.blocks = 0
        self._ports = ports
        below = ""
        for heading, language, name, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
            below = heading or below
            self.blocks += bool(language)
            if name:
                self.files[name] = code
            elif language == "sh":
                self.commands.append(code)
                self.headings.append(below)

    def run(self, folder: Path, *, log: str, files_in: str = ".") -> list[str]:
        """What each block of commands printed. AssertionError with everything told when one failed."""
        free = _free_ports(len(self._ports))
        (folder / files_in).mkdir(exist_ok=True)
        for name, code in self.files.items():
            (folder / files_in / name).write_text(self._here(code, free))
        script = f"\necho; echo '{NEXT}'\n".join(self._here(code, free) for code in self.commands)
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=folder, env=_environment(free[0]), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
            try:
                shell.wait(PATIENCE_S)
            finally:
                with suppress(ProcessLookupError):  # the last block ended what the others had started
                    os.killpg(shell.pid, signal.SIGKILL)
                shell.wait()
        told = {name: (folder / name).read_text() for name in ("out", "err", log)}
        assert shell.returncode == 0, told
        return told["out"].split(f"\n{NEXT}\n")

    def _here(self, code: str, free: Sequence[str]) -> str:
        for shown, port in zip(self._ports, free, strict=True):
            code = re.sub(rf"(?<=[:\s]){shown}\b", port, code)
        return code


def _free_ports(count: int) -> list[str]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [str(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _environment(port: str) -> dict[str, str]:
    """A newcomer's, with the virtual environment active."""
    kept = ("HOME", "LANG", "SSL_CERT_FILE")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    return {**found, "PATH": path, "PYTHONPATH": str(ROOT), "PORT": port}
