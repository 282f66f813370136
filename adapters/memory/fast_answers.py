"""The first tier in a process: S3-FIFO for each tenant, even shares between tenants (docs/adr/0012).

Each tenant has a short queue for newcomers, a long one for what was asked for again, and the names of what
left the short one lately; a newcomer among those goes into the long queue at once. (Yang et al., "FIFO
queues are all you need for cache eviction", SOSP 2023.) Room is made at the largest tenant, so nobody is
pushed below an even share; who used nothing for a while counts as the largest of all.
"""

from collections import OrderedDict
from typing import Final

from application.ports.fast_answers import FastAnswers, FastFacts
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer

NEWCOMERS_SHARE: Final = 0.1
HITS_COUNTED_MAX: Final = 3
LARGEST_SHARE: Final = 4
"""An answer may take a quarter of the room at most."""
IDLE_S: Final = 600.0
LOOKED_AT: Final = 8
"""Of how many tenants of about the same size the largest is looked for."""
SPARED_MAX: Final = 64
"""How many in a row stay because they were asked for; then one has to go, so that no put takes long."""


class _Kept:
    __slots__ = ("answer", "hits", "settled", "share", "size_bytes")

    def __init__(self, answer: CachedAnswer, share: "_Share", size_bytes: int, settled: bool) -> None:
        self.answer = answer
        self.share = share
        self.size_bytes = size_bytes
        self.settled = settled
        self.hits = 0


class _Share:
    """What one tenant has in it."""

    __slots__ = ("bytes_used", "left_lately", "newcomers", "newcomers_bytes", "settled", "size_class", "turn")

    def __init__(self) -> None:
        self.newcomers: OrderedDict[bytes, _Kept] = OrderedDict()
        self.settled: OrderedDict[bytes, _Kept] = OrderedDict()
        self.left_lately: OrderedDict[int, None] = OrderedDict()
        self.bytes_used = 0
        self.newcomers_bytes = 0
        self.size_class = 0
        self.turn = -1

    def add(self, key: bytes, kept: _Kept) -> None:
        self.bytes_used += kept.size_bytes
        if kept.settled:
            self.settled[key] = kept
        else:
            self.newcomers[key] = kept
            self.newcomers_bytes += kept.size_bytes

    def remove(self, key: bytes, kept: _Kept) -> None:
        self.bytes_used -= kept.size_bytes
        if kept.settled:
            del self.settled[key]
        else:
            del self.newcomers[key]
            self.newcomers_bytes -= kept.size_bytes

    def give_up_one(self, now_us: int) -> bytes:
        """The key that has to go; its answer is out of the queues when this returns."""
        spared = 0
        while True:
            from_newcomers = self.newcomers and (
                not self.settled or self.newcomers_bytes > self.bytes_used * NEWCOMERS_SHARE
            )
            queue = self.newcomers if from_newcomers else self.settled
            key, kept = next(iter(queue.items()))
            over = kept.answer.kept_until_us <= now_us
            if kept.hits == 0 or over or spared == SPARED_MAX:
                self.remove(key, kept)
                if from_newcomers and not over:
                    self._remember(key)
                return key
            spared += 1
            if from_newcomers:
                self.remove(key, kept)
                kept.settled, kept.hits = True, 0
                self.add(key, kept)
            else:
                kept.hits -= 1
                queue.move_to_end(key)

    def _remember(self, key: bytes) -> None:
        self.left_lately[hash(key)] = None
        while len(self.left_lately) > len(self.settled) + len(self.newcomers) + 1:
            self.left_lately.popitem(last=False)


class InMemoryFastAnswers(FastAnswers):
    """The product's own. Counters are plain attributes."""

    def __init__(self, bytes_max: int, clock: Clock) -> None:
        self._bytes_max = bytes_max
        self._clock = clock
        self._kept: dict[bytes, _Kept] = {}
        self._shares: OrderedDict[str, _Share] = OrderedDict()
        """Least lately used first, as far as turns tell."""
        self._by_size: dict[int, OrderedDict[str, _Share]] = {}
        """Tenants by the number of bits of what they use."""
        self._bytes_used = 0
        self._turn = 0
        self.evictions = 0
        self.refused = 0

    def get(self, key: bytes) -> CachedAnswer | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.hits < HITS_COUNTED_MAX:
            kept.hits += 1
        if kept.share.turn != self._turn:
            self._is_used(kept.answer.tenant_id, kept.share)
        return kept.answer

    def put(self, answer: CachedAnswer) -> bool:
        key, tenant_id, size_bytes = answer.key, answer.tenant_id, answer.size_bytes
        before = self._kept.get(key)
        hits, settled = (before.hits, before.settled) if before is not None else (0, False)
        if before is not None:
            self._forget(key, before)
        if size_bytes * LARGEST_SHARE > self._bytes_max:
            self.refused += 1
            return False
        self._turn = int(self._clock.monotonic() / IDLE_S)
        share = self._shares.get(tenant_id)
        if share is None:
            share = self._shares[tenant_id] = _Share()
        if hash(key) in share.left_lately:
            del share.left_lately[hash(key)]
            settled = True
        kept = self._kept[key] = _Kept(answer, share, size_bytes, settled)
        kept.hits = hits
        self._bytes_used += size_bytes
        share.add(key, kept)
        self._is_used(tenant_id, share)
        self._sort(tenant_id, share)
        if self._bytes_used > self._bytes_max:
            self._make_room()
        return key in self._kept

    def drop(self, key: bytes) -> bool:
        kept = self._kept.get(key)
        if kept is None:
            return False
        self._forget(key, kept)
        return True

    def clear(self) -> None:
        self._kept.clear()
        self._shares.clear()
        self._by_size.clear()
        self._bytes_used = 0

    def facts(self) -> FastFacts:
        return FastFacts(
            entries=len(self._kept),
            bytes_used=self._bytes_used,
            bytes_max=self._bytes_max,
            tenants=len(self._shares),
            evictions=self.evictions,
            refused=self.refused,
        )

    def _forget(self, key: bytes, kept: _Kept) -> None:
        del self._kept[key]
        self._bytes_used -= kept.size_bytes
        kept.share.remove(key, kept)
        self._sort(kept.answer.tenant_id, kept.share)

    def _make_room(self) -> None:
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        while self._bytes_used > self._bytes_max:
            tenant_id, share = self._who_gives()
            key = share.give_up_one(now_us)
            self._bytes_used -= self._kept.pop(key).size_bytes
            self.evictions += 1
            self._sort(tenant_id, share)

    def _who_gives(self) -> tuple[str, _Share]:
        longest_unused = next(iter(self._shares.items()))
        if longest_unused[1].turn < self._turn - 1:
            return longest_unused
        alike = self._by_size[max(self._by_size)]
        some = [item for item, _ in zip(alike.items(), range(LOOKED_AT), strict=False)]
        found = max(some, key=lambda item: item[1].bytes_used)
        if len(alike) > LOOKED_AT:
            # Others are looked at the next time.
            for tenant_id, _ in some:
                alike.move_to_end(tenant_id)
        return found

    def _is_used(self, tenant_id: str, share: _Share) -> None:
        share.turn = self._turn
        self._shares.move_to_end(tenant_id)

    def _sort(self, tenant_id: str, share: _Share) -> None:
        size_class = share.bytes_used.bit_length()
        if size_class == share.size_class:
            return
        if share.size_class:
            alike = self._by_size[share.size_class]
            del alike[tenant_id]
            if not alike:
                del self._by_size[share.size_class]
        share.size_class = size_class
        if size_class:
            self._by_size.setdefault(size_class, OrderedDict())[tenant_id] = share
        else:
            del self._shares[tenant_id]
