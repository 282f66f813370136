"""From addresses to a connection, and what an operator should know about a server before relying on it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from adapters.redis.connection import COMMAND_TIMEOUT_S, CONNECT_TIMEOUT_S, RedisConnection

_VERSION_MIN = (6, 2)


class RedisFacts(NamedTuple):
    """What Redis says of itself. `version` is the oldest in a Cluster."""

    version: str
    masters: int
    complaints: tuple[str, ...]


def open_redis(
    url: str | None,
    cluster_urls: Sequence[str],
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    command_timeout_s: float = COMMAND_TIMEOUT_S,
    binary: bool = False,
) -> RedisConnection | None:
    """A connection that connects with its first call; None where no address is given. `binary`: for adapters
    whose answers are bytes, such as kept answers and their log.

    Raises InvalidRequest for addresses it cannot serve.
    """
    if not url and not cluster_urls:
        return None
    return RedisConnection(
        cluster_urls or [url or ""],
        cluster=bool(cluster_urls),
        connect_timeout_s=connect_timeout_s,
        command_timeout_s=command_timeout_s,
        binary=binary,
    )


async def redis_facts(connection: RedisConnection) -> RedisFacts:
    """Raises StoreUnavailable."""
    servers = await info_of_masters(connection, "server")
    memory = await info_of_masters(connection, "memory")
    versions = sorted({str(each.get("redis_version", "0")) for each in servers})
    complaints = []
    if any(_number(each) < _VERSION_MIN for each in versions):
        complaints.append("older than 6.2: scripts it relies on may not run")
    policies = sorted({str(each.get("maxmemory_policy", "noeviction")) for each in memory} - {"noeviction"})
    if policies:
        complaints.append(
            f"maxmemory-policy is {policies[0]}: an evicted lease makes every process take its leases anew; "
            "set noeviction"
        )
    return RedisFacts(versions[0], len(servers), tuple(complaints))


async def info_of_masters(connection: RedisConnection, section: str) -> list[dict[str, Any]]:
    """One section of every master. Raises StoreUnavailable."""
    answer = await connection.info(section)
    nodes = list(answer.values())
    # A Cluster answers by node, one server with its own figures.
    return nodes if nodes and all(isinstance(each, dict) for each in nodes) else [answer]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
