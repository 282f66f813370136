"""The Redis driver: what of it the connection needs. Loaded where a Redis is configured, and only there."""

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisClusterException, RedisError

from domain.errors import InvalidRequest

__all__ = ["FAILURES", "NoScriptError", "OutOfMemoryError", "RedisError", "cluster_client", "single_client"]

ALLOWED: Final = "redis://[<user>:<password>@]<host>[:<port>][/<db>], or rediss:// for TLS"
FAILURES: Final[tuple[type[Exception], ...]] = (
    RedisError,
    RedisClusterException,
    OSError,
    RuntimeError,
    AttributeError,
)
"""RuntimeError is what uvloop says to a write on a connection that has just been closed; AttributeError what
redis-py says when a Cluster's connection is taken away from it in the middle of its greeting."""


def _parsed(url: str) -> dict[str, Any]:
    try:
        parts = dict(parse_url(url))
    except ValueError:
        raise InvalidRequest(f"REDIS_URL is not one; allowed: {ALLOWED}", param="REDIS_URL") from None
    if "path" in parts:
        raise InvalidRequest(f"REDIS_URL: no sockets; allowed: {ALLOWED}", param="REDIS_URL")
    return parts


def _retry() -> Retry:
    """Once, where a connection turned out to be broken; a slow server is not asked again."""
    return Retry(NoBackoff(), 1, supported_errors=(ConnectionLost,))


def single_client(
    urls: Sequence[str], connections_max: int, wait_s: float, settings: dict[str, Any]
) -> Redis:
    """Raises InvalidRequest for what is not one URL that it can serve."""
    if len(urls) != 1:
        raise InvalidRequest("one REDIS_URL, or several REDIS_CLUSTER_URLS", param="REDIS_URL")
    _parsed(urls[0])
    pool = BlockingConnectionPool.from_url(
        urls[0], max_connections=connections_max, timeout=wait_s, retry=_retry(), **settings
    )
    return Redis(connection_pool=pool)


def cluster_client(urls: Sequence[str], connections_max: int, settings: dict[str, Any]) -> RedisCluster:
    """Raises InvalidRequest for URLs it cannot serve."""
    if not urls:
        raise InvalidRequest("REDIS_CLUSTER_URLS names no node", param="REDIS_CLUSTER_URLS")
    parsed = [_parsed(url) for url in urls]
    nodes = [ClusterNode(str(each.pop("host", "localhost")), int(each.pop("port", 6379))) for each in parsed]
    shared = parsed[0]
    if int(shared.pop("db", 0) or 0):
        raise InvalidRequest("a Redis Cluster has only database 0", param="REDIS_CLUSTER_URLS")
    tls = shared.pop("connection_class", None) is SSLConnection
    return RedisCluster(
        startup_nodes=nodes,
        max_connections=connections_max,
        require_full_coverage=False,
        ssl=tls,
        **shared,
        retry=_retry(),
        **settings,
    )
