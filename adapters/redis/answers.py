"""The second tier of kept answers in Redis: one string for each, which leaves when its life is over.

Redis may lose any of them at any time. Keys are hashes of everything an answer depends on, the tenant
first of all, so no two tenants ever share one; they lie all over a Cluster.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from adapters.redis.connection import Command, RedisConnection
from adapters.redis.opening import info_of_masters
from adapters.wire.answer_codec import AnswerCodec
from application.ports.answer_store import AnswerStore, StoreFacts
from application.ports.entry_seal import EntrySeal
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

PREFIX: Final = "ic:answer:"
GROUP_BYTES: Final = 1024 * 1024
"""How much is sent before its answers are waited for."""
GROUP_COMMANDS: Final = 256
FULL_AT: Final = 0.9
"""Share of a server's memory from which on it is said to be short."""
LOOK_EVERY_S: Final = 5.0
"""How old what is known about its memory may be when answers are written."""


class _Memory(NamedTuple):
    """All masters together, but `fullest`: the largest share any of them uses of its own maximum."""

    used: int
    maximum: int | None
    fullest: float
    policies: tuple[str, ...]

    @property
    def refuses_when_full(self) -> bool:
        return "noeviction" in self.policies


class RedisAnswerStore(AnswerStore):
    """On a connection opened with `binary`, which it closes. Belongs to one event loop.

    Writes nothing more once Redis uses more than `bytes_max`, nor where a server that evicts nothing is
    almost full: what else lives there, such as leases of budgets, needs that room more than answers do.
    Installations that share a Redis are told apart by `installation`, a text without braces: names of tenants
    and routes, and with them keys of answers, may be the same in both.
    """

    def __init__(
        self,
        redis: RedisConnection,
        clock: Clock,
        *,
        seal: EntrySeal | None = None,
        bytes_max: int | None = None,
        installation: str = "",
    ) -> None:
        self.refused_writes = 0
        self.unreadable = 0
        """Entries that were there and could not be read."""
        self.unwritable = 0
        """Answers that no store can keep."""
        self._redis = redis
        self._clock = clock
        self._codec = AnswerCodec(seal)
        self._bytes_max = bytes_max
        self._prefix = f"{PREFIX}{installation}:"
        self._memory: _Memory | None = None
        self._looked_at_s = 0.0

    async def read(self, key: bytes) -> CachedAnswer | None:
        data = await self._redis.call("GET", self._name(key))
        if data is None:
            return None
        answer = self._codec.decode(key, data)
        if answer is None:
            self.unreadable += 1
            return None
        # A server's clock may be behind ours.
        return answer if answer.kept_until_us > self._now_us() else None

    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        if await self._is_full():
            self.refused_writes += len(answers)
            raise StoreUnavailable("Redis has no room for more answers", retry_after_s=LOOK_EVERY_S)
        refused = 0
        for commands in self._groups(answers):
            refused += sum(answer is None for answer in await self._redis.send(commands))
        if refused:
            self.refused_writes += refused
            self._memory = None
            raise StoreUnavailable(f"Redis has no memory left for {refused} answers", retry_after_s=1.0)

    def _groups(self, answers: Sequence[CachedAnswer]) -> Iterator[list[Command]]:
        """Later answers replace earlier ones of their key here, so that commands may run side by side."""
        group: list[Command] = []
        size = 0
        now_us = self._now_us()
        for answer in {answer.key: answer for answer in answers}.values():
            life_ms = (answer.kept_until_us - now_us) // 1000
            if life_ms <= 0:
                group.append(("UNLINK", self._name(answer.key)))
                continue
            try:
                data = self._codec.encode(answer)
            except ValueError as error:
                self.unwritable += 1
                log.warning("an answer of route %s cannot be kept: %s", answer.route, error)
                continue
            if group and (size + len(data) > GROUP_BYTES or len(group) >= GROUP_COMMANDS):
                yield group
                group, size = [], 0
            group.append(("SET", self._name(answer.key), data, "PX", life_ms))
            size += len(data)
        if group:
            yield group

    async def erase(self, keys: Sequence[bytes]) -> None:
        for start in range(0, len(keys), GROUP_COMMANDS):
            await self._redis.send(
                [("UNLINK", self._name(key)) for key in keys[start : start + GROUP_COMMANDS]]
            )

    async def facts(self) -> StoreFacts:
        memory = await self._look()
        statistics = await info_of_masters(self._redis, "stats")
        return StoreFacts(
            kind="redis-cluster" if self._redis.cluster else "redis",
            bytes_used=memory.used,
            bytes_max=self._bytes_max or memory.maximum,
            evictions=sum(int(each.get("evicted_keys", 0)) for each in statistics),
            refused_writes=self.refused_writes,
            problems=tuple(_problems(memory, self._bytes_max)),
        )

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def _is_full(self) -> bool:
        memory = self._memory
        if memory is None or self._clock.monotonic() - self._looked_at_s >= LOOK_EVERY_S:
            memory = await self._look()
        if self._bytes_max is not None and memory.used >= self._bytes_max:
            return True
        return memory.refuses_when_full and memory.fullest >= FULL_AT

    async def _look(self) -> _Memory:
        memory = _summed(await info_of_masters(self._redis, "memory"))
        self._memory, self._looked_at_s = memory, self._clock.monotonic()
        return memory

    def _name(self, key: bytes) -> str:
        return self._prefix + key.hex()

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)


def _summed(servers: Sequence[dict[str, Any]]) -> _Memory:
    used = [int(each.get("used_memory", 0)) for each in servers]
    maxima = [int(each.get("maxmemory", 0)) for each in servers]
    return _Memory(
        used=sum(used),
        maximum=sum(maxima) if all(maxima) else None,
        fullest=max((now / most for now, most in zip(used, maxima, strict=True) if most), default=0.0),
        policies=tuple(sorted({str(each.get("maxmemory_policy", "noeviction")) for each in servers})),
    )


def _problems(memory: _Memory, bytes_max: int | None) -> Iterator[str]:
    if memory.maximum is None and bytes_max is None:
        yield "Redis has no maxmemory: kept answers may take all of the machine's memory"
    if memory.fullest >= FULL_AT:
        yield f"Redis uses {memory.fullest:.0%} of its maxmemory"
    if bytes_max is not None and memory.used >= FULL_AT * bytes_max:
        yield f"Redis uses {memory.used / bytes_max:.0%} of the {bytes_max} bytes allowed to it"
    if memory.maximum is not None and memory.refuses_when_full:
        yield "maxmemory-policy is noeviction: once it is full, no new answers are kept"
    if any(policy.startswith("allkeys") for policy in memory.policies):
        yield (
            "maxmemory-policy evicts any key: losing the log of invalidations empties every cache; "
            "a volatile policy spares it"
        )
