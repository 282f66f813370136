"""Azurite, Microsoft's own stand-in for Azure Blob Storage: installed once per checkout, started per session.

`INTERCHANGE_AZURITE_DIR` names the folder that keeps the installation (default: `.interchange-test/azurite`).
"""

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

HERE = Path(__file__).parent
INSTALL_S = 240
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


def install_folder() -> Path:
    named = os.environ.get("INTERCHANGE_AZURITE_DIR")
    return Path(named) if named else HERE.parents[1] / ".interchange-test" / "azurite"


@contextmanager
def running_azurite() -> Iterator[Azurite | str]:
    """The server, up; or the reason why it is not."""
    node = shutil.which("node")
    if node is None:
        yield "node is not installed"
        return
    install_folder().mkdir(parents=True, exist_ok=True)
    with (install_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes share the folder
        problem = _install(install_folder())
    if problem:
        yield problem
        return
    command = [node, "node_modules/azurite/dist/src/blob/main.js", "--blobHost", "127.0.0.1"]
    command += ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen(
        command,
        cwd=install_folder(),
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


def _install(folder: Path) -> str:
    """Empty, or why it cannot be installed. Every process puts the same files there."""
    wanted = (HERE / "package-lock.json").read_bytes()
    done = folder / "installed-lock.json"
    if not done.exists() or done.read_bytes() != wanted:
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed"
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, folder / name)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        installed = subprocess.run(
            [npm, "ci", *options], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
        )
        if installed.returncode != 0:
            return f"npm ci failed: {installed.stderr.strip()[-300:]}"
        done.write_bytes(wanted)
    return ""
