"""TCP ports of this machine: whether one is free, and who holds it."""

import contextlib
import errno
import os
import resource
import socket
from pathlib import Path
from typing import NamedTuple

_LISTENING = "0A"


class PortOwner(NamedTuple):
    """The process that listens; `command` is its command line, shortened."""

    pid: int
    command: str


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Deliberately without SO_REUSEPORT: the web server's workers use it, so a second instance would share
    the port in silence.

    Raises:
        OSError: the address does not belong to this machine or may not be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(host: str) -> int:
    """A port nobody listens on at this moment."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)
        return int(probe.getsockname()[1])


def owner_of(port: int) -> PortOwner | None:
    """Who listens on this port, where /proc tells and we may look; else None."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(_link(handle) in wanted for handle in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return PortOwner(int(process.name), command.strip()[:120])
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                    inodes.add(columns[9])
    return inodes


def _link(handle: Path) -> str:
    try:
        return str(handle.readlink())
    except OSError:
        return ""


def reachable_host(host: str) -> str:
    """The address a local client uses for a server that listens on `host`; IPv6 in brackets."""
    if host in ("", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host in ("::", "[::]"):
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def raise_file_limit() -> int:
    """Lifts the soft limit of open files to the hard one; two are needed per running request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            return hard
    return soft


def leave_no_core() -> None:
    """Keeps this process and its children from leaving their memory behind when they crash: it holds every
    secret in use. Whoever has to look into a crash lifts the limit of the running process (`prlimit`)."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(ValueError, OSError):
        # One byte rather than none: Linux hands a core to a program that collects them despite a limit of 0.
        resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))


def process_exists(pid: int) -> bool:
    """Whether such a process runs, as far as we may know."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
