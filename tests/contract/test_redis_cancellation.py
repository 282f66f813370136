"""Whoever is told to end while it talks to Redis ends, whatever the driver makes of it."""

import asyncio
import random

import pytest

from adapters.redis.connection import RedisConnection, Script, ScriptCall
from domain.errors import StoreUnavailable
from tests.redis_world import RedisServer

WITHIN_S = 20.0
"""On a machine that is busy with other things."""
ROUNDS = 200
_ANSWER = Script("answer", "return 7")


async def test_a_cancellation_that_the_driver_forgets_is_kept() -> None:
    """Sent while what the driver waits for is done already; before Python 3.12 `wait_for` drops it."""
    connection = RedisConnection(["redis://127.0.0.1:1"])
    inner: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        return await asyncio.wait_for(inner, WITHIN_S)

    call = asyncio.create_task(connection.bounded(work))
    await asyncio.sleep(0)  # it waits now
    inner.set_result(7)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()


async def test_a_cancellation_outweighs_a_failure() -> None:
    connection = RedisConnection(["redis://127.0.0.1:1"])

    async def work() -> None:
        try:
            await asyncio.sleep(WITHIN_S)
        except asyncio.CancelledError:
            raise OSError("the connection broke") from None

    call = asyncio.create_task(connection.bounded(work))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert connection.health.failures == 1


async def test_its_own_timeout_is_no_cancellation_of_its_caller() -> None:
    connection = RedisConnection(["redis://127.0.0.1:1"], connect_timeout_s=0.01, command_timeout_s=0.01)
    with pytest.raises(StoreUnavailable):
        await connection.bounded(lambda: asyncio.sleep(WITHIN_S))


async def test_an_earlier_cancellation_does_not_end_what_tidies_up_after_it() -> None:
    connection = RedisConnection(["redis://127.0.0.1:1"])
    given_back = []

    async def caller() -> None:
        try:
            await asyncio.sleep(WITHIN_S)
        finally:
            given_back.append(await connection.bounded(lambda: asyncio.sleep(0, "given back")))

    call = asyncio.create_task(caller())
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call], timeout=WITHIN_S)
    assert given_back == ["given back"]


async def test_callers_that_repeat_themselves_end_at_once(redis_server: RedisServer) -> None:
    """At whichever step of a call they are told so."""
    connection = RedisConnection([redis_server.url])
    chance = random.Random(5)

    async def repeat() -> None:
        while True:
            await connection.call("PING")
            await connection.run([ScriptCall(_ANSWER, "cancellation")])

    for _ in range(ROUNDS):
        caller = asyncio.create_task(repeat())
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        caller.cancel()
        ended, _running = await asyncio.wait([caller], timeout=WITHIN_S)
        assert ended
        assert caller.cancelled()
    assert await connection.run([ScriptCall(_ANSWER, "cancellation")] * 3) == [7, 7, 7]
    await connection.aclose()
