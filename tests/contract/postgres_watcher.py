"""Ends a PostgreSQL when the tests that started it are gone, however they ended; run as a program.

    python postgres_watcher.py <data directory> <pg_ctl> [<user>]

Standard input is a pipe whose other end the tests hold: it ends with them.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil


def resume(directory: Path) -> None:
    """Processes that a test stopped go on, so that they can be told to end."""
    pid = int((directory / "postmaster.pid").read_text().split()[0])
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            os.kill(process.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # a background worker that has just ended


def main(directory: Path, pg_ctl: str, user: str | None) -> None:
    """Waits, then stops the server and removes its folder."""
    sys.stdin.buffer.read()
    try:
        resume(directory)
        command = [pg_ctl, "-w", "-D", str(directory), "-m", "immediate", "stop"]
        subprocess.run(command, user=user, stdout=subprocess.DEVNULL, check=False, timeout=30)
    except (OSError, psutil.NoSuchProcess):
        pass  # it is gone already
    finally:
        shutil.rmtree(directory.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
