"""Vectors in the vector sets of Redis 8: one set for each partition, so that no search looks over its wall.

Beside the sets, a string says in which set a key is, and a sorted set which sets are a tenant's. All of them
leave by themselves when the last of what they tell of is over. Redis keeps vectors in eight bits, so
similarities are exact to about 0.005.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from adapters.redis.connection import RedisConnection
from application.ports.embedder import Vector
from application.ports.system import Clock
from application.ports.vector_index import IndexedVector, IndexFacts, Neighbour, VectorIndex
from domain.caching.vectors import unit_numbers
from domain.errors import StoreUnavailable

Command = tuple[str | int | bytes, ...]
Item = TypeVar("Item")
SETS: Final = "ic:vec:"
PLACES: Final = "ic:vec-at:"
TENANTS: Final = "ic:vec-of:"
SETS_KNOWN: Final = "ic:vec-sets"
GROUP: Final = 64
"""Vectors written, or sets asked, in one round trip."""
PER_SET_MAX: Final = 10_000
"""Of a set's vectors that are looked at for invalidation by similarity, the most similar first."""
ASK_AGAIN_AFTER_S: Final = 60.0
_PROBE: Final = (
    "local answer = redis.pcall('VCARD', KEYS[1]) "
    "if type(answer) == 'table' and answer['err'] then return answer['err'] end "
    "return 'OK'"
)


class RedisVectorIndex(VectorIndex):
    """On a connection opened with `binary`, which it closes. How much is kept is bounded by the life of
    vectors and by Redis itself. Raises StoreUnavailable from every call where Redis has no vector sets."""

    def __init__(self, redis: RedisConnection, clock: Clock, dimensions: int) -> None:
        self.dimensions = dimensions
        self._redis = redis
        self._clock = clock
        self._able = False
        self._ask_again_s = -math.inf

    async def _ready(self) -> None:
        if self._able:
            return
        now_s = self._clock.monotonic()
        if now_s >= self._ask_again_s:
            # Asked in a script, where an unknown command is an answer and no failure of the connection.
            self._able = _text(await self._redis.call("EVAL", _PROBE, 1, f"{SETS}none")) == "OK"
            self._ask_again_s = now_s + ASK_AGAIN_AFTER_S
        if not self._able:
            raise StoreUnavailable("this index needs Redis 8 or newer: the server has no vector sets")

    def _blob(self, vector: Vector) -> bytes:
        return struct.pack(f"<{self.dimensions}f", *unit_numbers(vector, self.dimensions))

    async def add(self, vectors: Sequence[IndexedVector]) -> None:
        # The later of equal keys.
        last = list({each.key: each for each in vectors}.values())
        blobs = {each.key: self._blob(each.vector) for each in last}
        await self._ready()
        for some in _groups(last):
            before = await self._redis.send([("GET", _place(each.key)) for each in some])
            commands: list[Command] = []
            for each, was in zip(some, before, strict=True):
                if was is not None and was != each.partition:
                    commands.append(("VREM", _set(was), each.key))
                commands += _writes(each, blobs[each.key])
            await self._redis.send(commands)

    async def search(
        self, partition: bytes, vector: Vector, *, limit: int, similarity_min: float, now_us: int
    ) -> list[Neighbour]:
        blob = self._blob(vector)
        await self._ready()
        if limit < 1:
            return []
        live = f".exp > {now_us}"
        answer = await self._redis.call(
            "VSIM", _set(partition), "FP32", blob, "WITHSCORES", "COUNT", limit, "FILTER", live
        )
        found = [Neighbour(key, near) for key, near in _scored(answer) if near >= similarity_min]
        return sorted(found, key=lambda each: -each.similarity)

    async def remove(self, keys: Sequence[bytes]) -> None:
        await self._ready()
        for some in _groups(keys):
            before = await self._redis.send([("GETDEL", _place(key)) for key in some])
            there = [(key, was) for key, was in zip(some, before, strict=True) if was is not None]
            if there:
                await self._redis.send([("VREM", _set(was), key) for key, was in there])

    async def within(self, tenant_id: str, vector: Vector, similarity: float) -> list[bytes]:
        blob = self._blob(vector)
        await self._ready()
        sets = await self._redis.call("ZRANGE", _tenant(tenant_id), 0, -1)
        keys: list[bytes] = []
        for some in _groups([bytes(each) for each in sets]):
            asked: list[Command] = [
                ("VSIM", _set(each), "FP32", blob, "WITHSCORES", "COUNT", PER_SET_MAX, "TRUTH")
                for each in some
            ]
            for answer in await self._redis.send(asked):
                keys += [key for key, near in _scored(answer) if near >= similarity]
        return keys

    async def upkeep(self, now_us: int) -> int:
        """Looks through some sets, chosen by chance, for what is over; a set of which all is over leaves by
        itself. Raises StoreUnavailable."""
        await self._ready()
        await self._redis.call("ZREMRANGEBYSCORE", SETS_KNOWN, 0, now_us)
        sets = [bytes(each) for each in await self._redis.call("ZRANDMEMBER", SETS_KNOWN, GROUP)]
        anything = struct.pack(f"<{self.dimensions}f", 1.0, *[0.0] * (self.dimensions - 1))
        asked = [_over(each, anything, now_us, PER_SET_MAX) for each in sets]
        gone = 0
        for each, answer in zip(sets, await self._redis.send(asked), strict=True):
            keys = [key for key, _ in _scored(answer)]
            # Its place leaves by itself.
            await self._redis.send([("VREM", _set(each), key) for key in keys])
            gone += len(keys)
        return gone

    async def facts(self) -> IndexFacts:
        """How many sets there are. Raises StoreUnavailable."""
        await self._ready()
        return IndexFacts(kind="redis-vector-sets", partitions=await self._redis.call("ZCARD", SETS_KNOWN))

    async def aclose(self) -> None:
        await self._redis.aclose()


def _groups(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), GROUP):
        yield items[start : start + GROUP]


def _set(partition: bytes) -> str:
    return f"{SETS}{{{partition.hex()}}}"


def _tenant(tenant_id: str) -> str:
    return f"{TENANTS}{tenant_id.encode().hex()}"


def _ms(at_us: int) -> int:
    return -(-at_us // 1_000)


def _place(key: bytes) -> str:
    return f"{PLACES}{key.hex()}"


def _writes(each: IndexedVector, blob: bytes) -> list[Command]:
    name, tenant, ends_ms = _set(each.partition), _tenant(each.tenant_id), _ms(each.expires_at_us)
    facts = f'{{"exp":{each.expires_at_us}}}'
    commands: list[Command] = [("VADD", name, "FP32", blob, each.key, "Q8", "SETATTR", facts)]
    for key in (name, tenant):
        # NX for a new one, which lives for ever and so never counts as shorter.
        commands += [("PEXPIREAT", key, ends_ms, "NX"), ("PEXPIREAT", key, ends_ms, "GT")]
    added = [("ZADD", key, "GT", each.expires_at_us, each.partition) for key in (tenant, SETS_KNOWN)]
    # First what makes it findable for invalidation.
    return [("SET", _place(each.key), each.partition, "PXAT", ends_ms), *added, *commands]


def _over(partition: bytes, blob: bytes, now_us: int, count: int) -> Command:
    over = f".exp <= {now_us}"
    return ("VSIM", _set(partition), "FP32", blob, "WITHSCORES", "COUNT", count, "FILTER", over, "TRUTH")


def _scored(answer: Any) -> Iterator[tuple[bytes, float]]:
    """Pairs of key and cosine; Redis says (1 + cosine) / 2. RESP3 has a map where RESP2 has a list."""
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    for key, score in pairs:
        yield bytes(key), 2 * float(score) - 1


def _text(answer: Any) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
