"""Callers that leave at random and a server that misbehaves at random leave no slot behind."""

import asyncio
import random

import pytest
import uvloop

from adapters.http.limits import TransportLimits
from adapters.http.transport import StreamlinedTransport
from application.ports.http import TransportFailed
from contracts.ports.http import fetch, post
from tests.faults.scripted_server import ScriptedPeer, ScriptedServer

CONNECTIONS_MAX = 5


async def one_world(seed: int) -> None:
    chance = random.Random(seed)
    limits = TransportLimits(connections_per_endpoint_max=CONNECTIONS_MAX, idle_timeout_s=0.01)
    transport = StreamlinedTransport(limits=limits)

    async def script(peer: ScriptedPeer) -> None:
        while True:
            received = await peer.request()
            mood = chance.random()
            if mood < 0.1:
                peer.reset()
                return
            if mood < 0.2:
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut")
                return
            if mood < 0.3:
                await asyncio.sleep(chance.random() / 100)
            await peer.answer(received.body, headers="Connection: close\r\n" if mood > 0.9 else "")

    async def caller(server: ScriptedServer, body: bytes) -> None:
        await asyncio.sleep(chance.random() / 20)
        try:
            async with asyncio.timeout(chance.choice([0.001, 0.005, 2.0])):
                assert await fetch(transport, post(server.endpoint, body, connect_timeout_s=0.05)) == body
        except (TransportFailed, TimeoutError):
            pass
        assert transport.stats.open <= CONNECTIONS_MAX

    async with ScriptedServer(script) as server:
        async with asyncio.TaskGroup() as callers:
            for number in range(250):
                callers.create_task(caller(server, b"%d" % number * 7))
        stats = transport.stats
        assert (stats.waiting, stats.open) == (0, stats.idle)
        for _ in range(20):
            try:
                assert await fetch(transport, post(server.endpoint, b"alive")) == b"alive"
            except TransportFailed:
                continue  # the server's mood
            break
        else:
            pytest.fail("the pool does not recover")
        await transport.aclose()
    assert transport.stats == (0, 0, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_slot_is_lost_on_asyncio(seed: int) -> None:
    asyncio.run(one_world(seed))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_slot_is_lost_on_uvloop(seed: int) -> None:
    uvloop.run(one_world(seed))
