"""Azurite, Microsoft's own stand-in for Azure Blob Storage: installed once per checkout."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from tests.node_parts import azurite, missing_part

START_LINES_MAX = 20
ACCOUNT: Final = "devstoreaccount1"
ACCOUNT_KEY: Final = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Azurite's own, the same everywhere."""
_READY: Final = "successfully listens on "


class Azurite(NamedTuple):
    """A running server; nothing of it is on the disk."""

    url: str

    @property
    def service_url(self) -> str:
        return f"{self.url}/{ACCOUNT}"


@contextmanager
def running_azurite() -> Iterator[Azurite | str]:
    """The server, up; or the reason why it is not."""
    node = shutil.which("node")
    if node is None:
        yield "node is not installed"
        return
    packages = azurite()
    if problem := missing_part(packages):
        yield problem
        return
    command = [node, "node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1"]
    command += ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen(
        command,
        cwd=packages.folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield _started(process)
        finally:
            process.kill()


def _started(process: "subprocess.Popen[str]") -> Azurite | str:
    assert process.stdout is not None
    for _ in range(START_LINES_MAX):
        line = process.stdout.readline()
        if _READY in line:
            # It writes a line for each request from here on, which somebody has to take.
            _drain(process)
            return Azurite(line.partition(_READY)[2].strip())
        if not line:
            break
    return "azurite did not start"


def _drain(process: "subprocess.Popen[str]") -> None:
    def read() -> None:
        assert process.stdout is not None
        for _ in process.stdout:
            pass

    threading.Thread(target=read, daemon=True).start()
