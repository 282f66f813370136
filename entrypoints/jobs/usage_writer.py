"""The process that writes a server's usage rows. `python -m entrypoints.jobs.usage_writer` is how the server
starts it, with one end of a socket as its standard input; it ends when the other end is closed."""

import asyncio
import signal
import sys

from entrypoints.jobs.ports import leave_no_core
from entrypoints.usage_writer_opening import write_rows


def main() -> int:
    """Nothing but the end of its server ends it in order."""
    leave_no_core()  # the address of the database may hold a password
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    asyncio.run(write_rows(sys.stdin.fileno()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
