"""The first tier: what stays when room is short, and what an answer really takes."""

import bisect
import itertools
import random
import tracemalloc
from collections import OrderedDict

import pytest

from adapters.memory import fast_answers
from adapters.memory.fast_answers import IDLE_S, InMemoryFastAnswers
from adapters.memory.system import SteppingClock
from contracts.ports.answer_store import kept_answer
from contracts.ports.fast_answers import named
from domain.caching.entry import ENTRY_OVERHEAD_BYTES, CachedAnswer, Position

ROOM = 500


class Asking:
    """Asks a tier for names, and puts what is missing, as callers do."""

    def __init__(self, answers_max: int = ROOM) -> None:
        self.clock = SteppingClock()
        self.tier = InMemoryFastAnswers(answers_max * ENTRY_OVERHEAD_BYTES, self.clock)

    def put(self, name: object, tenant_id: str = "acme", **changed: object) -> None:
        self.tier.put(kept_answer(self.clock, named(name), tenant_id=tenant_id, body=b"", **changed))

    def ask(self, name: object, tenant_id: str = "acme") -> bool:
        if self.tier.get(named(name)) is not None:
            return True
        self.put(name, tenant_id)
        return False


def zipf(names: int, count: int, chance: random.Random) -> list[int]:
    sums = list(itertools.accumulate(1 / (rank + 1) ** 0.9 for rank in range(names)))
    return [bisect.bisect(sums, chance.random() * sums[-1]) for _ in range(count)]


def hits_of_lru(names: list[object], answers_max: int = ROOM) -> int:
    kept: OrderedDict[object, None] = OrderedDict()
    hits = 0
    for name in names:
        if name in kept:
            hits += isinstance(name, int)
            kept.move_to_end(name)
            continue
        kept[name] = None
        if len(kept) > answers_max:
            kept.popitem(last=False)
    return hits


def test_a_scan_costs_popular_answers_little() -> None:
    """Four names that never come back for each that may."""
    room = ROOM // 3
    popular = zipf(3_000, 12_000, random.Random(5))
    asking, alone = Asking(room), Asking(room)
    undisturbed = sum(alone.ask(name) for name in popular)
    names: list[object] = []
    for place, name in enumerate(popular):
        names += [name, *(f"scan {place}.{part}" for part in range(4))]

    found = [asking.ask(name) for name in names]

    hits = sum(hit for hit, name in zip(found, names, strict=True) if isinstance(name, int))
    assert hits > 0.9 * undisturbed
    assert hits > 1.5 * hits_of_lru(names, room)


def test_without_a_scan_it_is_better_than_keeping_what_was_used_last() -> None:
    popular: list[object] = list(zipf(10_000, 40_000, random.Random(6)))
    asking = Asking()

    hits = sum(asking.ask(name) for name in popular)

    assert hits > 1.05 * hits_of_lru(popular)


def test_what_becomes_popular_later_finds_room() -> None:
    asking = Asking()
    chance = random.Random(7)
    for name in zipf(400, 20_000, chance):
        asking.ask(f"before {name}")

    after = [asking.ask(f"after {name}") for name in zipf(400, 20_000, chance)]

    assert sum(after[10_000:]) > 0.95 * 10_000


def test_a_flood_that_asks_often_leaves_a_small_tenant_its_share() -> None:
    """The flood asks for each of its names three times; in one queue for all it would win."""
    asking = Asking()
    chance = random.Random(8)
    flood = itertools.count()
    hits = asked = 0
    for name in zipf(100, 5_000, chance):
        asked += 1
        hits += asking.ask(f"small {name}", "small")
        for _ in range(5):
            flooding = next(flood)
            for _ in range(3):
                asking.ask(f"flood {flooding}", "large")

    assert hits >= asked - 100


def test_three_tenants_that_all_want_everything_get_about_a_third() -> None:
    asking = Asking(300)
    for number in range(1_000):
        for tenant_id, eagerness in (("a", 1), ("b", 3), ("c", 9)):
            for part in range(eagerness):
                asking.ask(f"{tenant_id} {number} {part}", tenant_id)

    left = {
        tenant_id: sum(
            asking.tier.get(named(f"{tenant_id} {number} {part}")) is not None
            for number in range(1_000)
            for part in range(eagerness)
        )
        for tenant_id, eagerness in (("a", 1), ("b", 3), ("c", 9))
    }
    assert all(90 <= count <= 110 for count in left.values()), left


def test_many_small_tenants_lose_nothing_to_one_large_one() -> None:
    asking = Asking()
    for number in range(200):
        asking.put(number, f"t{number}")

    for number in range(5_000):
        asking.ask(f"large {number}", "large")

    assert all(asking.tier.get(named(number)) is not None for number in range(200))


def test_who_has_not_been_here_for_long_makes_room_first() -> None:
    asking = Asking(100)
    for number in range(50):
        asking.put(number, "gone")
    asking.clock.advance(3 * IDLE_S)

    for number in range(100):
        asking.put(f"new {number}", "here")

    assert all(asking.tier.get(named(f"new {number}")) is not None for number in range(100))
    assert asking.tier.facts().tenants == 1


def test_what_is_over_leaves_before_what_is_not() -> None:
    asking = Asking(20)
    for number in range(10):
        asking.put(f"over {number}", kept_until_us=1)
        asking.put(number)
    for _ in range(3):
        for number in range(10):
            asking.ask(f"over {number}")
            asking.ask(number)

    for number in range(9):
        asking.put(f"new {number}")

    assert all(asking.tier.get(named(number)) is not None for number in range(10))


def test_making_room_never_goes_through_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking(200)
    for number in range(200):
        asking.put(number)
    for _ in range(5):
        for number in range(200):
            asking.ask(number)
    monkeypatch.setattr(fast_answers, "SPARED_MAX", 3)

    asking.put("new")

    assert asking.tier.facts().evictions == 1
    assert asking.tier.get(named(3)) is None


def test_the_overhead_of_an_answer_is_what_memory_says() -> None:
    """Texts and bytes as a decoder makes them: each an object of its own."""
    clock = SteppingClock()
    tier = InMemoryFastAnswers(1 << 30, clock)
    count = 4_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            tier.put(decoded(number))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    counted = tier.facts().bytes_used
    assert 0.9 * counted < after - before < 1.05 * counted


def decoded(number: int) -> CachedAnswer:
    def own(text: str) -> str:
        return text.encode().decode()

    return CachedAnswer(
        key=number.to_bytes(32, "big"),
        tenant_id=own("tenant_000000"),
        route=own("assistant-route"),
        namespace=own("support/team"),
        tags=(own("tag-one"), own("tag-two")),
        dialect=own("openai.chat"),
        streamed=False,
        body=bytes(1_000),
        content_type=own("application/json"),
        finish_reason=own("stop"),
        target_id=own("openai/gpt-4o-mini"),
        provider=own("openai"),
        model=own("gpt-4o-mini"),
        region=own("eu-west"),
        simulated=False,
        input_tokens=10**6 + number,
        output_tokens=10**6 + 2 * number,
        cost_nano_usd=10**9 + number,
        made_at_us=10**15 + number,
        expires_at_us=10**15 + 2 * number,
        kept_until_us=10**16 + 3 * number,
        heard=Position(own("9f2d2d2d2d2d2d2d2d2d"), 10**5 + number),
        text=own("a" * 300),
        question=own("q" * 100),
        dropped=(),
        via=own("portkey"),
    )
