"""Units of rate limits in Redis or a Redis Cluster: one script per bucket, on the server's own clock."""

import zlib
from collections.abc import Sequence
from typing import Final

from adapters.redis.connection import RedisConnection, ScriptCall
from adapters.redis.limit_script import ASK, BEGIN, SEEN_MS
from application.ports.rate_limits import LimitLine, RateLimitStore
from domain.errors import StoreUnavailable
from domain.limits.bucket import LEVEL_NS_MAX, MARKS_MAX, Told

PARTITIONS: Final = 64
"""Hash tags that buckets are spread over. Each has a note since when its data are whole."""


class RedisRateLimits(RateLimitStore):
    """For limits that slide. Quotas have to outlive a server that loses its data, and are not kept here."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis

    async def begin(self) -> None:
        """Notes since when data are whole: in a new Redis, bursts begin to fill from here on and not only
        with the first request. Raises StoreUnavailable."""
        await self._redis.run([ScriptCall(BEGIN, _reign(number)) for number in range(PARTITIONS)])

    async def exchange(self, holder: str, number: int, lines: Sequence[LimitLine]) -> list[Told]:
        answers = await self._redis.run([_call(holder, number, line) for line in lines])
        return [Told(*map(int, answer)) for answer in answers]

    async def tidy(self) -> None:
        """Nothing to do: buckets end by themselves when they are empty."""


def _call(holder: str, number: int, line: LimitLine) -> ScriptCall:
    rule, asked = line.rule, line.asked
    if rule is None:
        raise StoreUnavailable("quotas are kept in the database")
    partition = zlib.crc32(line.account_id.encode()) % PARTITIONS
    said = (asked.need, asked.more, asked.want, asked.debt)
    back = tuple(value for credit in asked.credits for value in (credit.at_us, max(0, credit.units)))
    return ScriptCall(
        ASK,
        f"ic:{{rl{partition}}}:limit:{line.account_id}",
        (rule.unit_ns, rule.capacity_ns, *said, number, SEEN_MS, LEVEL_NS_MAX, MARKS_MAX, *back),
        (_reign(partition), f"ic:{{rl{partition}}}:asked:{line.account_id}:{holder}"),
    )


def _reign(partition: int) -> str:
    return f"ic:{{rl{partition}}}:reign"
