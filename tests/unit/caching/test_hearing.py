"""What instances tell each other: heard by all, in order, and losses noticed."""

import asyncio
from typing import Any

import pytest

from adapters.memory.cache_log import InMemoryCacheLog
from application.caching import hearing as hearing_module
from application.caching.hearing import UNHEARD_S, Hearing
from application.ports.answer_store import LogPage, LogRecord
from domain.caching.entry import NOWHERE, Position
from domain.errors import StoreUnavailable
from tests.simulation.virtual_time import VirtualClock
from tests.unit.application.upstreams import virtually


class Ear:
    """One instance, and everything it was told."""

    def __init__(self, log: InMemoryCacheLog, **more: Any) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.hearing = Hearing(log, self.clock, **more)
        self.heard: list[tuple[int, bytes, bool]] = []
        self.lost: list[Position] = []
        self.hearing.on("word", lambda at, data, own: self.heard.append((at.number, data, own)))
        self.hearing.on_lost(self.lost.append)
        self.running = asyncio.create_task(self.hearing.run())

    @property
    def words(self) -> list[bytes]:
        return [data for _, data, _ in self.heard]

    def stop(self) -> None:
        self.running.cancel()


@virtually
async def test_what_one_tells_all_hear_and_know_their_own() -> None:
    log = InMemoryCacheLog()
    ears = [Ear(log) for _ in range(3)]

    ears[0].hearing.tell("word", b"one")
    ears[0].hearing.tell("word", b"two")
    await asyncio.sleep(0.5)

    assert ears[0].heard == [(1, b"one", True), (2, b"two", True)]
    assert ears[1].heard == ears[2].heard == [(1, b"one", False), (2, b"two", False)]
    assert {ear.hearing.position.number for ear in ears} == {2}
    for ear in ears:
        ear.stop()


@virtually
async def test_what_is_declared_is_heard_here_at_once_and_elsewhere_soon() -> None:
    log = InMemoryCacheLog()
    here, there = Ear(log), Ear(log)
    await asyncio.sleep(1.01)

    position = await here.hearing.declare("word", b"now")

    assert here.words == [b"now"] and here.hearing.position == position
    await asyncio.sleep(0.3)
    assert there.words == [b"now"]
    here.stop()
    there.stop()


@virtually
async def test_declaring_needs_no_listener() -> None:
    log = InMemoryCacheLog()
    alone = Hearing(log, VirtualClock(asyncio.get_running_loop()))
    for number in range(1200):
        await log.append([LogRecord("word", b"%d" % number)])

    position = await alone.declare("word", b"now")

    assert alone.position == position and alone.heard == 1201


@virtually
async def test_declaring_fails_when_the_log_is_away_or_hangs() -> None:
    log = InMemoryCacheLog()
    ear = Ear(log)
    log.reachable = False
    with pytest.raises(StoreUnavailable):
        await ear.hearing.declare("word", b"x")

    log.answering.clear()
    with pytest.raises(StoreUnavailable):
        await ear.hearing.declare("word", b"x")
    ear.stop()


@virtually
async def test_a_long_log_is_read_page_by_page_without_delay() -> None:
    log = InMemoryCacheLog()
    await log.append([LogRecord("word", b"--------%d" % number) for number in range(2_600)])
    ear = Ear(log)

    await asyncio.sleep(0.24)

    assert len(ear.heard) == 2_500
    await asyncio.sleep(0.1)
    assert [int(data) for data in ear.words] == list(range(2_600))
    ear.stop()


@virtually
async def test_an_instance_that_starts_learns_from_where_on_it_hears_all() -> None:
    log = InMemoryCacheLog(records_max=10)
    await log.append([LogRecord("word", b"--------%d" % number) for number in range(25)])
    ear = Ear(log)
    await asyncio.sleep(0.1)

    assert ear.lost == [Position("memory-1", 15)]
    assert ear.hearing.losses == 0
    ear.stop()


@virtually
async def test_a_log_that_was_emptied_begins_anew_for_everybody() -> None:
    log = InMemoryCacheLog()
    ear = Ear(log)
    ear.hearing.tell("word", b"before")
    await asyncio.sleep(1)

    log.lose()
    await asyncio.sleep(1)
    ear.hearing.tell("word", b"after")
    await asyncio.sleep(1)

    assert ear.lost == [Position("memory-1", 0), Position("memory-2", 0)]
    assert ear.hearing.losses == 1
    assert ear.words == [b"before", b"after"]
    ear.stop()


@virtually
async def test_who_lags_behind_what_was_trimmed_is_told() -> None:
    log = InMemoryCacheLog(records_max=5)
    ear = Ear(log)
    await asyncio.sleep(1.01)

    await log.append([LogRecord("word", b"--------%d" % number) for number in range(9)])
    await asyncio.sleep(1)

    assert ear.lost[1:] == [Position("memory-1", 4)]
    assert [int(data) for data in ear.words] == [4, 5, 6, 7, 8]
    ear.stop()


@virtually
async def test_a_log_that_goes_back_is_a_loss_until_it_has_passed_what_was_heard() -> None:
    """A store put back to an older state uses the same numbers again."""

    class Older(InMemoryCacheLog):
        back = False

        async def read(self, after: Position, limit: int) -> LogPage:
            return LogPage([], Position("same", 3)) if self.back else LogPage([], Position("same", 9))

    log = Older()
    ear = Ear(log)
    await asyncio.sleep(0.1)
    log.back = True
    await asyncio.sleep(1)

    assert ear.lost == [Position("same", 9), Position("same", 10)]
    assert ear.hearing.position == Position("same", 3)
    ear.stop()


@virtually
async def test_without_the_log_hits_are_suspended_after_a_while_and_return_by_themselves() -> None:
    log = InMemoryCacheLog()
    ear = Ear(log)
    await asyncio.sleep(1)
    log.reachable = False

    await asyncio.sleep(UNHEARD_S - 2)
    before = ear.hearing.suspended
    await asyncio.sleep(4)
    after = ear.hearing.suspended
    log.reachable = True
    await asyncio.sleep(0.5)

    assert (before, after, ear.hearing.suspended) == (False, True, False)
    assert ear.hearing.failures > 10
    ear.stop()


@virtually
async def test_a_log_that_hangs_counts_as_away() -> None:
    log = InMemoryCacheLog()
    ear = Ear(log, unheard_s=5.0)
    await asyncio.sleep(1)
    log.answering.clear()

    await asyncio.sleep(8)
    suspended = ear.hearing.suspended
    ago_s = ear.hearing.heard_ago_s(ear.clock.monotonic())
    log.answering.set()
    await asyncio.sleep(3)

    assert suspended and ago_s > 7
    assert not ear.hearing.suspended
    ear.stop()


@virtually
async def test_who_never_gets_to_the_end_is_suspended_too() -> None:
    class Endless(InMemoryCacheLog):
        async def read(self, after: Position, limit: int) -> LogPage:
            records = [(after.number + step, LogRecord("noise", b"")) for step in range(1, limit + 1)]
            return LogPage(records, Position("endless", after.number + limit))

    ear = Ear(Endless(), unheard_s=5.0)

    await asyncio.sleep(6)

    assert ear.hearing.suspended
    ear.stop()


@virtually
async def test_what_is_told_while_the_log_is_away_is_told_later_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing_module, "WAITING_MAX", 3)
    log = InMemoryCacheLog()
    ear = Ear(log)
    await asyncio.sleep(1)
    log.reachable = False
    for number in range(5):
        ear.hearing.tell("word", b"%d" % number)
    await asyncio.sleep(30)
    assert (ear.hearing.waiting, ear.hearing.dropped) == (3, 2)

    log.reachable = True
    await asyncio.sleep(20)

    assert ear.words == [b"2", b"3", b"4"]
    assert ear.hearing.told == 3
    ear.stop()


@virtually
async def test_stopping_tells_what_waits() -> None:
    log = InMemoryCacheLog()
    here, there = Ear(log), Ear(log)
    here.hearing.tell("word", b"last")
    here.stop()

    assert await here.hearing.flush(1) == 0
    await asyncio.sleep(1)

    assert there.words == [b"last"]
    log.reachable = False
    there.hearing.tell("word", b"never")
    there.stop()
    assert await there.hearing.flush(1) == 1


@virtually
async def test_two_who_declare_at_once_both_are_heard_once() -> None:
    log = InMemoryCacheLog()
    here, there = Ear(log), Ear(log)

    await asyncio.gather(*(ear.hearing.declare("word", b"x") for ear in (here, there) for _ in range(5)))
    await asyncio.sleep(1)

    assert len(here.heard) == len(there.heard) == 10
    assert sum(own for _, _, own in here.heard) == 5
    here.stop()
    there.stop()


@virtually
async def test_nothing_is_known_before_the_first_reading() -> None:
    log = InMemoryCacheLog()
    hearing = Hearing(log, VirtualClock(asyncio.get_running_loop()))

    assert hearing.position == NOWHERE and not hearing.suspended
    await hearing.catch_up()
    assert hearing.position == Position("memory-1", 0)


@virtually
async def test_a_listener_that_fails_does_not_make_the_others_deaf() -> None:
    log = InMemoryCacheLog()
    ear = Ear(log)

    def fails(_at: Position, _data: bytes, _own: bool) -> None:
        raise RuntimeError("of its own")

    ear.hearing.on("bad", fails)
    ear.hearing.tell("bad", b"")
    ear.hearing.tell("word", b"still")
    await asyncio.sleep(1)

    assert ear.words == [b"still"] and ear.hearing.handler_failures == 1
    assert not ear.running.done()
    ear.stop()
