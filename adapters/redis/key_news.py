"""One value that is another one after every change of a key. That it is lost in an outage costs nothing but
half a second."""

from collections.abc import Callable
from typing import Final

from adapters.redis.connection import RedisConnection
from application.ports.keys import KeyNews

KEY: Final = "ic:keys"
KEPT_S: Final = 3600


class RedisKeyNews(KeyNews):
    """A random value rather than a count: a server that was emptied would count to the same again."""

    def __init__(self, redis: RedisConnection, draw: Callable[[], str]) -> None:
        """`draw` returns another text each time, on every instance."""
        self._redis = redis
        self._draw = draw

    async def tell(self) -> None:
        await self._redis.call("SET", KEY, self._draw(), "EX", KEPT_S)

    async def last(self) -> str:
        told = await self._redis.call("GET", KEY)
        if isinstance(told, bytes):
            return told.decode("utf-8", "replace")
        return told if isinstance(told, str) else ""
