"""Who keeps which answer: known at once, written beside the requests, and to nobody else."""

import asyncio
import contextlib

import pytest

from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.memory.system import SteppingClock
from application.answer_memory import CONTENT_TRUSTED_S, RECENT_MAX, WAITING_MAX, AnswerMemory
from application.ports.stored_answers import OpenBill, StoredAnswer
from domain.errors import StoreUnavailable

BILL = OpenBill("req_1", "gpt", "auto")


class World:
    def __init__(self) -> None:
        self.clock = SteppingClock()
        self.store = InMemoryStoredAnswers()
        self.memory = self.another_process()

    def another_process(self) -> AnswerMemory:
        return AnswerMemory(self.store, self.clock, per_tenant_max=1000)

    def entry(
        self,
        answer_id: str = "resp_1",
        tenant_id: str = "acme",
        *,
        lives_s: float = 3600.0,
        content: bytes | None = None,
        open_bill: OpenBill | None = None,
    ) -> StoredAnswer:
        now_us = self.memory.now_us()
        return StoredAnswer(
            tenant_id, answer_id, "key", "openai/gpt", "openai", "", True, now_us,
            now_us + int(lives_s * 1e6), content, open_bill,
        )  # fmt: skip


@pytest.fixture
def world() -> World:
    return World()


async def test_what_was_kept_is_found_before_it_is_written(world: World) -> None:
    world.store.reachable = False

    world.memory.keep([world.entry()])

    assert await world.memory.find("acme", ["resp_1"]) == {"resp_1": world.entry()}


async def test_another_process_finds_it_once_it_is_written(world: World) -> None:
    other = world.another_process()
    world.memory.keep([world.entry()])
    assert not await other.find("acme", ["resp_1"])

    looking = asyncio.create_task(other.find("acme", ["resp_1"], again=True))
    await asyncio.sleep(0.01)
    await world.memory.flush()

    assert await looking == {"resp_1": world.entry()}


async def test_another_tenants_answer_is_unknown(world: World) -> None:
    world.memory.keep([world.entry()])
    await world.memory.flush()

    assert not await world.memory.find("other", ["resp_1"], again=True)


async def test_an_answer_is_unknown_when_its_time_is_over(world: World) -> None:
    world.memory.keep([world.entry(lives_s=10)])
    world.clock.advance(10)

    assert not await world.memory.find("acme", ["resp_1"])


async def test_a_content_that_another_process_deleted_is_not_shown_for_long(world: World) -> None:
    world.memory.keep([world.entry(content=b"said")])
    await world.memory.flush()
    await world.another_process().forget("acme", "resp_1")

    world.clock.advance(CONTENT_TRUSTED_S + 1)

    assert not await world.memory.find("acme", ["resp_1"])


async def test_what_is_forgotten_does_not_come_back_with_a_later_write(world: World) -> None:
    world.memory.keep([world.entry(), world.entry("resp_2")])

    await world.memory.forget("acme", "resp_1")
    await world.memory.flush()

    assert not await world.memory.find("acme", ["resp_1"])
    assert await world.memory.find("acme", ["resp_2"])


async def test_writes_wait_for_a_store_that_is_away(world: World) -> None:
    world.store.reachable = False
    world.memory.keep([world.entry()])
    with pytest.raises(StoreUnavailable):
        await world.memory.flush()

    world.store.reachable = True
    await world.memory.flush()

    assert await world.another_process().find("acme", ["resp_1"])


async def test_an_id_that_cannot_be_looked_up_is_not_called_unknown(world: World) -> None:
    world.store.reachable = False

    with pytest.raises(StoreUnavailable):
        await world.memory.find("acme", ["resp_1"])


async def test_memory_and_queue_are_bounded(world: World) -> None:
    world.store.reachable = False
    for number in range(max(RECENT_MAX, WAITING_MAX) + 10):
        world.memory.keep([world.entry(f"resp_{number}")])

    assert world.memory.lost == 10
    assert len(world.memory._recent) == RECENT_MAX
    assert len(world.memory._waiting) == WAITING_MAX


async def test_the_owner_writes_by_itself(world: World) -> None:
    owner = asyncio.create_task(world.memory.run())
    try:
        world.memory.keep([world.entry()])
        other = world.another_process()
        assert await other.find("acme", ["resp_1"], again=True)
    finally:
        owner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await owner


async def test_a_bill_is_closed_once(world: World) -> None:
    entry = world.entry(open_bill=BILL)
    world.memory.keep([entry])

    assert await world.memory.settle(entry) is True
    assert await world.another_process().settle(entry) is False

    assert (await world.memory.find("acme", ["resp_1"]))["resp_1"].open_bill is None
