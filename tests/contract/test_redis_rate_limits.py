"""What Redis may do to rate limits: restart, be emptied, freeze; and that its Lua is the domain's rule."""

import random
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.redis.connection import RedisConnection
from adapters.redis.rate_limits import RedisRateLimits
from contracts.ports.rate_limits import SLOW, line, new_account
from domain.errors import StoreUnavailable
from domain.limits.bucket import Asked, Bucket, Credit, LimitRule, ask
from tests.contract.test_rate_limits import make_whole_for_long
from tests.redis_world import RedisServer, required_server

BURSTY = LimitRule(10_000_000, 500_000_000, 0)
"""A hundred in a second, fifty at once."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of its own, to be maltreated."""
    server = RedisServer(required_server(), tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection([server.url])
    yield connection
    await connection.aclose()


@pytest.fixture
async def store(redis: RedisConnection) -> RedisRateLimits:
    store = RedisRateLimits(redis)
    await make_whole_for_long(redis, store)
    return store


async def test_its_script_says_what_the_domain_says(store: RedisRateLimits) -> None:
    """Many questions of all kinds, answered again by the domain at the moments that Redis tells."""
    chance = random.Random(7)
    rule, account, bucket = LimitRule(3_333_334, 400_000_000, 0), new_account(), Bucket()
    granted_at: list[int] = []
    for number in range(1, 400):
        back = tuple(
            Credit(chance.choice(granted_at), chance.randrange(20)) for _ in range(chance.randrange(3))
        ) if granted_at else ()  # fmt: skip
        asked = Asked(
            chance.choice([0, 1, 5, 30, 130]), chance.randrange(8), chance.randrange(50), back,
            chance.choice([0, 0, 0, 9]),
        )  # fmt: skip
        (told,) = await store.exchange("h", number, [line(account, rule)._replace(asked=asked)])

        bucket, expected = ask(bucket, rule, asked, told.at_us)
        assert told == expected, number
        if told.granted:
            granted_at = [*granted_at[-5:], told.at_us]


@pytest.mark.parametrize("loss", ["restarted", "emptied"])
async def test_what_was_lost_counts_as_taken(
    store: RedisRateLimits, server: RedisServer, redis: RedisConnection, loss: str
) -> None:
    """Nothing is let through that may have been let through already; the rate goes on at once."""
    account = new_account()
    (before,) = await store.exchange("h", 1, [line(account, SLOW, 10)])
    assert before.granted == 10

    if loss == "restarted":
        server.restart_empty()
    else:
        with server.client() as client:
            client.flushall()

    (slow,) = await store.exchange("h", 2, [line(account, SLOW, 1, credits=(Credit(before.at_us, 10),))])
    assert slow.granted == 0
    other = new_account()
    assert (await store.exchange("h", 3, [line(other, BURSTY, 50)]))[0].granted == 0


async def test_a_lost_limit_fills_at_its_own_rate(store: RedisRateLimits, server: RedisServer) -> None:
    account = new_account()
    server.restart_empty()
    (first,) = await store.exchange("h", 1, [line(account, BURSTY, 50)])
    assert first.granted == 0

    moments, granted = [first.at_us], 0
    for number in range(2, 2_000):
        (told,) = await store.exchange("h", number, [line(account, BURSTY, 1)])
        granted += told.granted
        moments.append(told.at_us)
        if number >= 400 and not told.granted:
            break  # a machine that stood still leaves more than one to be had

    # While nobody asks, no more fills up than there is room for.
    lost_us = sum(max(later - earlier - 300_000, 0) for earlier, later in pairwise(moments))
    assert granted <= (moments[-1] - moments[0]) / 10_000 + 1
    assert granted >= (moments[-1] - moments[0] - lost_us) / 10_000 - 2


async def test_a_script_cache_that_was_emptied_is_filled_again(
    store: RedisRateLimits, server: RedisServer
) -> None:
    account = new_account()
    await store.exchange("h", 1, [line(account, SLOW, 4)])
    with server.client() as client:
        client.script_flush()

    assert (await store.exchange("h", 2, [line(account, SLOW, 6)]))[0].granted == 6


async def test_a_server_that_stands_still_is_away(store: RedisRateLimits, server: RedisServer) -> None:
    account = new_account()
    server.freeze()
    try:
        with pytest.raises(StoreUnavailable):
            await store.exchange("h", 1, [line(account, SLOW, 1)])
    finally:
        server.thaw()

    assert (await store.exchange("h", 2, [line(account, SLOW, 1)]))[0].granted == 1


async def test_what_is_empty_is_forgotten_by_itself(store: RedisRateLimits, server: RedisServer) -> None:
    account = new_account()
    await store.exchange("h", 1, [line(account, BURSTY, 5)])

    with server.client() as client:
        (key,) = list(client.scan_iter(match=f"*limit:{account}"))
        assert 0 < client.pttl(key) <= 1050 + 50
