"""The process that writes a server's usage rows. `python -m entrypoints.jobs.usage_writer` is how the server
starts it, with one end of a socket as its standard input; it ends when the other end is closed."""

import asyncio
import logging
import signal
import sys

from domain.errors import InterchangeError
from entrypoints.jobs.ports import leave_no_core
from entrypoints.usage_writer_opening import write_rows

log = logging.getLogger("interchange")


def main() -> int:
    """Nothing but the end of its server ends it in order. Exit status 1: it failed, and said why."""
    leave_no_core()  # the address of the database may hold a password
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    try:
        asyncio.run(write_rows(sys.stdin.fileno()))
    except InterchangeError as error:
        log.error("the writer of usage rows ends: %s", error.message)
        return 1
    except Exception:  # in the shape of all lines, and redacted like them
        log.exception("the writer of usage rows failed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
