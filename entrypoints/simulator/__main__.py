"""`python -m entrypoints.simulator`: the simulated provider as a process of its own."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from entrypoints.simulator.server import SimulatedProvider


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, or with `--exit-with-parent` until stdin closes.

    Writes one line of JSON, `{"url": …, "port": …}`, to stdout as soon as it listens.
    """
    parser = argparse.ArgumentParser(prog="python -m entrypoints.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prices", type=Path, help="JSON file of prices, as PUT /_sim/prices takes it")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin closes")
    chosen = parser.parse_args(arguments)
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.run(_serve(chosen))
    return asyncio.run(_serve(chosen))


async def _serve(chosen: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    provider = SimulatedProvider(host=chosen.host, port=chosen.port, seed=chosen.seed)
    if chosen.prices is not None:
        provider.set_prices(json.loads(chosen.prices.read_text()))
    try:
        await provider.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on {chosen.host}:{chosen.port}: {error}\n")
        return 1
    sys.stdout.write(json.dumps({"url": provider.base_url, "port": provider.port}) + "\n")
    sys.stdout.flush()
    if chosen.exit_with_parent:
        # A thread, since stdin may be a pipe, a file or /dev/null, and not all of them can be polled.
        threading.Thread(target=_wait_for_eof, args=(loop, stopping), daemon=True).start()
    await stopping.wait()
    await provider.stop()
    return 0


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stopping.set)


if __name__ == "__main__":
    sys.exit(main())
