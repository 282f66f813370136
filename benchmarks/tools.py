"""What asking a database through its connector costs over its bare driver, in one run.

    python -m benchmarks.tools --calls 3000

PostgreSQL of its own on loopback; one query of one row, one call after the other, ways taking turns so that
a noisy moment meets them all. `bare` is asyncpg with a statement it prepared before; `bare, read-only` does
what has to be done at least: a read-only transaction around it.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import uvloop

from adapters.databases.connector import DatabaseConnector
from adapters.databases.kind import DatabaseKind
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from tests.contract.postgres_network import PASSWORD, NetworkPostgres, network_postgres, surroundings

SQL = "SELECT id, name FROM people WHERE id = {place}"
WARM_UP = 200
TURN = 50
"""Calls of one way before it is another's turn."""

Way = Callable[[], Awaitable[object]]


def connector(server: NetworkPostgres, database: str) -> DatabaseConnector:
    said: dict[str, Any] = {
        "endpoint": f"postgresql://127.0.0.1:{server.port}/{database}",
        "authentication": {"type": "password", "username": "agent"},
        "queries": {
            "person": {
                "sql": SQL.format(place=":id"),
                "parameters": {"id": {"type": "integer"}},
                "returns": "row",
            }
        },
    }
    integration = Integration(
        tenant_id="bench", integration_id="crm", kind=IntegrationKind.DATABASE, configuration=said
    )
    return DatabaseKind().open(integration, surroundings())


async def ways(server: NetworkPostgres, database: str) -> dict[str, Way]:
    """By name, each asking for the same row."""
    bare = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user="agent", password=PASSWORD, database=database
    )
    query = SQL.format(place="$1")
    through = connector(server, database)
    call = ToolCall(
        tenant_id="bench",
        integration_id="crm",
        tool=through.tools[0],
        parameters={"id": 2},
        timeout_s=30.0,
        request_id="req_bench",
    )

    async def read_only() -> object:
        async with bare.transaction(readonly=True):
            return await bare.fetchrow(query, 2)

    async def through_connector() -> object:
        return await through.execute(call)

    return {
        "bare": lambda: bare.fetchrow(query, 2),
        "bare, read-only": read_only,
        "connector": through_connector,
    }


async def measure(found: dict[str, Way], calls: int) -> dict[str, list[float]]:
    """Milliseconds of each call."""
    took: dict[str, list[float]] = {name: [] for name in found}
    for way in found.values():
        for _ in range(WARM_UP):
            await way()
    while len(took["bare"]) < calls:
        for name, way in found.items():
            for _ in range(TURN):
                begun = time.perf_counter()
                await way()
                took[name].append((time.perf_counter() - begun) * 1e3)
    return took


def tell(took: dict[str, list[float]]) -> None:
    bare = statistics.median(took["bare"])
    for name, each in took.items():
        cuts = statistics.quantiles(each, n=100)
        print(
            f"{name:>16}: p50 {cuts[49]:.3f} ms, p95 {cuts[94]:.3f} ms, p99 {cuts[98]:.3f} ms; "
            f"over bare {cuts[49] - bare:+.3f} ms, x {cuts[49] / bare:.2f}"
        )


async def run(calls: int) -> None:
    server = await asyncio.to_thread(network_postgres)
    try:
        database = await asyncio.to_thread(server.new_people)
        tell(await measure(await ways(server, database), calls))
    finally:
        await asyncio.to_thread(server.remove)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=3000, help="of each way")
    uvloop.run(run(parser.parse_args().calls))


if __name__ == "__main__":
    main()
