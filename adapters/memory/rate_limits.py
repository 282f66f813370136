"""Units of rate limits in memory: for tests and simulations, and what the other stores must agree with."""

from collections.abc import Callable, Sequence

from application.ports.rate_limits import LimitLine, RateLimitStore
from domain.errors import StoreUnavailable
from domain.limits.bucket import Bucket, Told, ask
from domain.limits.quota import count


class InMemoryRateLimits(RateLimitStore):
    """`now_us` is its clock. Set `reachable` to False to take it away."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.reachable = True
        self.exchanges = 0
        self._now_us = now_us
        self._buckets: dict[str, Bucket] = {}
        self._used: dict[str, tuple[int, int]] = {}
        self._numbers: dict[str, int] = {}

    async def begin(self) -> None:
        """Nothing to do."""

    async def exchange(self, holder: str, number: int, lines: Sequence[LimitLine]) -> list[Told]:
        if not self.reachable:
            raise StoreUnavailable("the store of rate limits is not reachable", retry_after_s=1.0)
        self.exchanges += 1
        new = number > self._numbers.get(holder, 0)
        self._numbers[holder] = max(number, self._numbers.get(holder, 0))
        return [self._told(line, new, self._now_us()) for line in lines]

    def _told(self, line: LimitLine, new: bool, now_us: int) -> Told:
        asked = line.asked if new else line.asked._replace(credits=())
        if line.rule is None:
            used, told = count(self._used.get(line.account_id, (0, 0))[0], line.amount, asked, now_us)
            self._used[line.account_id] = (used, line.ends_us or 0)
            return told
        bucket, told = ask(self._buckets.get(line.account_id, Bucket()), line.rule, asked, now_us)
        self._buckets[line.account_id] = bucket
        return told

    async def tidy(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of rate limits is not reachable", retry_after_s=1.0)
        now_us = self._now_us()
        self._buckets = {
            account_id: bucket
            for account_id, bucket in self._buckets.items()
            if bucket.at_us + bucket.level_ns // 1000 > now_us
        }
        self._used = {account_id: kept for account_id, kept in self._used.items() if kept[1] > now_us}
