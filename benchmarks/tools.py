"""What calling a tool costs over its bare driver, step by step, in one run.

    python -m benchmarks.tools --calls 3000

A query of one row in a PostgreSQL of its own, and a request to a REST API that answers at once, all on
loopback, one call after the other; ways take turns so that a noisy moment meets them all.

    bare              asyncpg with a statement it prepared before; our HTTP transport and json.loads
    bare, read-only   what has to be done at least for a query: a read-only transaction around it
    connector         Connector.execute: limits, read-only, a session reset, values as JSON
    ExecuteTool       the whole pipeline in this process: schema, two rate limits, three hard budgets,
                      breaker, bulkhead, deadline, usage row and audit leaf
    HTTP              POST /api/v1/tools/execute of a server beside it, over a connection that stays open
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import uvloop

from adapters.http.transport import StreamlinedTransport
from application.ports.http import Endpoint, HttpRequest
from benchmarks.tools_world import (
    SQL,
    Beside,
    Inside,
    configuration,
    exchange,
    inside,
    start_beside,
    start_mock,
)
from tests.contract.postgres_network import PASSWORD, NetworkPostgres, network_postgres

WARM_UP = 300
TURN = 50
"""Calls of one way before it is another's turn."""
TARGET_MS = 1.0
"""What the pipeline may add to the bare driver at the median."""

Way = Callable[[], Awaitable[object]]
Ways = dict[str, Way]
Took = dict[str, list[float]]


async def bare_ways(server: NetworkPostgres, database: str, mock_port: int) -> dict[str, Ways]:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user="agent", password=PASSWORD, database=database
    )
    query = SQL.format(place="$1")
    transport, mock = StreamlinedTransport(), Endpoint("http", "127.0.0.1", mock_port)
    headers = [("authorization", "Bearer token-for-the-mock"), ("accept", "application/json")]

    async def read_only() -> object:
        async with connection.transaction(readonly=True):
            return await connection.fetchrow(query, 2)

    async def request() -> object:
        asked = HttpRequest(method="GET", endpoint=mock, path="/things/2", headers=headers)
        return json.loads(await exchange(transport, asked))

    return {
        "database": {"bare": lambda: connection.fetchrow(query, 2), "bare, read-only": read_only},
        "api": {"bare": request},
    }


def our_ways(kind: str, here: Inside, there: Beside) -> Ways:
    numbers = itertools.count()
    connector, call = here.connectors[kind], here.calls[kind]
    return {
        "connector": lambda: connector.execute(call),
        "ExecuteTool": lambda: here.asked(kind, next(numbers)),
        "HTTP": lambda: there.asked(kind),
    }


async def measure(found: Ways, calls: int) -> Took:
    """Milliseconds of each call."""
    took: Took = {name: [] for name in found}
    for way in found.values():
        for _ in range(WARM_UP):
            await way()
    while len(took["bare"]) < calls:
        for name, way in found.items():
            for _ in range(TURN):
                begun = time.perf_counter()
                await way()
                took[name].append((time.perf_counter() - begun) * 1e3)
            await asyncio.sleep(0.001)  # who writes behind gets a turn between two ways, as between callers
    return took


def tell(kind: str, took: Took) -> bool:
    """Prints a table; whether the target was met."""
    bare = statistics.quantiles(took["bare"], n=100)
    print(f"{kind}, {len(took['bare'])} calls of each way")
    print(f"{'':>16} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'over bare p50':>14} {'p95':>8} {'x':>6}")
    for name, each in took.items():
        cuts = statistics.quantiles(each, n=100)
        print(
            f"{name:>16} {cuts[49]:8.3f} {cuts[94]:8.3f} {cuts[98]:8.3f} {cuts[49] - bare[49]:+14.3f} "
            f"{cuts[94] - bare[94]:+8.3f} {cuts[49] / bare[49]:6.2f}"
        )
    added = statistics.median(took["ExecuteTool"]) - statistics.median(took["bare"])
    print(f"ExecuteTool adds {added:.3f} ms at the median (target: {TARGET_MS} ms)\n")
    return added <= TARGET_MS


async def run(calls: int) -> bool:
    server = await asyncio.to_thread(network_postgres)
    met = True
    with ExitStack() as stack:
        stack.callback(server.remove)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-tools-")))
        database = await asyncio.to_thread(server.new_people)
        mock_port = await asyncio.to_thread(start_mock, stack, folder)
        text = configuration(server.port, database, mock_port)
        there = await asyncio.to_thread(start_beside, stack, folder / "beside", text, StreamlinedTransport())
        bare = await bare_ways(server, database, mock_port)
        async with inside(folder / "inside", text) as here:
            print("load average before: " + ", ".join(f"{load:.2f}" for load in os.getloadavg()))
            for kind, name in (("database", "PostgreSQL"), ("api", "REST")):
                took = await measure({**bare[kind], **our_ways(kind, here, there)}, calls)
                met = tell(name, took) and met
    return met


def main() -> None:
    """Exit status 1 where the target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000, help="of each way")
    raise SystemExit(0 if uvloop.run(run(parser.parse_args().calls)) else 1)


if __name__ == "__main__":
    main()
